"""Which curve a key stands for."""

import numpy as np
import pytest

from fzmm.analysis.reading.log import Log
from fzmm.commands.plot_curve import _curve

LOG = Log(
    steps=np.array([1, 2, 3]),
    train={"loss": np.array([3.0, 2.0, 1.0])},
    eval_steps=np.array([3]),
    eval_epochs=np.array([np.nan]),
    evals={"val/loss": np.array([5.0]), "coco/bbox_mAP": np.array([0.5])},
    epochs=np.full(3, np.nan),
)


@pytest.mark.parametrize(
    ("key", "values"), [("loss", [3.0, 2.0, 1.0]), ("val/loss", [5.0]), ("bbox_mAP", [0.5])]
)
def test_loss_is_trainings_where_both_are_logged(key, values):
    assert _curve(LOG, "log.json", key, 0)[1].tolist() == values
