"""The page in a browser, at a desktop's and a phone's width."""

import json

import pytest

from fzmm.analysis.report.write_report import write_report
from tests.analysis import synthetic
from tests.analysis.detections.scenes import detect, scene
from tests.analysis.detections.study import keep, write_images
from tests.browser import measure, needs_chromium

pytestmark = needs_chromium

SCRIPT = """
  const first = page.querySelector(".card").getBoundingClientRect();
  const folded = [...page.querySelectorAll("details.part")];
  folded.forEach((part) => { part.open = false; });
  return {
    width: page.documentElement.scrollWidth, card: first.top, parts: folded.length,
    unnamed: page.querySelectorAll("img:not([alt]), th:not([scope])").length,
    broken: [...page.images].filter((image) => image.naturalWidth === 0).length,
    pictures: page.querySelectorAll(".pictures img").length,
    turned: [...page.querySelectorAll(".pictures img")].filter(
      (image) => window.getComputedStyle(image).filter !== "none").length,
    unreached: [...page.querySelectorAll(".pictures img, summary")].filter(
      (one) => one.closest("a, summary").tabIndex < 0).length,
    unsaid: [...page.querySelectorAll("figure")].filter(
      (one) => !one.querySelector("figcaption").textContent.trim().endsWith(".")
        && !one.querySelector("figcaption .runs-link")).length,
  };"""
WIDTHS = {1280: 800, 390: 844}


def study(root, runs):
    """Write a study of 6, 54 or 90 runs: seeds 0 to 4 of six scenarios on up to three amounts.

    The first two seeds have kept predictions, so that the page has pictures, too.
    """
    coco, val, images = scene(3, images=20), root.parent / "val.json", root.parent / "images"
    val.write_text(json.dumps(coco))
    write_images(images, coco)
    amounts = ("coco100",) if runs == 6 else ("coco100", "coco50", "coco25-1")
    for amount in amounts:
        for k in range(6):
            for seed in range(runs // 6 // len(amounts)):
                folder = synthetic.write_run(
                    root, amount, k, seed, shift=0.1 * seed, interval=50_000
                )
                found = detect(coco, 10 * k + seed, misses=0.1 + 0.1 * (5 - k), ties=False)
                keep(folder, found if seed < 2 else None, val, images)
    return root


@pytest.fixture(scope="module", params=[6, 54, 90])
def page(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    return write_report(study(root / "runs", request.param), root / "out")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_and_answers_on_the_first_screen(page, width, tmp_path):
    report = measure(page, width, WIDTHS[width], SCRIPT, tmp_path)
    assert report["width"] <= width, "something is wider than the screen"
    assert report["card"] < WIDTHS[width] / 2, "the answer is not on the first screen"
    assert report["parts"] >= 4 and report["unnamed"] == 0 and report["broken"] == 0
    assert report["pictures"] >= 16 and report["turned"] == 0
    assert report["unreached"] == 0 and report["unsaid"] == 0
    assert page.stat().st_size < 15_000_000
