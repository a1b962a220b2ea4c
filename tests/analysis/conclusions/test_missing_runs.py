from fzmm.analysis.conclusions.missing_runs import scenarios_to_run
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def test_only_scenarios_that_the_backbone_is_known_to_have_are_proposed(tmp_path):
    for amount, stages in (("coco50", (0, 3, 5)), ("coco25-1", (0, 5))):
        for k in stages:
            synthetic.write_run(tmp_path, amount, k, dataset="steel")
    named = scenarios_to_run(cohorts(read_runs(tmp_path))[0])
    assert any("coco50_frozen2" in line for line in named)

    synthetic.as_mobilenet(tmp_path, {0: 0, 3: 4, 5: 8})
    (line,) = scenarios_to_run(cohorts(read_runs(tmp_path))[0])
    assert "coco25-1_frozen3" in line
