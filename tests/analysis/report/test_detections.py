"""What a report says of kept predictions: classes, sizes, other images, kinds of errors."""

import json
import re

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.predictions import FILE_NAME
from tests.analysis.detections.scenes import scene
from tests.analysis.detections.study import write_images, write_study

HOSTILE = ["<script>alert(1)</script>", "$\\frac{1}$ | a", "=cmd()\x1b[31m", '"><img src=x>\u202e']


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("detections")
    coco = scene(3, images=60)
    for category, name in zip(coco["categories"], HOSTILE, strict=True):
        category["name"] = name
    return write_report(write_study(root, coco), root / "out")


def test_classes_sizes_and_errors_are_shown_and_names_are_no_markup(page):
    text = page.read_text()
    for key in ("ap-by-class", "error-kinds", "precision-recall", "size-ap", "class-ap-1"):
        assert f'<section id="{key}">' in text
    assert "<script>" not in text and "<img src=x>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert (page.parent / "figures/ap-by-class.png").stat().st_size > 10_000
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_the_answer_says_how_sure_it_is_for_these_images(page):
    summary = json.loads((page.parent / "summary.json").read_text())
    (recommendation,) = summary["cohorts"][0]["recommendations"]
    noise = recommendation["validation_images"]
    assert noise["images"] == 60
    assert 0.005 < noise["best_map_standard_error"] < 0.06
    assert noise["largest_loss"] >= 0 and 0 < noise["probability_within_margin"] <= 1
    assert "With other validation images than these 60" in page.read_text()


def test_few_validation_images_make_an_answer_less_sure(tmp_path):
    """The mAP of the two scenarios differs little between seeds, and much between images."""
    runs = write_study(tmp_path, scene(8, images=25), seeds=3, stages=(5, 4), frozen_misses=0.01)
    (group,) = cohorts(read_runs([runs], []))
    margin = 0.02
    assert recommend(group, margin)[0].status == "shown"  # as far as seeds tell
    (conclusions,) = conclude([group], margin)
    (one,) = conclusions.recommendations
    assert one.image_noise.images == 25
    assert one.image_noise.decides and one.image_noise.largest_loss > margin
    assert one.status == "likely"
    (sure,) = conclude([group], 0.03)
    assert sure.recommendations[0].status == "shown"
    for path in runs.rglob(FILE_NAME):
        path.unlink()
    (without,) = conclude(cohorts(read_runs([runs], [])), margin)
    assert without.recommendations[0].image_noise is None and not without.detections


@pytest.mark.parametrize("damage", ["annotations", "predictions", "moved"])
def test_what_cannot_be_read_is_a_note(tmp_path, damage):
    runs = write_study(tmp_path, scene(4, images=8), seeds=1, stages=(5, 0))
    first = next(runs.rglob(FILE_NAME))
    if damage == "annotations":
        (tmp_path / "val.json").write_text("{}")
    elif damage == "moved":
        (tmp_path / "val.json").unlink()
    else:
        first.write_bytes(b"\x1f\x8bbroken")
    page = write_report(runs, tmp_path / "out")
    notes = json.loads((tmp_path / "out/summary.json").read_text())["notes"]
    named = str(first) if damage == "predictions" else "val.json"
    assert any(named in note for note in notes), notes
    assert '<section id="ap-by-class">' not in page.read_text()


def test_an_arm_is_a_scenario_of_these_tables_and_figures(tmp_path):
    arm = "lr<b>$01"
    coco = scene(3, images=40)
    images = tmp_path / "images"
    runs = write_study(tmp_path, coco, stages=(5, 0), images=images, arm=arm)
    write_images(images, coco)
    (conclusions,) = conclude(cohorts(read_runs([runs], [])), margin=0.001)
    (one,) = conclusions.detections
    assert one.in_order == [5, 0, 6] and one.reference == 5 and one.most_frozen == 0
    (recommendation,) = conclusions.recommendations
    assert recommendation.arm.name == arm  # it misses nothing
    assert recommendation.image_noise.images == 40
    text = write_report(runs, tmp_path / "out", margin=0.001).read_text()
    for key in ("size-ap", "class-ap-1"):
        table = re.search(f'<section id="{key}">.*?</section>', text, re.S)[0]
        assert "lr&lt;b&gt;$01" in table and "5 (−1)" in table and "0 (4)" in table
    assert "The recommended scenario, lr&lt;b&gt;$01, beside unfrozen" in text
    for key in ("ap-by-class", "error-kinds", "precision-recall"):
        assert (tmp_path / f"out/figures/{key}.png").stat().st_size > 10_000


def test_an_arm_alone_with_one_freezing_scenario_is_compared(tmp_path):
    runs = write_study(tmp_path, scene(3, images=20), stages=(4,), arm="lr01", seeds=1)
    (conclusions,) = conclude(cohorts(read_runs([runs], [])))
    (one,) = conclusions.detections
    assert (one.reference, one.others, one.most_frozen) == (4, [6], 6)
    write_report(runs, tmp_path / "out")
    assert (tmp_path / "out/figures/ap-by-class.png").exists()
