"""Where the nodes of one run meet: what torchrun is told on each of them."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from dataclasses import dataclass

_SIOCGIFADDR = 0x8915  # linux/sockios.h: the address of an interface


@dataclass(frozen=True)
class Rendezvous:
    """A run's meeting of several nodes, as one of them sees it.

    Attributes:
        nodes: How many.
        rank: Which of them this is; 0 writes the work directory.
        address: Of node 0.
        port: There.
    """

    nodes: int
    rank: int
    address: str
    port: int

    @property
    def arguments(self) -> list[str]:
        """Those of torchrun.

        The rendezvous is the static one: it alone lets a caller choose the node of process 0, which
        is to be the one that holds the work directory's lock.
        """
        return [
            *("--nnodes", str(self.nodes), "--node_rank", str(self.rank)),
            *("--master_addr", self.address, "--master_port", str(self.port)),
        ]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def network_variables(address: str) -> dict[str, str]:
    """Return what makes gloo and NCCL use the network of an address of this machine.

    Left to themselves they take that of the host name, which on many machines is the loopback, or
    the first of several.
    """
    name = interface_of(address)
    # NCCL takes a name for a beginning unless "=" is before it.
    return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": f"={name}"} if name else {}


def interface_of(address: str) -> str | None:
    """Return the name of the network interface with an IPv4 address or a name's, or None."""
    try:
        address = socket.gethostbyname(address)
    except OSError:
        return None
    loopback = ipaddress.ip_address(address).is_loopback  # all of 127.0.0.0/8, with one entry
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # it has no address
                continue
            own = ipaddress.ip_address(answer[20:24])
            if str(own) == address or (loopback and own.is_loopback):
                return name
    return None
