import pytest
import torch
from mmdet.models.backbones import ResNet

from fzmm.toy.pretrain import pretrain


@pytest.fixture
def one_thread():
    """Sums of several threads may round in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_backbone_loads_into_mmdetections_resnet(one_thread, tmp_path):
    out = tmp_path / "weights.pth"
    accuracy = pretrain(out, iterations=3, seed=0, crops=320)
    assert 0 <= accuracy <= 1
    checkpoint = torch.load(out, weights_only=True)
    assert checkpoint["meta"]["accuracy"] == accuracy
    ResNet(depth=18).load_state_dict(checkpoint["state_dict"], strict=True)
    again = tmp_path / "again.pth"
    pretrain(again, iterations=3, seed=0, crops=320)
    same = torch.load(again, weights_only=True)["state_dict"]
    for key, value in checkpoint["state_dict"].items():
        assert torch.equal(value, same[key]), key
