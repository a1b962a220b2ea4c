"""What a newcomer's first mistake prints: one useful line, once."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_training_without_coco_says_so_once(tmp_path):
    done = subprocess.run(
        ["bash", ROOT / "tools" / "dist_train.sh", ROOT / "configs/fz/coco50_frozen2.py", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert line.startswith("error: data/coco/annotations/fz/coco50.json: no such annotation file")
    assert "make_subsets.py" in line


def test_a_sweep_without_coco_says_so_once_and_starts_nothing(tmp_path):
    configs = sorted((ROOT / "configs" / "fz").glob("coco50_*.py"))
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "sweep.py", *configs, "--seeds", "0", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert line.startswith("error: data/coco/annotations/fz/coco50.json: no such annotation file")
    assert not list(tmp_path.iterdir())
