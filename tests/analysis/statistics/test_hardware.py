"""Times compare only on equal hardware."""

import json
import math

import pytest

from fzmm.analysis.conclusions.findings.training_time import training_time as finding
from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.analysis.statistics.hardware import (
    NOT_RECORDED,
    by_hardware,
    cohorts_by_hardware,
    hardware,
    hardware_of,
)
from tests.analysis import synthetic

CPU = ("Some CPU, 8 threads",)
ON_CPU = "4 × Some CPU, 8 threads"  # the schedule's four processes
ON_GPU = "4 × NVIDIA T4"
SLOWER = 9


def cohort_of(root):
    (cohort,) = cohorts(read_runs(root))
    return cohort


def write(root, k, seed=0, cpu=False, amount="coco50", **options):
    hours = synthetic.HOURS[k] * (SLOWER if cpu else 1)
    devices = {"devices": CPU} if cpu else {}
    return synthetic.write_run(root, amount, k, seed, hours=hours, **devices, **options)


def change_starts(folder, change):
    path = folder / "provenance.json"
    record = json.loads(path.read_text())
    change(record["sessions"])
    path.write_text(json.dumps(record))


def test_one_thread_is_one_thread_in_records_old_and_new():
    old, new = ({"devices": [f"Some CPU, 1 {word}"]} for word in ("threads", "thread"))
    assert hardware_of([old, new]) == "Some CPU, 1 thread"


def test_hardware_is_what_the_processes_ran_on(tmp_path):
    eight_seen = write(tmp_path, 0)
    change_starts(eight_seen, lambda starts: starts[0].update(devices=["A100"] * 8, world_size=1))
    write(tmp_path, 1)
    write(tmp_path, 2, provenance=False)
    moved = write(tmp_path, 3)
    change_starts(moved, lambda starts: starts.append({**starts[0], "devices": ["V100"] * 4}))
    odd = write(tmp_path, 4)
    change_starts(odd, lambda starts: starts[0].update(devices=5, world_size="x"))
    runs = read_runs(tmp_path)
    kinds = {run.trainable: hardware(run) for run in runs}
    assert kinds == {0: "A100", 1: ON_GPU, 2: NOT_RECORDED, 3: None, 4: NOT_RECORDED}
    assert list(by_hardware(runs)) == [NOT_RECORDED, ON_GPU, "A100"]


def test_savings_are_those_on_the_device_that_has_both_scenarios(tmp_path):
    for k in (3, 5):
        write(tmp_path, k)
        write(tmp_path, k, seed=1, cpu=True)
        write(tmp_path, k, seed=2, cpu=k == 3)
    (item,) = recommend(cohort_of(tmp_path))
    assert item.trainable == 3 and item.cost.several_hardware
    assert item.cost.time_ratio == pytest.approx(synthetic.HOURS[3] / synthetic.HOURS[5])
    # Each device has one run of one scenario and two of the other: the name decides.
    assert item.cost.hardware == ON_GPU
    assert item.cost.time == pytest.approx(3600 * synthetic.HOURS[3], rel=0.01)
    assert {hardware(run) for run in item.cost.runs} == {ON_GPU}


def test_no_device_with_both_scenarios_says_nothing_of_time_and_memory(tmp_path):
    for seed in range(2):
        write(tmp_path, 3, seed)
        write(tmp_path, 5, seed, cpu=True)
    (item,) = recommend(cohort_of(tmp_path))
    assert item.no_common_hardware
    assert item.cost.time_ratio is None and item.cost.memory_ratio is None
    assert item.cost.parameter_ratio == pytest.approx((18 + 4.7 * 3) / (18 + 4.7 * 5))


def test_a_run_that_changed_its_device_compares_with_nothing(tmp_path):
    write(tmp_path, 3)
    write(tmp_path, 5)
    moved = write(tmp_path, 5, seed=1, cpu=True)
    change_starts(moved, lambda starts: starts.append({**starts[0], "devices": ["V100"] * 4}))
    cohort = cohort_of(tmp_path)
    (item,) = recommend(cohort)
    assert item.cost.time_ratio == pytest.approx(synthetic.HOURS[3] / synthetic.HOURS[5])
    assert list(cohorts_by_hardware(cohort)) == [ON_GPU]


@pytest.mark.parametrize("split", ["by scenario", "by seed"])
def test_finding_3_compares_within_a_device(tmp_path, split):
    for k in range(6):
        for seed in range(4):
            on_cpu = k % 2 == 0 if split == "by scenario" else seed > 1
            write(tmp_path, k, seed, cpu=on_cpu)
    rises, stem = finding(cohort_of(tmp_path)).claims
    if split == "by scenario":  # neighbours never share a device
        assert rises.estimate is None and stem.estimate is None
        return
    assert rises.numbers["hardware"] == [ON_GPU, ON_CPU]
    for (low, high), step in rises.numbers["steps"].items():
        assert step.value == pytest.approx(synthetic.HOURS[high] / synthetic.HOURS[low] - 1)
        # The noise is that of equal repeats, not the ratio of the two devices.
        assert math.isclose(step.low, step.high, abs_tol=1e-6)
