"""The wheel alone, in a new environment without a compiler, does everything in an empty folder."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from fzmm.commands.main import COMMANDS

ROOT = Path(__file__).parents[2]

# pip takes an fzmm.egg-info on PYTHONPATH for the package installed already
INSTALL = ("install", "--no-deps", "--ignore-installed")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Return the bin folder of a new environment that holds the wheel of this tree.

    All other packages are borrowed from the environment of the tests, whose own fzmm stays out:
    a folder named in a .pth file is searched after the new site-packages, and its .pth files, one
    of which is the editable fzmm, are not read.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    [wheel] = folder.glob("fzmm-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), *INSTALL, str(wheel)], check=True)

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "env" / "lib" / version / "site-packages"
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "env" / "bin"


@pytest.fixture(scope="module")
def run(environment, tmp_path_factory):
    """Return a function that runs a command of the environment in one empty folder."""
    folder = tmp_path_factory.mktemp("empty")
    variables = {
        "PATH": str(environment),  # no compiler
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }

    def run(*command, code=0):
        done = subprocess.run(
            [str(environment / "python"), *command],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.folder = folder
    return run


FZMM = ("-m", "fzmm")
MIM = ("-c", "from mim.cli import cli; cli()")


def test_the_command_says_what_it_is(run, environment):
    from fzmm.version import __version__

    for command in (FZMM, (str(environment / "fzmm"),)):
        assert run(*command, "--version").strip() == f"fzmm {__version__}"
    assert "fzmm demo" in run(*FZMM, "--help")
    wrong = run(*FZMM, "nonsense", code=2)
    assert wrong == "error: fzmm nonsense: no such command; `fzmm --help` lists them\n"
    for name in COMMANDS:
        assert re.search(r"^examples?:\s+.*fzmm ", run(*FZMM, name, "--help"), re.M), name


def test_a_script_finds_operators_and_configs(run):
    """As MMDetection's own, which import mmcv.ops before they know of fzmm."""
    script = """
import mmcv.ops
from mmengine.config import Config
from mmengine.hub import get_config
mine = Config.fromfile("mine.py")
assert mine.model == get_config("fzmm::fz/coco50_frozen2.py").model
print(mine.model.backbone.frozen_stages)
"""
    (run.folder / "mine.py").write_text('_base_ = "fzmm::fz/coco50_frozen2.py"\n')
    assert run("-c", script).endswith("2\n")


def test_a_mistake_names_the_command_as_it_is_called(run):
    out = run(*FZMM, "train", "fzmm::toy/toy25_frozen2.py", code=2)
    assert "make it with: python -m fzmm.toy.dataset, then fzmm make-subsets" in out
    assert "tools/" not in out
    out = run(*FZMM, "sweep", "absent.py", code=2)
    assert "`fzmm new-study` writes" in out and out.count("\n") == 1


@pytest.fixture(scope="module")
def demo(run):
    """Return the folder of the demo's runs, which are as short as they can be."""
    run(*FZMM, "demo", "--budget", "0.02", "--images", "24", "4")
    return run.folder / "work_dirs" / "demo"


@pytest.mark.slow
def test_the_demo_ends_with_a_report(demo):
    assert (demo / "report" / "index.html").is_file()


@pytest.mark.slow
def test_runs_are_read(run, demo):
    out = run(*FZMM, "recommend", "work_dirs/demo")
    assert "toy100" in out and "toy25" in out
    run(*FZMM, "report", "work_dirs/demo", "--out", "again")
    assert (run.folder / "again" / "index.html").is_file()
    assert "toy25_frozen4/seed0" in run(*FZMM, "summarise", "work_dirs/demo")


@pytest.mark.slow
def test_mim_trains_and_tests(run, demo):
    out = run(*MIM, "train", "fzmm", "toy25_frozen4.py", "--gpus", "0", "--budget", "0.01")
    assert "Training finished successfully" in out
    assert "OneDL" not in out
    *_, checkpoint = (run.folder / "work_dirs" / "toy25_frozen4").glob("iter_*.pth")
    out = run(*MIM, "test", "fzmm", "toy25_frozen4.py", "--checkpoint", str(checkpoint))
    assert "Testing finished successfully" in out
    assert "coco/bbox_mAP" in out
    config = "fzmm::toy/toy25_frozen4.py"
    assert "coco/bbox_mAP" in run(*FZMM, "test", config, str(checkpoint))

    out = run(*MIM, "test", "fzmm", "toy25_frozen4.py", "--checkpoint", "missing.pth", code=2)
    assert "Traceback" not in out
    assert "missing.pth: no such checkpoint" in out


@pytest.mark.slow
def test_a_study_of_a_folder_of_data(run, demo):
    run(*FZMM, "convert", "data/toy", "--out", "digits.json")
    run(*FZMM, "make-subsets", "digits_train.json", "--out-dir", "half", "--subset", "half=0.5")
    subset = json.loads((run.folder / "half" / "half.json").read_text())
    assert len(subset["images"]) == 12

    detector = ("--base", "fzmm::toy/toy100_unfrozen.py", "--pretrained", "none", "--gpus", "1")
    short = ("--fractions", "1", "--frozen", "4", "--epochs", "1", "--cost-steps", "0")
    out = run(*FZMM, "new-study", "--name", "digits", "--data", "data/toy", *detector, *short)
    assert "next:       fzmm sweep configs/digits/*.py" in out
    out = run(*FZMM, "sweep", "configs/digits/digits100_frozen4.py")
    assert "1 of 1 done" in out


def test_mim_finds_the_study(run):
    assert "coco50_frozen2" in run(*MIM, "search", "fzmm")
