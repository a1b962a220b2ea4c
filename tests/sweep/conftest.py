import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from fzmm.run_lock import lock_holder
from fzmm.scenarios import rate_name
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.sweep import run_sweep
from fzmm.sweep.table import Display
from fzmm.sweep.training.training_command import training_environment

CONFIG = """
model = dict(type="FasterRCNN", backbone=dict(type="ResNet", depth=18, frozen_stages=2))
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(max_iters=20)
"""


SEEDS_DIFFER_BY = (0.0, 0.004, -0.004, 0.003, -0.003, 0.002, -0.002, 0.001)


class Sweeps:
    """Sweeps of stand-in trainings in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "work_dirs"
        self.command = [sys.executable, str(Path(__file__).with_name("stand_in.py"))]

    def config(self, name, **settings):
        path = self.folder / f"{name}.py"
        path.write_text(CONFIG + "".join(f"{key} = {value!r}\n" for key, value in settings.items()))
        return path

    def study(self, means, spread=0.1, seconds=0.0):
        """Write a study's configs from the mean mAP of each number of frozen stages."""
        configs = []
        for frozen, mean in means.items():
            name = "cells100_unfrozen" if frozen < 0 else f"cells100_frozen{frozen}"
            maps = [round(mean + spread * delta, 6) for delta in SEEDS_DIFFER_BY]
            config = self.config(name, seconds=seconds, maps=maps)
            text = config.read_text()
            config.write_text(text.replace("frozen_stages=2", f"frozen_stages={frozen}"))
            configs.append(config)
        return configs

    def rated_study(self, means, amount="cells100", fraction=1.0, at=None):
        """Write a study's configs from the mean mAP of (frozen stages, learning rate).

        ``at`` has further settings of some of them.
        """
        configs = {}
        for (frozen, rate), mean in means.items():
            scenario = "unfrozen" if frozen < 0 else f"frozen{frozen}"
            more = dict(seconds=0.0) | (at or {}).get((frozen, rate), {})
            config = self.config(
                f"{amount}_{scenario}_{rate_name(rate)}",
                maps=[round(mean + 0.1 * delta, 6) for delta in SEEDS_DIFFER_BY],
                study=dict(data_amount=amount, fraction=fraction, rate=rate),
                optim_wrapper=dict(optimizer=dict(type="SGD", lr=rate)),
                **more,
            )
            text = config.read_text()
            config.write_text(text.replace("frozen_stages=2", f"frozen_stages={frozen}"))
            configs[frozen, rate] = config
        return configs

    def options(self, *configs, **options):
        return SweepOptions(configs, root=self.root, command=self.command, **options)

    def display(self):
        """A display whose output ``printed`` returns."""
        self._file = io.StringIO()
        return Display(Console(file=self._file, width=200), interval=0.2)

    @property
    def printed(self):
        return self._file.getvalue()

    def run(self, *configs, **options):
        """Sweep in this process; returns statuses by name, and keeps what was printed."""
        statuses = run_sweep(self.options(*configs, **options), self.display())
        return {status.run.name: status for status in statuses}

    def start(self, *configs, grace=10):
        """Sweep in a process of its own."""
        code = (
            "import sys; from fzmm.sweep.sweep import SweepOptions, run_sweep\n"
            f"run_sweep(SweepOptions(sys.argv[1:], root={str(self.root)!r}, "
            f"command={self.command!r}, grace={grace}))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, configs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=training_environment(),
        )

    def work_dir(self, config, seed=0):
        return self.root / config.stem / f"seed{seed}"

    def iterations(self, config, seed=0):
        """Iterations that were really made, in order."""
        path = self.work_dir(config, seed) / "iterations.txt"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait_for(self, config, iteration, seed=0, seconds=60):
        """Wait until a training has made an iteration."""
        deadline = time.monotonic() + seconds
        while iteration not in self.iterations(config, seed):
            assert time.monotonic() < deadline, f"iteration {iteration} never came"
            time.sleep(0.02)

    def training_pid(self, config, seed=0):
        """The process id of a running training: a child of the sweep that holds the lock."""
        sweep = lock_holder(self.work_dir(config, seed))["pid"]
        children = Path(f"/proc/{sweep}/task/{sweep}/children").read_text().split()
        work_dir = str(self.work_dir(config, seed)).encode()
        return next(
            int(pid)
            for pid in children
            if work_dir in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        )


@pytest.fixture
def sweeps(tmp_path):
    return Sweeps(tmp_path)
