"""The exit code of several processes is that of one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.sweep.training.attempt import last_error

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


WAITS = """
import os, sys, time
from fzmm.engine.runner.endings import ends_when_told

with ends_when_told():
    with open(f"{sys.argv[1]}/{os.environ['RANK']}.tmp", "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, file.name.removesuffix(".tmp"))
    time.sleep(300)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_process_outlives_a_killed_launcher(tmp_path):
    """They are in sessions of their own, and would train on in a directory without its lock."""
    (tmp_path / "waits.py").write_text(WAITS)
    command = [sys.executable, "-m", "fzmm.engine.runner.torchrun", "--standalone"]
    command += ["--nproc_per_node", "2", str(tmp_path / "waits.py"), str(tmp_path)]
    launcher = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS="1"))
    ranks = [tmp_path / "0", tmp_path / "1"]
    try:
        end = time.time() + 120
        while not all(path.exists() for path in ranks):
            assert launcher.poll() is None and time.time() < end
            time.sleep(0.05)
    finally:
        launcher.kill()
        launcher.wait()
    end = time.time() + 10
    while any(is_alive(int(path.read_text())) for path in ranks):
        assert time.time() < end, "a process goes on"
        time.sleep(0.05)


def test_a_process_that_was_killed_is_named(tmp_path):
    """Torchrun's own report of it ends with a line of equals signs, which a table then showed."""
    (tmp_path / "dies.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    command = [sys.executable, "-m", "fzmm.engine.runner.torchrun", "--standalone"]
    command += ["--nproc_per_node", "1", str(tmp_path / "dies.py")]
    with open(tmp_path / "attempt1.txt", "w") as output:
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, timeout=120)
    assert done.returncode == 1
    line = last_error(tmp_path / "attempt1.txt")
    assert line == "process 0 was killed by SIGKILL (out of memory?)"
