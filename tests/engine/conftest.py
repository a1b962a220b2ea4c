"""Fixtures that write a tiny dataset and config, and train on them in a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.helpers import Training, write_dataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a dataset that no test changes."""
    root = tmp_path_factory.mktemp("tiny")
    write_dataset(root, "train", 24, 0)
    write_dataset(root, "val", 8, 1)
    return root


def write_config(folder, data, *lines, name="tiny"):
    path = folder / f"{name}.py"
    base = Path(__file__).with_name("tiny_config.py").read_text().replace("@DATA@", str(data))
    (folder / "tiny_base.py").write_text(base)
    path.write_text("\n".join(['_base_ = "./tiny_base.py"', *lines, ""]))
    return path


@pytest.fixture
def config(tiny, tmp_path):
    """Write ``tmp_path/tiny.py``; its arguments are lines of Python that come last."""

    def write(*lines, name="tiny", data=tiny):
        return write_config(tmp_path, data, *lines, name=name)

    return write


@pytest.fixture(scope="session")
def training_server():
    """A process that has imported MMDetection and forks trainings; see train_tiny.py."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "train_tiny.py")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def answer():
        for line in process.stdout:  # what an import prints is passed over
            if line.strip() == "ready" or line.strip().lstrip("-").isdigit():
                return line.strip()
        raise AssertionError("the training server has ended")

    answer()

    def request(message):
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        return int(answer())

    yield request
    process.stdin.close()
    process.wait(timeout=30)


@pytest.fixture
def start(training_server, tmp_path):
    """Start a training: ``start(config, "a", "--resume")`` writes to ``tmp_path/a``."""
    started = []

    def run(config, work_dir, *options, **kwargs):
        training = Training(training_server, config, tmp_path / work_dir, *options, **kwargs)
        started.append(training)
        return training

    yield run
    for training in started:
        for pid in training.pids:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


@pytest.fixture
def train(start):
    """Run a training to its end; returns what it printed."""

    def run(*args, code=0, **kwargs):
        return start(*args, **kwargs).wait(code)

    return run


@pytest.fixture(scope="session")
def finished_run(training_server, tiny, tmp_path_factory):
    """The work directory of a finished training of five iterations; no test changes it."""
    folder = tmp_path_factory.mktemp("finished")
    path = write_config(folder, tiny, "train_cfg = dict(max_iters=5, val_interval=5)")
    Training(training_server, path, folder / "run").wait()
    return folder / "run"
