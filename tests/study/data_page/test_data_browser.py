"""The page of the data in a browser, at a desktop's and a phone's width."""

import pytest

from tests.browser import measure, needs_chromium
from tests.study.data_page.pages import make_page

pytestmark = needs_chromium

SCRIPT = """
  const off = (frame) => {
    const image = frame.querySelector("img").getBoundingClientRect();
    const boxes = frame.querySelector("svg").getBoundingClientRect();
    return Math.max(Math.abs(image.width - boxes.width), Math.abs(image.height - boxes.height),
      Math.abs(image.left - boxes.left), Math.abs(image.top - boxes.top));
  };
  const frames = [...page.querySelectorAll(".frame")];
  return {
    width: page.documentElement.scrollWidth, pictures: page.images.length,
    broken: [...page.images].filter((image) => image.naturalWidth === 0).length,
    unnamed: page.querySelectorAll("img:not([alt]), th:not([scope])").length,
    off: Math.max(...frames.map(off)),
    narrow: Math.min(...frames.map((frame) => frame.getBoundingClientRect().width)),
    bars: [...page.querySelectorAll("td .bar")].filter((bar) => bar.offsetWidth > 20).length,
  };"""


@pytest.fixture(scope="module")
def page(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    return make_page(tiny_data, folder, fractions=(1, 0.5), variations=1)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_boxes_lie_on_their_images(page, width, tmp_path):
    report = measure(page, width, 800, SCRIPT, tmp_path)
    assert report["width"] <= width, "something is wider than the screen"
    assert report["pictures"] == 12 + 6 + 6
    assert report["broken"] == report["unnamed"] == 0
    assert report["off"] < 1, "boxes do not lie on their image"
    assert report["narrow"] > 120 and report["bars"] > 5
