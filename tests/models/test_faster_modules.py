"""Which modules stand in for which, and where."""

import pytest

from fzmm.models.faster_modules import FASTER_MODULES, use_faster_modules, use_stock_modules

from .conftest import detector_cfg


def test_stock_and_fast_modules_are_each_others_inverse():
    stock = detector_cfg().to_dict()
    fast = use_faster_modules(stock)
    assert fast["backbone"]["type"] == "FrozenAwareResNet"
    assert fast["rpn_head"]["type"] == "SampledRPNHead"
    assert fast["roi_head"]["bbox_roi_extractor"]["type"] == "GatherRoIExtractor"
    assert fast["roi_head"]["bbox_head"]["type"] == "OneDNNShared2FCBBoxHead"
    assert use_faster_modules(fast) == fast
    assert use_stock_modules(fast) == stock == detector_cfg().to_dict()


def test_another_detector_gets_contiguous_maps():
    model = use_faster_modules(dict(type="RetinaNet", backbone=dict(type="ResNet", depth=18)))
    assert model["backbone"] == dict(type="FrozenAwareResNet", depth=18)


@pytest.mark.parametrize("part", ["neck", "extractor"])
def test_so_does_one_with_other_parts_between_backbone_and_heads(part):
    """MMCV's RoIAlign, which GRoIE calls directly, misreads channels-last maps."""
    model = detector_cfg().to_dict()
    if part == "neck":
        model["neck"]["type"] = "FPN_CARAFE"
    else:
        model["roi_head"]["bbox_roi_extractor"]["type"] = "GenericRoIExtractor"
    assert "channels_last_outputs" not in use_faster_modules(model)["backbone"]


def test_only_what_was_measured_on_a_device_stands_in_there():
    stock = detector_cfg().to_dict()
    assert use_faster_modules(stock, "cpu") == use_faster_modules(stock)
    assert use_faster_modules(stock, "cuda") == stock
    assert use_faster_modules(stock, "mps") == stock


def test_the_model_of_test_time_augmentation_is_reached_through_its_wrapper():
    model = use_faster_modules(dict(type="DetTTAModel", module=detector_cfg().to_dict()), "cpu")
    assert model["module"] == use_faster_modules(detector_cfg().to_dict())
    assert model["module"]["backbone"]["channels_last_outputs"]


def test_every_pair_of_the_map_shares_its_checkpoints():
    from mmdet.registry import MODELS

    for stock, (faster, _) in FASTER_MODULES.items():
        assert issubclass(MODELS.get(faster), MODELS.get(stock))
