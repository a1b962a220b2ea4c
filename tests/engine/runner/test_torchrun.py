"""The exit code of several processes is that of one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fzmm.exit_codes import PREEMPTED_EXIT_CODE

ROOT = Path(__file__).resolve().parents[3]


def test_dist_train_ends_with_the_code_of_its_processes(config, tmp_path):
    """The signal is sent to the script alone; torchrun itself would end with 1."""
    path = config("train_cfg = dict(max_iters=4000, val_interval=9000)")
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHON=sys.executable)
    command = ["bash", "tools/dist_train.sh", str(path), "2", "--work-dir", str(tmp_path / "run")]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        end = time.time() + 120
        while not (tmp_path / "run/iter_4.pth").exists() and time.time() < end:
            assert process.poll() is None, (tmp_path / "log").read_text()[-4000:]
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == PREEMPTED_EXIT_CODE, (tmp_path / "log").read_text()[-4000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert "stopped by SIGTERM" in (tmp_path / "run/provenance.json").read_text()


def test_a_mistake_in_several_processes_is_a_mistake(config, tmp_path):
    path = config("optim_wrapper = dict(optimizer=dict(lr=float('inf')))")
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHON=sys.executable)
    command = ["bash", "tools/dist_train.sh", str(path), "2", "--work-dir", str(tmp_path / "run")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr and "optim_wrapper.optimizer.lr is inf" in done.stderr
