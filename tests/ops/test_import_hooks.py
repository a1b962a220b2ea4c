"""Fresh interpreters find the operators, and fzmm's configs, whatever they import first."""

import subprocess
import sys

import pytest

# As where MMCV has no compiled operators: fzmm's finder is asked before the others.
WITHOUT_COMPILED = """
import sys
import fzmm
from fzmm.ops.import_hooks import OperatorsFinder
sys.meta_path.insert(0, OperatorsFinder)
"""


def run(program, *, cwd=None):
    """Run a program in a fresh interpreter and return what it printed last."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_import_fzmm_stays_light():
    program = "import sys, fzmm; print(sorted({'torch', 'numpy', 'mmcv'} & set(sys.modules)))"
    assert run(program) == "[]"


def test_mmcv_s_own_operators_win(tmp_path):
    package = tmp_path / "mmcv"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_ext.py").write_text("OWN = True")
    program = "import sys, fzmm; sys.path.insert(0, '.'); import mmcv._ext; print(mmcv._ext.OWN)"
    assert run(program, cwd=tmp_path) == "True"


def test_mmcv_imports_and_an_operator_says_what_is_missing_when_it_is_called():
    program = """
import torch
from mmcv.ops import get_compiler_version, soft_nms
from fzmm.errors import UserError
print(get_compiler_version())
try:
    soft_nms(torch.rand(3, 4), torch.rand(3))
except UserError as error:
    print(error)
"""
    message = run(WITHOUT_COMPILED + program)
    assert "softnms" in message
    assert "make ops" in message and "--force-reinstall" in message


@pytest.mark.parametrize("order", ["import fzmm, mmengine", "import mmengine.config, fzmm"])
def test_configs_are_found_by_the_package_s_name(order, tmp_path):
    (tmp_path / "mine.py").write_text('_base_ = "fzmm::fz/coco50_frozen2.py"\n')
    program = f"""{order}
from mmengine.config import Config
from mmengine.hub import get_config
hub = get_config("fzmm::fz/coco50_frozen2.py")
own = Config.fromfile("mine.py")
print(hub.model.backbone.frozen_stages, own.model.backbone.frozen_stages)
"""
    assert run(program, cwd=tmp_path) == "2 2"
