"""A Ray cluster of two nodes of one core each on this machine, reachable from it alone."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from fzmm.sweep.training.training_command import training_environment
from tests.sweep.conftest import Sweeps

START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
# Of a machine that has other work to do, a node takes more than the usual half minute to start.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}


class Cluster:
    """Nodes started with ``ray start`` in process groups of their own, so that each can be killed.

    Args:
        folder: For Ray's files; its path must be short, for Ray makes sockets in it.
    """

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.nodes = []
        self.hosts = 0

    def start(self, *options, inside=()):
        node = subprocess.Popen(
            # An address each: a program joins any node at its own, and ends with that node.
            [*inside, *START, f"--node-ip-address={self.next_host()}", "--num-cpus=1", *options],
            env={**training_environment(), **SETTINGS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.nodes.append(node)
        return node

    def next_host(self):
        self.hosts += 1
        return f"127.0.0.{self.hosts}"

    def start_head(self):
        self.hosts = 0
        port = self.address.partition(":")[2]
        return self.start(
            *("--head", f"--port={port}", f"--temp-dir={self.folder}"),
            "--include-dashboard=false",
        )

    def start_worker(self, *options, inside=()):
        """Start a node; ``inside`` is a command that runs it, such as ``unshare``."""
        return self.start(f"--address={self.address}", *options, inside=inside)

    def wait_for_nodes(self, count, seconds=120):
        code = (
            "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False)\n"
            "print(sum(node['Alive'] for node in ray.nodes()))"
        )
        deadline = time.monotonic() + seconds
        while True:
            asked = subprocess.run(
                [sys.executable, "-c", code, self.address],
                env=training_environment(),
                capture_output=True,
                text=True,
            )
            if asked.stdout.strip() == str(count):
                return
            assert time.monotonic() < deadline, asked.stdout + asked.stderr[-2000:]
            time.sleep(1)

    def kill(self, node):
        if node.poll() is None:
            os.killpg(node.pid, signal.SIGKILL)
            node.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    """A head and one more node."""
    if os.environ.get("FZMM_TEST_RAY") != "1":
        pytest.skip("installs and starts Ray: run `make test-ray`")
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(folder)
        try:
            cluster.start_head()
            cluster.wait_for_nodes(1)
            cluster.worker = cluster.start_worker()
            cluster.wait_for_nodes(2)
            yield cluster
        finally:
            for node in reversed(cluster.nodes):
                cluster.kill(node)


@pytest.fixture
def sweeps(cluster, tmp_path):
    return Sweeps(tmp_path)
