"""Plateaus of the validation mAP decay the learning rate, and end the training at last."""

import json

import pytest

from tests.engine.scripted import train_scripted

PLATEAU = [dict(type="BestMetricPlateauLR", window=5)]

STOP = [dict(type="PlateauStopHook")]

RISING = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.306, 0.312, 0.318, 0.325]

SCRIPT = RISING + [0.325] * 5 + [0.33, 0.32, 0.33, 0.331, 0.334] + [0.3] * 30


def test_plateaus_decay_twice_and_then_stop(tmp_path):
    runner, rates = train_scripted(tmp_path / "run", SCRIPT, PLATEAU, STOP)
    # the first plateau is seen at evaluation 14 (0.325 against 0.318 at 9), the second at 19 (0.331
    # is less than 3% above 0.325), the third, which ends it, at 24
    assert runner.iter == 48
    decays = [step for step in sorted(rates) if step > 1 and rates[step] < rates[step - 1]]
    assert decays == [29, 39]
    assert rates[48] == pytest.approx(0.01)
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert record["finished"] is True
    assert record["stop_reason"].startswith("coco/bbox_mAP rose by no more than 3% over 5")


@pytest.mark.parametrize("stopped_at", [24, 28, 38, 46])
def test_plateaus_survive_resuming(stopped_at, tmp_path):
    _, whole = train_scripted(tmp_path / "whole", SCRIPT, PLATEAU, STOP)
    train_scripted(tmp_path / "run", SCRIPT, PLATEAU, STOP, max_iters=stopped_at)
    runner, rates = train_scripted(tmp_path / "run", SCRIPT, PLATEAU, STOP, resume=True)
    assert rates == whole
    runner, _ = train_scripted(tmp_path / "run", SCRIPT, PLATEAU, STOP, resume=True)
    assert runner.iter == 48  # ended is ended
