"""EfficientNet-Lite0: its ImageNet weights, its stages, and what it saves where it is frozen."""

import cv2
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.runner import CheckpointLoader
from sklearn.datasets import load_sample_image

from fzmm.errors import UserError
from fzmm.scenarios import FROZEN_STAGES

from ..conftest import randomise_norms
from .comparison import assert_same

IMAGENET = "efficientnet-lite0://imagenet"
# Rounding puts one of ten thousand values on the other side of a ReLU6, which is 1% of a gradient.
ONE_FLIP = dict(rtol=0.03, output_rtol=1e-5)


def build(kind="EfficientNetLite0", **kwargs):
    return MODELS.build(dict(type=kind, **kwargs))


def pretrained(kind="EfficientNetLite0", **kwargs):
    model = build(kind, init_cfg=dict(type="Pretrained", checkpoint=IMAGENET), **kwargs)
    model.init_weights()
    return model


def pair(**kwargs):
    torch.manual_seed(0)
    stock = randomise_norms(build(**kwargs))
    fast = build("FrozenAwareEfficientNetLite0", **kwargs)
    fast.load_state_dict(stock.state_dict())
    return stock.train(), fast.train()


def image(name):
    """A photograph's middle, as the network was evaluated on ImageNet."""
    picture = load_sample_image(name)
    height, width = picture.shape[:2]
    side, left = height, (width - height) // 2
    picture = cv2.resize(picture[:, left : left + side], (224, 224), interpolation=cv2.INTER_CUBIC)
    return (torch.from_numpy(picture).permute(2, 0, 1)[None].float() - 127) / 128


def classify(backbone, x):
    """ImageNet's classes, the likeliest first, by the head that the weights come with."""
    weights = CheckpointLoader.load_checkpoint(IMAGENET)
    x = F.conv2d(backbone(x)[-1], weights["_conv_head.weight"])
    norm = [weights[f"_bn1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
    x = F.relu6(F.batch_norm(x, *norm, eps=1e-3)).mean((2, 3))
    return F.linear(x, weights["_fc.weight"], weights["_fc.bias"])[0].argsort(descending=True)


@pytest.mark.parametrize("kind", ["EfficientNetLite0", "FrozenAwareEfficientNetLite0"])
def test_imagenet_weights_know_a_palace_and_a_daisy(kind):
    backbone = pretrained(kind).eval()
    with torch.no_grad():
        china, flower = (classify(backbone, image(name)) for name in ("china.jpg", "flower.jpg"))
    palace, bell_cote, monastery, daisy = 698, 442, 663, 985
    assert set(china[:3].tolist()) == {palace, bell_cote, monastery}
    assert flower[0] == daisy


def test_every_weight_has_its_real_key():
    backbone = build()
    missing, unexpected = backbone.load_state_dict(
        CheckpointLoader.load_checkpoint(IMAGENET), strict=False
    )
    assert not missing
    assert {key.split(".")[0] for key in unexpected} == {"_conv_head", "_bn1", "_fc"}


def test_another_checkpoint_of_the_scheme_is_refused():
    with pytest.raises(UserError, match="efficientnet-lite0://imagenet is the one there is"):
        CheckpointLoader.load_checkpoint("efficientnet-lite0://coco")


@pytest.mark.parametrize("size", [(64, 96), (200, 200), (75, 53)])
def test_maps_of_four_strides(size):
    stock, fast = pair()
    x = torch.randn(1, 3, *size)
    for model in (stock, fast):
        outs = model(x)
        assert [out.shape[1] for out in outs] == [24, 40, 112, 320]
        for out, stride in zip(outs, (4, 8, 16, 32), strict=True):
            assert out.shape[2:] == tuple(-(-side // stride) for side in size)
    assert_same(stock, fast, x, **ONE_FLIP)


@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
@pytest.mark.parametrize("trained_norms", [True, False])
def test_same_outputs_and_gradients(frozen_stages, trained_norms):
    stock, fast = pair(frozen_stages=frozen_stages, norm_cfg=dict(requires_grad=trained_norms))
    x = torch.randn(1, 3, 64, 96)
    assert_same(stock, fast, x, **ONE_FLIP)
    stock.zero_grad(), fast.zero_grad()
    assert_same(stock.double(), fast.double(), x.double(), rtol=1e-9)


def test_live_batch_norm_is_not_folded():
    stock, fast = pair(frozen_stages=1, norm_eval=False)
    assert_same(stock.double(), fast.double(), torch.randn(4, 3, 64, 64).double(), rtol=1e-8)
    assert fast._blocks[15]._bn2.num_batches_tracked == 1
    assert fast._blocks[2]._bn2.num_batches_tracked == 0


def test_frozen_prefix_has_no_graph():
    _, fast = pair(frozen_stages=2)
    outs = fast(torch.randn(1, 3, 64, 64))
    assert [out.requires_grad for out in outs] == [False, False, True, True]


def test_random_weights_neither_vanish_nor_explode():
    torch.manual_seed(0)
    backbone = build()
    backbone.init_weights()
    with torch.no_grad():
        last = backbone.train()(torch.randn(2, 3, 64, 64))[-1]
    assert 0.01 < last.std() < 100


@pytest.mark.parametrize("wrong", [dict(frozen_stages=5), dict(out_indices=(4,))])
def test_stages_that_are_not_there(wrong):
    with pytest.raises(ValueError, match=r"must be"):
        build(**wrong)
