import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# a training of seconds: few images, few proposals, no pretrained weights
SMALL = (
    "model.backbone.init_cfg=None",
    "model.test_cfg.rcnn.score_thr=0.01",
    "train_cfg.max_iters=4",
    "train_cfg.val_interval=4",
    "default_hooks.checkpoint.interval=2",
    "default_hooks.train_split.num_images=4",
    "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
    "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False",
    "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False",
)


@pytest.fixture
def run(tmp_path):
    """Run a command in an empty folder as a user does, and return the finished process."""

    def run(*command, code=0, cwd=tmp_path):
        environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHON=sys.executable)
        environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{environment.get('PYTHONPATH', '')}"
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    return run


@pytest.fixture
def mim_name():
    """The name of the distribution that ``mim`` knows MMDetection by."""
    names = {dist.metadata["Name"].lower() for dist in metadata.distributions()}
    return "onedl-mmdetection" if "onedl-mmdetection" in names else "mmdet"
