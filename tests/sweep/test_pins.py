"""Pinning the runs of a data amount to one kind of device."""

from pathlib import Path

import pytest

from fzmm.commands.sweep import parse, sweep_options
from fzmm.errors import UserError
from fzmm.sweep.pins import data_amount, pinned_device


def test_the_first_pattern_that_fits_decides():
    pins = {"coco25-*": "t4", "coco*": "v100"}
    devices = [
        pinned_device(Path(f"{name}.py"), pins)
        for name in ("coco25-1_unfrozen", "coco50_frozen2", "toy25_frozen2")
    ]
    assert devices == ["t4", "v100", None]


@pytest.mark.parametrize("rest", ["frozen2_rate0005", "lr01", "freeze_neck_rpn_head", "unfrozen"])
def test_arms_and_rates_are_of_their_data_amount(rest):
    assert data_amount(Path(f"my_cells25-1_{rest}.py")) == "my_cells25-1"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--executor", "ray", "--pin", "toy25"], "--pin toy25: give AMOUNT=DEVICE"),
        (["--executor", "ray", "--pin", "toy30=t4"], "--pin toy30: no config .* of toy25"),
        (["--pin", "toy25=t4"], "needs --executor ray or slurm"),
    ],
)
def test_a_pin_that_would_do_nothing_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        sweep_options(*parse(["fzmm::toy/toy25_frozen2.py", *arguments])).plan()
