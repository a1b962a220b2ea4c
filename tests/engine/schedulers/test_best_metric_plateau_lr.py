"""What is a plateau, and what is not."""

import pytest
import torch

from fzmm.engine.schedulers.best_metric_plateau_lr import BestMetricPlateauLR
from fzmm.errors import UserError


def test_steady_progress_is_no_plateau():
    """Five times 0.7% are more than 3%, which ReduceOnPlateauLR's patience would not see."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = BestMetricPlateauLR(optimizer, window=5)
    for number in range(30):
        scheduler.step({"coco/bbox_mAP": 0.2 * 1.007**number})
    assert optimizer.param_groups[0]["lr"] == 1.0
    with pytest.raises(KeyError, match="coco/bbox_mAP"):
        scheduler.step({"other": 1.0})


def test_a_model_that_finds_nothing_is_a_plateau():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = BestMetricPlateauLR(optimizer, window=3)
    for _ in range(4):
        scheduler.step({"coco/bbox_mAP": -1.0})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "wrong", [dict(window=0), dict(factor=2), dict(threshold=float("nan")), dict(max_decays=-1)]
)
def test_values_that_it_cannot_work_with(wrong):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    with pytest.raises(UserError, match=f"BestMetricPlateauLR: {next(iter(wrong))} is "):
        BestMetricPlateauLR(optimizer, **wrong)
