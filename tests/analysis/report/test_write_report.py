import csv
import json
import re
from html.parser import HTMLParser

import pytest

from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.report.write_report import write_report
from fzmm.errors import UserError
from tests.analysis import synthetic

FIGURES_OF_THE_THESIS = {
    "repeats": "Figure 8",
    "subset-variations": "Figure 9",
    "best-last-map": "Figure 10",
    "train-val-3-trainable": "Figure 11",
    "train-val-0-trainable": "Figure 12",
    "training-time": "Figure 13",
    "map-curves": "Figure 14",
    "map-by-share": "Figure 16",
    "pretrained-scratch": "Figure 17",
}


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.tags, self.sources, self.text = [], [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.add(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if tag == "a" else []
        self.sources += [attrs["src"]] if "src" in attrs else []

    def handle_data(self, data):
        self.text.append(data)


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report([study], tmp_path_factory.mktemp("report") / "out")


def test_every_figure_of_the_thesis(report):
    text = report.read_text()
    for key, reference in FIGURES_OF_THE_THESIS.items():
        assert f'id="{key}"' in text and f"thesis: {reference}" in text
        png = (report.parent / "figures" / f"{key}.png").read_bytes()
        svg = (report.parent / "figures" / f"{key}.svg").read_text()
        assert png.startswith(b"\x89PNG") and len(png) > 5000
        assert svg.lstrip().startswith("<?xml") and "<script" not in svg


def test_every_table(report):
    text = report.read_text()
    for key in (
        "decay-gain",
        "gap",
        "scenario-spread",
        "spread-repeats",
        "spread-subsets",
        "data-amounts",
    ):
        assert f'id="{key}"' in text
    assert "thesis: Table 1" in text and "thesis: Table 2" in text


def test_the_page_stands_alone(report):
    page = page_of(report)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert len(page.sources) >= len(FIGURES_OF_THE_THESIS)
    assert "@import" not in report.read_text() and "url(" not in report.read_text()
    assert report.stat().st_size < 3_000_000


def test_every_link_leads_somewhere(report):
    page = page_of(report)
    assert len(page.ids) == len(set(page.ids))
    assert len(page.links) > 200
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


def test_the_answer_comes_first(report):
    text = " ".join("".join(page_of(report).text).split())
    answer = text[: text.index("The five findings")]
    for part in (
        "Freeze the stem and stage 1",
        "frozen_stages=1",
        "less training time",
        "stop at iteration",
        "Would more data help?",
        "How sure is this?",
        "The noise is measured",
        "0.4 pp",
    ):
        assert part in answer, part


def test_runs_csv_and_summary(report):
    with open(report.parent / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 43
    by_name = {row["run"]: row for row in rows}
    assert float(by_name["coco100_unfrozen/seed0"]["best"]) == pytest.approx(0.377)
    assert by_name["coco100_scratch/seed0"]["initialisation"] == "scratch"
    summary = json.loads((report.parent / "summary.json").read_text())
    assert summary["schema"] == 1 and len(summary["runs"]) == 43 and summary["notes"] == []
    first = summary["cohorts"][0]
    assert [item["data_amount"] for item in first["recommendations"]] == [
        "coco100",
        "coco50",
        "coco25-1",
        "coco25-2",
        "coco25-3",
    ]
    assert [item["verdict"] for item in first["findings"]] == ["holds here"] * 5
    gains = first["tables"]["decay-gain"]
    assert gains["rows"][0][1:] == gains["thesis"][0][1:]


def test_the_same_runs_give_the_same_page(report, study, tmp_path):
    again = write_report([study], tmp_path)
    assert again.read_bytes() == report.read_bytes()


def test_what_is_missing_comes_with_commands(tmp_path):
    for k in (3, 5):
        synthetic.write_run(tmp_path / "runs", "coco50", k, split=False)
    text = write_report(tmp_path / "runs", tmp_path / "out").read_text()
    assert "bash tools/dist_train.sh configs/fz/coco50_frozen2.py 4" in text
    assert "bash tools/dist_train.sh configs/fz/coco100_scratch.py 4" in text
    assert "configs/fz/coco50_frozen1.py 4</pre>" not in text
    assert "coco50_frozen1/seed1 --cfg-options randomness.seed=1" in text
    assert "The noise is unknown" in text and "stands in" in text
    missing = text[text.index('id="missing"') :]
    for part in ("Figure 11", "Figure 12", "Figure 8", "Figure 9", "Figure 16", "Figure 17"):
        assert part in missing, part


def test_toy_commands(tmp_path):
    for k in (2, 5):
        points = ([100_000, 250_000], [0.2, 0.3], [0.2, 0.4])
        synthetic.write_run(tmp_path / "runs", "toy100", k, dataset="toy", evaluations=points)
    text = write_report(tmp_path / "runs", tmp_path / "out").read_text()
    assert "python tools/train.py configs/toy/toy100_frozen4.py" in text
    assert "configs/toy/toy25_unfrozen.py" in text and "dist_train" not in text


def test_an_installed_package_names_its_own_commands(tmp_path, monkeypatch):
    monkeypatch.setattr("fzmm.paths.ROOT", tmp_path)  # has no tools/, as site-packages
    for k in (2, 5):
        points = ([100_000, 250_000], [0.2, 0.3], [0.2, 0.4])
        synthetic.write_run(tmp_path / "toy", "toy100", k, dataset="toy", evaluations=points)
    synthetic.write_run(tmp_path / "coco", "coco50", 5, split=False)
    text = write_report(tmp_path / "toy", tmp_path / "out").read_text()
    assert "fzmm train fzmm::toy/toy100_frozen4.py" in text
    coco = write_report(tmp_path / "coco", tmp_path / "out").read_text()
    assert "mim train fzmm coco50_frozen2.py --gpus 4 --launcher pytorch" in coco
    assert not re.search("(python|bash) tools/", text + coco)


def test_runs_left_out_are_named(tmp_path):
    for place, shift in (("a", 0.0), ("b", 0.1)):
        synthetic.write_run(tmp_path / "runs" / place, "coco50", 0, shift=shift)
    reason = r"b[^:]*: left out of every mean: [^:]* has the same config and seed"
    page = write_report(tmp_path / "runs", tmp_path / "out").read_text()
    assert len(re.findall(reason, page[page.index('id="notes"') :])) == 1
    assert len(re.findall(reason, recommendation_text([tmp_path / "runs"], 0.004, False))) == 1


def test_one_run(tmp_path):
    synthetic.write_run(tmp_path / "runs", "coco50", 3)
    page = write_report(tmp_path / "runs", tmp_path / "out")
    assert "No answer yet" in page.read_text()
    assert all(link[1:] in page_of(page).ids for link in page_of(page).links)


def test_markup_in_names_stays_text(tmp_path):
    nasty = "<script>alert(1)</script>&\"'$x$ | é"
    root = tmp_path / "runs"
    for k in (3, 5):
        folder = synthetic.write_run(root / "<b>bold", "coco50", k, name=f"n{k}<img src=x>$a_b$")
        path = folder / "provenance.json"
        record = json.loads(path.read_text())
        record["study"] = {"dataset": nasty, "data_amount": nasty, "fraction": 0.5}
        record["train"]["ann_file"] = record["stop_reason"] = nasty
        record["sessions"][0]["command"] = nasty
        record["sessions"][0]["versions"] = {nasty: nasty}
        record["sessions"][0]["devices"] = [nasty]
        path.write_text(json.dumps(record))
    out = tmp_path / "out"
    text = write_report(root, out).read_text()
    assert not Page(text).tags & {"script", "img src=x", "b>bold"}
    assert "<script" not in text and "<img src=x" not in text and "<b>bold" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert json.loads((out / "summary.json").read_text())["runs"][0]["data_amount"] == nasty


def test_unfinished_runs_are_marked_and_left_out(tmp_path):
    root = tmp_path / "runs"
    for k in (3, 5):
        synthetic.write_run(root, "coco50", k)
    synthetic.write_run(root, "coco50", 3, seed=1, shift=5, until=200_000)
    text = write_report(root, tmp_path / "out").read_text()
    assert "unfinished: iteration 200,000 of 381,108" in text
    assert "left out of every mean" in text and "best mAP <b>31.8</b>" in text


def test_bad_logs_are_notes(tmp_path):
    root = tmp_path / "runs"
    for k in (3, 5):
        synthetic.write_run(root, "coco50", k)
    for name, content in (("empty", b""), ("rubbish", b"\xff\x00\x01" * 99)):
        data = root / name / "20260101_000000" / "vis_data"
        data.mkdir(parents=True)
        (data / "scalars.json").write_bytes(content)
    (root / "plain").mkdir()
    text = write_report([root, root / "plain"], tmp_path / "out").read_text()
    notes = text[text.index("notes") :]
    assert "the log is empty" in notes and "not a JSON-lines log" in notes
    assert "no log of MMEngine below it" in notes


def test_many_unrelated_runs_make_a_short_page(tmp_path):
    for i in range(25):
        data = tmp_path / "runs" / f"r{i}" / "20260101_000000" / "vis_data"
        data.mkdir(parents=True)
        (data / "scalars.json").write_text(
            f'{{"loss": {i}, "step": 5}}\n{{"coco/bbox_mAP": 0.2, "step": 5}}\n'
        )
    page = write_report(tmp_path / "runs", tmp_path / "out")
    assert len(re.findall("set-up-", page.read_text())) >= 25
    assert "25 groups that are not comparable" in page.read_text()


def test_names_that_are_not_unicode_and_huge_numbers(tmp_path):
    folder = synthetic.write_run(tmp_path / "runs", "coco50", 3)
    path = folder / "provenance.json"
    record = json.loads(path.read_text())
    record["sessions"][0]["command"] = "\ud800"
    record["train"]["images"] = record["seed"] = 10**30
    path.write_text(json.dumps(record))
    folder.rename(tmp_path / "runs" / "\udcff")
    page = write_report(tmp_path / "runs", tmp_path / "out")
    summary = json.loads((page.parent / "summary.json").read_text())
    assert summary["runs"][0]["command"] == "?" and summary["runs"][0]["train_images"] is None
    assert summary["runs"][0]["seed"] == 0  # of the config


def test_an_output_that_cannot_be_written(tmp_path):
    synthetic.write_run(tmp_path / "runs", "coco50", 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(tmp_path / "runs", tmp_path / "file")


def test_a_run_without_any_map_is_left_out(tmp_path):
    root = tmp_path / "runs"
    for k in (3, 5):
        synthetic.write_run(root, "coco50", k)
    nothing = ([100_000, 200_000], [-1, -1], [-1, -1])  # no ground truth in the validation file
    synthetic.write_run(root, "coco50", 0, evaluations=nothing)
    text = write_report(root, tmp_path / "out").read_text()
    assert "best mAP <b>31.8</b>" in text and "coco50_frozen4" in text
    alone = write_report(root / "coco50_frozen4", tmp_path / "alone").read_text()
    assert "No answer yet" in alone
