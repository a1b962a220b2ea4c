"""The page of the data in a browser, at a desktop's and a phone's width."""

import json
import re
import shutil
import subprocess

import pytest

from tests.study.data_page.pages import make_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium")

# A frame as wide as a phone lays the page out as the phone does; a window cannot be as narrow.
FRAME = """<!doctype html>
<iframe id="page" src="data.html" style="border:0;width:%dpx;height:800px"></iframe><script>
document.getElementById("page").onload = (event) => {
  const page = event.target.contentDocument, root = page.documentElement;
  const off = (frame) => {
    const image = frame.querySelector("img").getBoundingClientRect();
    const boxes = frame.querySelector("svg").getBoundingClientRect();
    return Math.max(Math.abs(image.width - boxes.width), Math.abs(image.height - boxes.height),
      Math.abs(image.left - boxes.left), Math.abs(image.top - boxes.top));
  };
  const frames = [...page.querySelectorAll(".frame")];
  const report = {
    width: root.scrollWidth, pictures: page.images.length,
    broken: [...page.images].filter((image) => image.naturalWidth === 0).length,
    unnamed: page.querySelectorAll("img:not([alt]), th:not([scope])").length,
    off: Math.max(...frames.map(off)),
    narrow: Math.min(...frames.map((frame) => frame.getBoundingClientRect().width)),
    bars: [...page.querySelectorAll("td .bar")].filter((bar) => bar.offsetWidth > 20).length,
  };
  const text = document.createElement("pre");
  text.id = "report";
  text.textContent = JSON.stringify(report);
  document.body.append(text);
};
</script>"""


@pytest.fixture(scope="module")
def page(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    return make_page(tiny_data, folder, fractions=(1, 0.5), variations=1)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_boxes_lie_on_their_images(page, width, tmp_path):
    frame = page.parent / f"frame{width}.html"
    frame.write_text(FRAME % width)
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        + [f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom"]
        + [frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
    )
    measured = re.search('<pre id="report">(.*?)</pre>', done.stdout)
    assert measured, done.stderr[-2000:]
    report = json.loads(measured[1])
    assert report["width"] <= width, "something is wider than the screen"
    assert report["pictures"] == 12 + 6 + 6
    assert report["broken"] == report["unnamed"] == 0
    assert report["off"] < 1, "boxes do not lie on their image"
    assert report["narrow"] > 120 and report["bars"] > 5
