"""dist_train.sh by hand on two machines: two network namespaces with a cable between them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import CABLE, NoNamespaces, two_machines

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machines():
    """Two namespaces that reach each other and nothing else."""
    try:
        with two_machines() as machines:
            yield machines
    except NoNamespaces as reason:
        pytest.skip(str(reason))


def test_one_run_on_two_machines(machines, config, tmp_path):
    path = config("train_cfg = dict(max_iters=4, val_interval=4)")
    work_dir = tmp_path / "run"
    processes = []
    for rank, machine in enumerate(machines):
        variables = dict(NNODES="2", NODE_RANK=str(rank), PORT="29500")
        variables.update(MASTER_ADDR=machines[0].address)
        # Its own host name leads nowhere in a namespace, so gloo is told where to listen.
        variables.update(GLOO_SOCKET_IFNAME=CABLE, OMP_NUM_THREADS="1", PYTHON=sys.executable)
        command = [*machine.inside, "bash", "tools/dist_train.sh", str(path), "1"]
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
