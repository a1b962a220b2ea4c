import json

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.figures import FIGURES, map_by_stages, style
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic

BY_AMOUNT = [entry for entry in FIGURES if entry.by_amount]
POINTS = ([100_000, 200_000, 250_000], [0.2, 0.3, 0.29], [0.2, 0.4, 0.5])


def named(root, name, record):
    """Write runs of three scenarios whose training set has any name."""
    for k in (0, 3, 5):
        folder = synthetic.write_run(
            root / str(k), "coco50", k, evaluations=POINTS, interval=99_000
        )
        path = folder / "provenance.json"
        changed = json.loads(path.read_text()) | record(name)
        path.write_text(json.dumps(changed))


def test_every_figure_has_its_own_key_title_and_words():
    assert len({entry.key for entry in FIGURES}) == len({entry.title for entry in FIGURES})
    assert all(entry.needs and entry.caption.endswith(".") for entry in FIGURES)


@pytest.mark.parametrize("name", ["\ud800", "$x^2$", "\x1b[31m", "日本", "a" * 500])
def test_any_name_can_be_drawn(tmp_path, name):
    named(tmp_path, name, lambda n: {"study": {"dataset": n, "data_amount": n, "fraction": 0.5}})
    (conclusions,) = conclude(cohorts(read_runs(tmp_path)))
    drawn = [entry.draw(conclusions) for entry in BY_AMOUNT]
    for index, figure in enumerate(figure for figure in drawn if figure):
        figure.savefig(tmp_path / f"{index}.svg")


def test_many_data_amounts_give_a_few_panels(tmp_path, monkeypatch):
    names = [f"own{index}" for index in range(20)]
    monkeypatch.setattr(synthetic, "FRACTIONS", {n: 1 - i / 25 for i, n in enumerate(names)})
    monkeypatch.setattr(synthetic, "IMAGES", {n: 5000 - 100 * i for i, n in enumerate(names)})
    for name in names:
        for k in (1, 3, 5):
            synthetic.write_run(
                tmp_path, name, k, dataset="own", evaluations=POINTS, interval=100_000
            )
    (conclusions,) = conclude(cohorts(read_runs(tmp_path)))
    for entry in BY_AMOUNT:
        figure = entry.draw(conclusions)
        if figure is not None:
            assert len(figure.axes) <= style.MOST_AMOUNTS
    assert style.limited(names)[0] == "own0" and style.limited(names)[-1] == "own19"


@pytest.mark.parametrize("dataset", ["own", "coco"])
def test_best_map_has_intervals_once_runs_were_repeated(tmp_path, dataset):
    def bars():
        (conclusions,) = conclude(cohorts(read_runs(tmp_path)))
        (axis,) = map_by_stages.draw(conclusions).axes
        lines = [line for line in axis.lines if len(set(line.get_xdata())) == 1]
        return {line.get_xdata()[0]: sorted(line.get_ydata()) for line in lines}

    for k in (1, 5):
        synthetic.write_run(tmp_path, "coco50", k, dataset=dataset, evaluations=POINTS)
    assert set(bars()) == ({1, 5} if dataset == "coco" else set())  # the thesis's noise stands in
    higher = (POINTS[0], [0.2, 0.32, 0.3], POINTS[2])
    synthetic.write_run(tmp_path, "coco50", 5, dataset=dataset, evaluations=higher, seed=1)
    (low, high) = bars()[5]
    assert low < 30 < 32 < high and (low + high) / 2 == pytest.approx(31)
