"""A Ray cluster of two nodes of one core each on this machine, reachable from it alone.

Where it may, each node is in a network namespace of its own, as another machine would be.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from fzmm.sweep.training.rendezvous import free_port
from fzmm.sweep.training.training_command import training_environment
from tests.namespaces import Machine, NoNamespaces, two_machines
from tests.sweep.conftest import Sweeps

START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
# Each is a process that takes seconds to start, of what these tests have no use for.
LEFT_OUT = ["--include-log-monitor=false"]
LEFT_OUT_OF_HEAD = ["--include-dashboard=false", "--no-monitor"]
AGENTS = ("dashboard-agent-grpc", "dashboard-agent-listen", "metrics-export", "runtime-env-agent")
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Of a machine that has other work to do, a node takes more than the usual half minute to start.
    "RAY_raylet_start_wait_time_s": "120",
    # A node that is killed is known to be lost after five questions without an answer.
    "RAY_health_check_period_ms": "500",
    # Workers that are started ahead lack the environment that a sweep asks for.
    "RAY_enable_worker_prestart": "0",
}
COUNT_NODES = """
import ray, sys, time
ray.init(address=sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) != int(sys.argv[2]):
    time.sleep(0.2)
"""


class LocalMachine(Machine):
    """An address of this machine, where namespaces cannot be had."""

    @property
    def inside(self):
        return []


class Cluster:
    """Nodes started with ``ray start`` in process groups of their own, so that each can be killed.

    Args:
        folder: For Ray's files; its path must be short, for Ray makes sockets in it.
        machines: Where the head and the others are started.
    """

    def __init__(self, folder, machines):
        self.folder = folder
        self.head_machine, self.worker_machine = machines
        self.port = free_port()
        self.address = f"{self.head_machine.address}:{self.port}"
        self.nodes = []
        self.head = self.worker = None

    @property
    def inside(self):
        """Beginning of a command that runs on the head's machine."""
        return self.head_machine.inside

    def start(self, machine, *options, inside=()):
        # An address each: a program joins any node at its own, and ends with that node.
        place = [f"--node-ip-address={machine.address}", "--num-cpus=1"]
        # A node waits 15 seconds, and no longer, to hear of a port that it was not given.
        place += [f"--{agent}-port={free_port()}" for agent in AGENTS]
        node = subprocess.Popen(
            [*machine.inside, *inside, *START, *LEFT_OUT, *place, *options],
            env={**training_environment(), **SETTINGS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.nodes.append(node)
        return node

    def start_head(self):
        options = ("--head", f"--port={self.port}", f"--temp-dir={self.folder}")
        self.head = self.start(self.head_machine, *options, *LEFT_OUT_OF_HEAD)
        listens = (
            f"import socket; socket.create_connection(('{self.head_machine.address}', {self.port}))"
        )
        deadline = time.monotonic() + 120
        while subprocess.run(
            [*self.inside, sys.executable, "-c", listens], capture_output=True
        ).returncode:
            assert time.monotonic() < deadline and self.head.poll() is None, "the head is not up"
            time.sleep(0.2)

    def start_worker(self, *options, inside=()):
        """Start a node; ``inside`` is a command that runs it, such as ``unshare``."""
        return self.start(self.worker_machine, f"--address={self.address}", *options, inside=inside)

    def wait_for_nodes(self, count, seconds=120):
        deadline = time.monotonic() + seconds
        while True:
            asked = subprocess.Popen(
                [*self.inside, sys.executable, "-c", COUNT_NODES, self.address, str(count)],
                env=training_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            try:
                printed, _ = asked.communicate(timeout=max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                asked.kill()
                printed, _ = asked.communicate()
            if asked.returncode == 0:
                return
            assert time.monotonic() < deadline, printed[-2000:]
            time.sleep(0.5)

    def kill(self, node):
        if node.poll() is None:
            os.killpg(node.pid, signal.SIGKILL)
            node.wait()

    def kill_all(self):
        for node in reversed(self.nodes):
            self.kill(node)
        self.nodes = []

    def restore(self):
        """Have the head and one ordinary node, whatever the test before has done to them."""
        if self.head is None or self.head.poll() is not None:
            self.kill_all()
            self.start_head()
        for node in self.nodes:
            if node not in (self.head, self.worker):
                self.kill(node)
        if self.worker is None or self.worker.poll() is not None:
            self.worker = self.start_worker()
        self.wait_for_nodes(2)


@contextlib.contextmanager
def machines():
    """Two machines in namespaces, or two addresses of this one."""
    with contextlib.ExitStack() as stack:
        try:
            places = stack.enter_context(two_machines("ray"))
        except NoNamespaces:
            places = [LocalMachine("", f"127.0.0.{index}") for index in (1, 2)]
        yield places


@pytest.fixture(scope="session")
def shared_cluster():
    if os.environ.get("FZMM_TEST_RAY") != "1":
        pytest.skip("installs and starts Ray: run `make test-ray`")
    pytest.importorskip("ray")
    folder = tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)
    with folder as path, machines() as places, pytest.MonkeyPatch.context() as patch:
        # As on a cluster of several machines, whoever joins has to show the token.
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex())
        cluster = Cluster(path, places)
        try:
            yield cluster
        finally:
            cluster.kill_all()


@pytest.fixture
def cluster(shared_cluster):
    """A head and one more node."""
    shared_cluster.restore()
    return shared_cluster


@pytest.fixture
def sweeps(tmp_path):
    return Sweeps(tmp_path)
