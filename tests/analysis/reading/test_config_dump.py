import math
import subprocess
import sys

import pytest

from fzmm.analysis.reading.config_dump import UNKNOWN, get, read_config
from fzmm.errors import UserError


def read(tmp_path, text):
    path = tmp_path / "config.py"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_values_of_a_dump(tmp_path):
    config = read(
        tmp_path,
        (
            "a = dict(b=[1, -2.5, (3, )], c={'d': None, 4: True}, e='é\\n')\n"
            "f = inf\ng = -inf\nh = nan\n"
        ),
    )
    assert config["a"] == {"b": [1, -2.5, (3,)], "c": {"d": None, 4: True}, "e": "é\n"}
    assert config["f"] == math.inf and config["g"] == -math.inf and math.isnan(config["h"])


def test_nothing_is_executed(tmp_path):
    trap = tmp_path / "trap"
    config = read(
        tmp_path,
        (
            f"import os\nx = open({str(trap)!r}, 'w')\ny = dict(a=1, b=os.getcwd(), **z)\n"
            "w = [i for i in range(3)]\nif True:\n    v = 1\n"
        ),
    )
    assert not trap.exists()
    assert config["x"] is UNKNOWN and config["w"] is UNKNOWN and "v" not in config
    assert get(config, "y.a") == 1 and get(config, "y.b", "default") == "default"


@pytest.mark.parametrize("text", ["a = (", "\x00", "a = " + "(" * 5000, "a" * 10 + " b c"])
def test_not_a_config(tmp_path, text):
    with pytest.raises(UserError, match="config.py"):
        read(tmp_path, text)


def test_deep_nesting_ends_well(tmp_path):
    try:
        read(tmp_path, "a = " + "-" * 3000 + "1")
    except UserError as error:
        assert "config.py" in str(error)


def test_get():
    config = {"a": [{"b": 1}], "c": UNKNOWN, "d": None}
    assert get(config, "a.0.b") == 1
    assert get(config, "a.1.b") is None and get(config, "c") is None and get(config, "d", 2) == 2
    assert get(config, "a.b.c", 3) == 3


def test_reads_what_mmengine_dumps(tmp_path):
    """A real dump of MMDetection's base config, made by MMEngine in a process of its own."""
    code = (
        "import sys; from mmengine.config import Config; import mmdet, os\n"
        "base = os.path.join(os.path.dirname(mmdet.__file__), '.mim', 'configs', 'faster_rcnn',"
        " 'faster-rcnn_r50_fpn_1x_coco.py')\n"
        "cfg = Config.fromfile(base); cfg.x = float('inf'); cfg.dump(sys.argv[1])\n"
    )
    path = tmp_path / "config.py"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
    config = read_config(path)
    assert get(config, "model.backbone.frozen_stages") == 1
    assert get(config, "train_cfg.max_epochs") == 12
    assert (
        get(config, "train_dataloader.dataset.ann_file") == "annotations/instances_train2017.json"
    )
    assert config["x"] == math.inf
