"""The whole study on the embedded digits: images, subset, trainings, report."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from fzmm.errors import UserError
from fzmm.paths import CONFIGS
from fzmm.sweep.executors.local import available_cores, visible_gpus
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.sweep import run_sweep
from fzmm.sweep.training.training_command import training_environment

DATA = Path("data/toy")  # where configs/_base_/toy100.py looks
SUBSET = DATA / "annotations" / "fz" / "toy25.json"


def run_demo(
    work_dir: Path = Path("work_dirs/demo"),
    budget: float = 1.0,
    images: tuple[int, int] = (800, 150),
) -> Path:
    """Run the study of ``configs/toy``; call it again to go on where it was stopped.

    Args:
        work_dir: Where runs and report are written.
        budget: Share of the schedule to train, in (0, 1].
        images: How many training and validation images are painted, where there are none yet.

    Returns:
        The report's page.

    Raises:
        UserError: If an option cannot be, or a training failed, saying which and why.
    """
    from fzmm.analysis.report.write_report import write_report
    from fzmm.toy.dataset import write_toy

    start = time.monotonic()
    configs = sorted((CONFIGS / "toy").glob("*.py"))
    SweepOptions(configs, root=work_dir, budget=budget)  # which says no before anything is painted
    if min(images) < 1:
        raise UserError(f"--images {images[0]} {images[1]}: at least one of each")
    step("1/4", f"painting {images[0]} training and {images[1]} validation images in {DATA}")
    files = write_toy(DATA, *images)
    step("2/4", "cutting a class-stratified quarter of the training images")
    if SUBSET.exists():
        print(f"      {SUBSET} is there")
    else:
        cut = ["make-subsets", str(files["train"]), "--out-dir", str(SUBSET.parent)]
        call(sys.executable, "-m", "fzmm", *cut, "--subset", "toy25=0.25", "--force")

    at_once = 1 if visible_gpus() else min(len(configs), available_cores())
    step("3/4", f"training {len(configs)} detectors: 2 data amounts x 3 numbers of frozen stages")
    statuses = run_sweep(SweepOptions(configs, root=work_dir, budget=budget, runs_at_once=at_once))
    failed = [status for status in statuses if status.state is not State.DONE]
    if failed:
        raise UserError(
            f"{failed[0].run.work_dir}: {failed[0].state.value}: {failed[0].note}; "
            "repair it and call the demo again, finished runs are kept"
        )

    step("4/4", "writing the report")
    page = write_report([status.run.work_dir for status in statuses], work_dir / "report")
    minutes = (time.monotonic() - start) / 60
    print(f"done in {minutes:.1f} min; open {page}", flush=True)
    return Path(page)


def step(number: str, description: str) -> None:
    """Tell which step of the demo comes now."""
    print(f"[{number}] {description}", flush=True)


def call(*command: str) -> None:
    """Run a command whose output belongs to the demo's.

    Raises:
        UserError: If it fails; it has told why.
    """
    if code := subprocess.run(command, check=False, env=training_environment()).returncode:
        raise UserError(f"`{' '.join(command)}` ended with exit code {code}")
