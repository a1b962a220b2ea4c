import hashlib
import json

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.figures import FIGURES
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.class_counts import class_counts
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def annotation_file(root, amount, counts):
    path = root / f"data/coco/annotations/{amount}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["cat", "$dog$", "<b>bird</b>"]
    path.write_text(
        json.dumps(
            {
                "images": [],
                "categories": [{"id": 7 * i, "name": name} for i, name in enumerate(names)],
                "annotations": [
                    {"category_id": 7 * i} for i, n in enumerate(counts) for _ in range(n)
                ],
            }
        )
    )
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs on two data amounts whose files lie where the runs found them."""
    monkeypatch.chdir(tmp_path)
    for amount, counts in (("coco100", (40, 10, 2)), ("coco50", (20, 5, 1))):
        sha256 = annotation_file(tmp_path, amount, counts)
        synthetic.write_run(tmp_path / "runs", amount, 3, sha256=sha256)
    return tmp_path


def counted(root):
    return class_counts(cohorts(read_runs(root / "runs"))[0])


def test_counts(study):
    counts, problems = counted(study)
    assert problems == [] and counts.full_name == "coco100"
    assert counts.classes == ("cat", "$dog$", "<b>bird</b>")
    assert counts.full.tolist() == [40, 10, 2]
    assert {k: v.tolist() for k, v in counts.subsets.items()} == {"coco50": [20, 5, 1]}


def test_large_files_are_counted_the_same_way(study, monkeypatch):
    (expected, _) = counted(study)
    monkeypatch.setattr("fzmm.analysis.statistics.class_counts._LARGE", 10)
    counts, problems = counted(study)
    assert problems == [] and counts.classes == expected.classes
    assert counts.full.tolist() == expected.full.tolist()
    assert counts.subsets["coco50"].tolist() == expected.subsets["coco50"].tolist()


def test_figures(study):
    (conclusions,) = conclude(cohorts(read_runs(study / "runs")))
    drawn = {e.key: e.draw(conclusions) for e in FIGURES if e.key.startswith("class-")}
    assert len(drawn) == 2
    for name, figure in drawn.items():
        figure.savefig(study / f"{name}.png")  # a class called $dog$ must not be read as TeX
        labels = [t.get_text() for axis in figure.axes for t in axis.get_xticklabels()]
        labels += [t.get_text() for axis in figure.axes for t in axis.get_yticklabels()]
        assert r"\$dog\$" in labels


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.unlink(), "is not here"),
        (lambda path: path.write_text("{}"), "has changed since the runs"),
    ],
)
def test_files_that_are_not_what_was_trained_on(study, change, says):
    change(study / "data/coco/annotations/coco50.json")
    counts, problems = counted(study)
    assert counts.subsets == {} and len(problems) == 1 and says in problems[0]


def test_no_file_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.write_run(tmp_path / "runs", "coco50", 3, provenance=False)
    counts, problems = counted(tmp_path)
    assert counts is None and "is not here" in problems[0]


@pytest.mark.parametrize("content", ["[]", "\x00", '{"categories": 1, "annotations": 2}'])
def test_files_that_are_no_annotations(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    synthetic.write_run(tmp_path / "runs", "coco50", 3, provenance=False)
    annotation_file(tmp_path, "coco50", (1,))
    (tmp_path / "data/coco/annotations/coco50.json").write_text(content)
    counts, problems = counted(tmp_path)
    assert counts is None and "not a COCO annotation file" in problems[0]
