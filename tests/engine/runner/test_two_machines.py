"""dist_train.sh by hand on two machines: two network namespaces with a cable between them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ADDRESSES = ("10.77.0.1", "10.77.0.2")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def machines():
    """Names of two namespaces that reach each other and nothing else."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    names = [f"fzmm{os.getpid()}-{index}" for index in range(2)]
    try:
        for name in names:
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        ip(
            "-n",
            names[0],
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "cable",
            "netns",
            names[1],
        )
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def test_one_run_on_two_machines(machines, config, tmp_path):
    path = config("train_cfg = dict(max_iters=4, val_interval=4)")
    work_dir = tmp_path / "run"
    processes = []
    for rank, machine in enumerate(machines):
        variables = dict(NNODES="2", NODE_RANK=str(rank), MASTER_ADDR=ADDRESSES[0], PORT="29500")
        # Its own host name leads nowhere in a namespace, so gloo is told where to listen.
        variables.update(GLOO_SOCKET_IFNAME="cable", OMP_NUM_THREADS="1", PYTHON=sys.executable)
        command = ["ip", "netns", "exec", machine, "bash", "tools/dist_train.sh", str(path), "1"]
        processes.append(
            subprocess.Popen(
                [*command, "--work-dir", str(work_dir)],
                cwd=ROOT,
                env={**os.environ, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    try:
        printed = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(printed)[-4000:]
    record = json.loads((work_dir / "provenance.json").read_text())
    assert record["finished"] and record["sessions"][0]["world_size"] == 2
    assert len(list(work_dir.glob("*/vis_data/scalars.json"))) == 1  # node 0 alone writes
