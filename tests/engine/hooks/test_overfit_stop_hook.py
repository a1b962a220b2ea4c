"""A training that only overfits ends, and no other."""

import json

import pytest

from fzmm.errors import UserError
from tests.engine.scripted import train_scripted

DECAY = [dict(type="MultiStepLR", by_epoch=False, milestones=[8], gamma=0.1)]

VAL = [0.2, 0.3, 0.25, 0.28, 0.35, 0.34, 0.335, 0.33, 0.32, 0.31, 0.3, 0.29]

FALLS_BEHIND = [dict(type="OverfitStopHook", patience=3, margin=0.01)]


def test_overfitting_stops_after_the_decay(tmp_path):
    split = [0.3 + 0.02 * number for number in range(12)]
    hooks = [dict(type="ScriptedTrainSplit", values=split), *FALLS_BEHIND]
    runner, _ = train_scripted(tmp_path / "run", VAL, DECAY, hooks)
    # decayed after 8; best 0.35 at 10; 0.335, 0.33, 0.32 at 14, 16, 18 are 0.01 below it
    assert runner.iter == 18
    reason = json.loads((tmp_path / "run/provenance.json").read_text())["stop_reason"]
    assert "its best 0.350 (iteration 10) for 3 evaluations" in reason
    assert "rose from 0.420 to 0.460" in reason
    # and the same when it is resumed in between
    train_scripted(tmp_path / "again", VAL, DECAY, hooks, max_iters=14)
    runner, _ = train_scripted(tmp_path / "again", VAL, DECAY, hooks, resume=True)
    assert runner.iter == 18


@pytest.mark.parametrize(
    ("split", "schedulers"),
    [
        ([0.4] * 12, DECAY),  # the training images are not learned better either
        ([0.3 + 0.02 * n for n in range(12)], []),  # the decay that may lift it is to come
    ],
)
def test_no_stop(split, schedulers, tmp_path):
    hooks = [dict(type="ScriptedTrainSplit", values=split), *FALLS_BEHIND]
    runner, _ = train_scripted(tmp_path / "run", VAL, schedulers or None, hooks)
    assert runner.iter == 24
    assert json.loads((tmp_path / "run/provenance.json").read_text())["stop_reason"] is None


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (dict(type="OverfitStopHook"), "needs a TrainSplitMetricHook"),
        (dict(type="PlateauStopHook"), "needs a BestMetricPlateauLR"),
    ],
)
def test_rule_without_what_it_looks_at(hook, message, tmp_path):
    with pytest.raises(UserError, match=message):
        train_scripted(tmp_path / "run", VAL, DECAY, [hook])
