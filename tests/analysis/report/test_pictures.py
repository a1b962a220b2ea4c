"""The pictures of a report: which, where, how large, and what happens without the images."""

import base64
import re
import shutil
import subprocess
import sys
from html import unescape

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.conclusions.scenario_pair import NEXT_BEST, scenario_pair
from fzmm.analysis.figures.pictures.amount_pictures import MOST_BYTES
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report import sections
from fzmm.analysis.report.detections import page_pictures
from fzmm.analysis.report.detections.page_pictures import PagePictures
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.errors import UserError
from fzmm.predictions import FILE_NAME, read_predictions, write_predictions
from tests.analysis.detections.scenes import scene
from tests.analysis.detections.study import write_images, write_study

HOSTILE = '"><img src=x onerror=alert(1)>\u202e.jpg'
DEEP = "sub/folder/two.png"
WIDE = 0.9  # a margin with which the scenario that freezes everything is recommended


@pytest.fixture(scope="module", autouse=True)
def no_figures():
    """Drawing figures is most of a report's time, and none is looked at here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "FIGURES", ())
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Runs of three scenarios, and images with names that would be markup, and in folders."""
    root = tmp_path_factory.mktemp("pictures")
    coco = scene(4, images=20)
    coco["images"][0]["file_name"] = HOSTILE
    coco["images"][1]["file_name"] = DEEP
    runs = write_study(root, coco, images=root / "images", stages=(5, 3, 0))
    write_images(root / "images", coco)
    for path in runs.glob("*frozen4/*/" + FILE_NAME):  # what freezes most sees nothing in the first
        predictions = read_predictions(path.parent)
        seen = predictions.image_ids != coco["images"][0]["id"]
        write_predictions(path.parent, predictions[seen])
    return root


@pytest.fixture(scope="module")
def page(study):
    return write_report(study / "runs", study / "out", margin=WIDE)


@pytest.fixture(scope="module")
def conclusions(study):
    (one,) = conclude(cohorts(read_runs([study / "runs"], [])), margin=WIDE)
    return one


@pytest.fixture
def moved(study, tmp_path):
    """The images, elsewhere than the runs say."""
    folder = tmp_path / "moved"
    shutil.move(study / "images", folder)
    yield folder
    shutil.move(folder, study / "images")


def jpegs(text):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    return [base64.b64decode(one) for one in found]


def section(text):
    part = re.search(r'<details class="part" id="pictures".*?</details>', text, re.S)[0]
    return " ".join(part.split())


def test_sixteen_pictures_and_a_larger_one_of_each_beside_the_page(page):
    text = page.read_text()
    assert len(jpegs(text)) == 16 and all(len(data) <= MOST_BYTES for data in jpegs(text))
    part = section(text)
    assert part.index("Where they differ most") < part.index("Where they agree")
    links = re.findall(r'href="(pictures/[^"]+)"', part)
    assert links == [f"pictures/1-{number:02}.jpg" for number in range(1, 17)]
    for link in links:
        assert (page.parent / link).read_bytes()[:3] == b"\xff\xd8\xff"
        assert (page.parent / link).stat().st_size > 20_000
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', part)
    assert len(set(alts)) == 16 and all("ground truth" in alt for alt in alts)
    assert '<a href="#pictures">' in text


def test_the_image_that_one_scenario_is_blind_to_comes_first_and_its_name_is_no_markup(page):
    text = page.read_text()
    part = section(text)
    assert "The recommended scenario, frozen_stages=4, beside unfrozen" in part
    first = unescape(re.search(r"<figcaption>(.*?)</figcaption>", part, re.S)[1])
    assert first.startswith(f"<code><bdi>{HOSTILE}</bdi></code>: frozen_stages=4 finds 0 of ")
    assert "; unfrozen finds " in first
    assert "<img src=x" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_where_unfrozen_is_recommended_the_next_best_stands_beside_it(study):
    (strict,) = conclude(cohorts(read_runs([study / "runs"], [])), margin=1e-6)
    pair = scenario_pair(strict, strict.detections[0])
    assert (pair.first, pair.second, pair.reason) == (5, 3, NEXT_BEST)
    assert pair.runs[0].run.seed == pair.runs[1].run.seed == 0


def test_moved_images_are_told_in_a_line_and_found_by_their_folder(study, moved, tmp_path):
    out = tmp_path / "out"
    text = write_report(study / "runs", out).read_text()
    assert not jpegs(text) and not (out / "pictures").exists()
    part = section(text)
    assert "16 pictures are missing: " in part and "is not here" in part
    assert "name their folder: <code>--images DIR</code>" in part
    arguments = ["-m", "fzmm", "report", study / "runs", "--out", out, "--images", moved]
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(jpegs((out / "index.html").read_text())) == 16


def test_moved_images_without_their_folders_are_found_by_their_names(conclusions, moved):
    (moved / DEEP).rename(moved / "two.png")
    (drawn,) = PagePictures(moved).of(conclusions, "")
    (moved / "two.png").rename(moved / DEEP)
    assert not drawn.missing and len(drawn.different) + len(drawn.alike) == 16
    with pytest.raises(UserError, match="--images .*no folder"):
        PagePictures(moved / "nothing")


def test_an_unreadable_image_costs_its_picture_alone(study, conclusions):
    image = study / "images" / HOSTILE
    whole = image.read_bytes()
    try:
        image.write_bytes(b"no image")
        (drawn,) = PagePictures().of(conclusions, "")
    finally:
        image.write_bytes(whole)
    assert len(drawn.different) == 11 and len(drawn.alike) == 4
    assert drawn.missing == 1 and drawn.why == f"{image} cannot be read"


def test_no_images_leaves_none_and_removes_those_of_an_earlier_report(study, tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in ("1-01.jpg", "2-1-16.jpg", "own.jpg"):
        (tmp_path / "pictures" / name).write_bytes(b"earlier")
    text = write_report(study / "runs", tmp_path, no_images=True).read_text()
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["own.jpg"]
    assert not jpegs(text) and 'id="pictures"' not in text and "onerror" not in text
    assert "left out as asked for (<code>--no-images</code>)" in text
    both = ["report", "x", "--out", "y", "--images", "z", "--no-images"]
    command = [sys.executable, "-m", "fzmm", *both]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "not allowed with" in done.stderr


def test_a_page_has_room_for_six_data_amounts_and_says_what_it_leaves_out(tmp_path, monkeypatch):
    assert page_pictures.MOST_PICTURES >= 6 * 16
    assert page_pictures.MOST_PICTURES * MOST_BYTES * 4 / 3 <= 8_000_000  # of the page's 15 MB
    coco, images = scene(4, images=16), tmp_path / "images"
    amounts = ("coco100", "coco50")
    runs = write_study(tmp_path, coco, seeds=1, stages=(5, 0), amounts=amounts, images=images)
    write_images(images, coco)
    monkeypatch.setattr(page_pictures, "MOST_PICTURES", 20)
    text = write_report(runs, tmp_path / "out").read_text()
    assert len(jpegs(text)) == 16
    assert "no room for the pictures of coco50; a report of those runs alone" in text


def test_a_report_without_predictions_says_what_pictures_need(tmp_path):
    runs = write_study(tmp_path, scene(4, images=8), seeds=1, stages=(5, 0))
    for path in runs.rglob(FILE_NAME):
        path.unlink()
    text = write_report(runs, tmp_path / "out").read_text()
    assert "Pictures of validation images: need kept predictions" in text
