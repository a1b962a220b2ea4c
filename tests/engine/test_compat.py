"""What is changed in MMEngine holds for whoever imports ``fzmm.register``."""

import sys

from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.runner import checkpoint

import fzmm.register  # noqa: F401

BRACES = st.lists(
    st.sampled_from(["{", "{{", "}}", "\\", "'", '"', "$HOME:x", "fileDirname", "_base_.a", " "])
).map("".join)


@given(name=BRACES)
def test_a_dumped_config_gives_back_its_strings(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("dump") / "config.py"
    Config(dict(classes=(name, f"{{{{ {name} }}}}"), nested=[dict(name=name)])).dump(path)
    again = Config.fromfile(path)
    assert again.classes == (name, f"{{{{ {name} }}}}")
    assert again.nested[0].name == name
    assert "{{" not in path.read_text()


def test_imagenet_s_weights_are_found_without_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # as where it is not installed
    urls = []
    monkeypatch.setattr(checkpoint, "load_from_http", lambda url, **_: urls.append(url))
    checkpoint.CheckpointLoader.load_checkpoint("torchvision://resnet50")
    assert urls == ["https://download.pytorch.org/models/resnet50-0676ba61.pth"]
