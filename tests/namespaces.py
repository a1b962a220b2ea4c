"""Two machines on this one: network namespaces with a cable between them and to nowhere else."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass

CABLE = "cable"


@dataclass(frozen=True)
class Machine:
    """A namespace.

    Attributes:
        name: Its name.
        address: In the network of the cable.
        inside: Beginning of a command that runs there.
    """

    name: str
    address: str

    @property
    def inside(self):
        return ["ip", "netns", "exec", self.name]


class NoNamespaces(Exception):
    """They cannot be had here; says why."""


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NoNamespaces(f"no network namespaces here: {done.stderr.strip()}")


@contextlib.contextmanager
def two_machines(label=""):
    """Make two machines.

    Raises:
        NoNamespaces: Without root or iproute2, or in a container that may not.
    """
    if os.geteuid() or shutil.which("ip") is None:
        raise NoNamespaces("network namespaces need root and iproute2")
    names = [f"fzmm{label}{os.getpid()}-{index}" for index in range(2)]
    machines = [Machine(name, f"10.77.0.{index}") for index, name in enumerate(names, 1)]
    try:
        for name in names:
            _ip("netns", "add", name)
        end = ["type", "veth", "peer", CABLE, "netns", names[1]]
        _ip("-n", names[0], "link", "add", CABLE, *end)
        for machine in machines:
            _ip("-n", machine.name, "address", "add", f"{machine.address}/24", "dev", CABLE)
            _ip("-n", machine.name, "link", "set", CABLE, "up")
            _ip("-n", machine.name, "link", "set", "lo", "up")
        yield machines
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
