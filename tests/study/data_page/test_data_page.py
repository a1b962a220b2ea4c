"""The page that a new study writes of its data: numbers, pictures, names that are no markup."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from fzmm.errors import UserError
from fzmm.study.data_page.drawn_images import MOST_BYTES
from tests.study.data_page.pages import make_page
from tests.study.edited import edit

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\x1b[2J'"]


def make(data, tmp_path, **options):
    return make_page(data, tmp_path / "subsets", **options)


def pictures(page):
    """Return the pictures of a page, (text before, image)."""
    urls = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]*)"', page.read_text())
    return [(alt, Image.open(io.BytesIO(base64.b64decode(url)))) for url, alt in urls]


def numbers(page, section, row):
    """Return the numbers of a table's row."""
    table = page.read_text().split(f'<h2 id="{section}">')[1].split("</table>")[0]
    (cells,) = re.findall(rf"<tr><th[^>]*>{row}\b.*?</tr>", table, re.DOTALL)
    return [int(cell) for cell in re.findall(r"<td[^>]*>([\d,]+)(?: few)?</td>", cells)]


def test_classes_and_sizes_are_counted_for_every_part(data, tmp_path):
    page = make(data, tmp_path, fractions=[1, 0.5], variations=1)
    files = [data["train_ann"], data["val_ann"], tmp_path / "subsets/mine50.json"]
    parts = [json.loads(path.read_text()) for path in files]
    for category in parts[0]["categories"]:
        of_class = [
            sum(a["category_id"] == category["id"] for a in part["annotations"]) for part in parts
        ]
        assert numbers(page, "classes", category["name"]) == of_class
    small = [sum(32**2 <= a["area"] < 48**2 for a in part["annotations"]) for part in parts]
    assert numbers(page, "sizes", "32 to 48") == small and sum(small)


def test_each_part_shows_its_images_as_training_reads_them(data, tmp_path):
    page = make(data, tmp_path, fractions=[1, 0.5], variations=1)
    shown = pictures(page)
    assert len(shown) == 12 + 6 + 6  # the training half, half of it, the validation half
    name = shown[0][0].split(",")[0]
    stored = np.asarray(Image.open(data["train_images"] / name).convert("RGB"), float)
    assert abs(np.asarray(shown[0][1], float) - stored).mean() < 12  # JPEG's
    text = page.read_text()
    box = json.loads(data["train_ann"].read_text())["annotations"][0]["bbox"]
    assert f'x="{box[0]:.1f}" y="{box[1]:.1f}" width="{box[2]:.1f}"' in text
    assert "http://" not in text and "https://" not in text and "<script" not in text


def test_without_images_no_pixel_is_copied(data, tmp_path):
    shutil.copy(next(data["train_images"].glob("*.*")), data["val_images"] / "copy.png")
    page = make(data, tmp_path, no_images=True)
    assert pictures(page) == [] and "data:image" not in page.read_text()
    assert numbers(page, "classes", "digit 0")


def test_names_are_no_markup(data, tmp_path):
    def change(coco):
        for category, name in zip(coco["categories"], HOSTILE, strict=False):
            category["name"] = name

    for half in ("train", "val"):
        edit(data[f"{half}_ann"], change)
    name = "\"><svg onload=alert(1)> '&.png"

    def rename(coco):
        (data["val_images"] / coco["images"][0]["file_name"]).rename(data["val_images"] / name)
        coco["images"][0]["file_name"] = name

    edit(data["val_ann"], rename)
    text = make(data, tmp_path).read_text()
    assert re.findall("<script|<img src=x|<svg onload", text) == []
    assert "&lt;script&gt;alert(1)" in text and "{{ 7 * 7 }}" in text
    assert "&lt;svg onload=alert(1)&gt;" in text


def test_near_copies_are_shown_side_by_side(data, tmp_path):
    def add(coco):
        entry = dict(coco["images"][0], id=9999, file_name="again.jpg")
        coco["images"].append(entry)

    train = json.loads(data["train_ann"].read_text())["images"][3]
    image = Image.open(data["train_images"] / train["file_name"]).convert("RGB")
    image.save(data["val_images"] / "again.jpg", quality=60)
    edit(data["val_ann"], add)
    page = make(data, tmp_path, allow_leak=True)
    text = page.read_text()
    pairs = text.split('<h2 id="copies">')[1].split("<h2")[0]
    assert pairs.count("<img") == 2
    assert pairs.index("again.jpg") < pairs.index(train["file_name"])
    assert "1 of 7 validation images nearly are in training" in text


def test_rare_classes_and_odd_things_are_told(data, tmp_path):
    edit(data["val_ann"], lambda coco: coco["images"][0].update(width=99))
    text = make(data, tmp_path).read_text()
    assert "fewer than 20 boxes in validation" in text and " few</td>" in text
    assert "would move mAP by some" in text
    assert "1 images are not of the size that" in text


def test_the_same_call_writes_the_same_page_and_no_other_file_is_replaced(data, tmp_path):
    page = make(data, tmp_path)
    before = page.read_bytes()
    assert make(data, tmp_path).read_bytes() == before
    page.write_text("my own page")
    with pytest.raises(UserError, match=r"data.html: is there already; pass --force"):
        make(data, tmp_path)
    assert page.read_text() == "my own page"
    make(data, tmp_path, force=True)
    assert page.read_bytes() == before


def test_many_large_noisy_images_stay_a_small_page(data, tmp_path):
    """The worst for JPEG, with more boxes than are drawn."""
    rng = np.random.default_rng(0)

    def crowd(coco):
        one = coco["annotations"][0]
        coco["annotations"] = [
            dict(one, id=1000 * index + number, image_id=image["id"], bbox=[x, y, 9, 9], area=81)
            for index, image in enumerate(coco["images"])
            for number, (x, y) in enumerate(rng.uniform(0, 100, (300, 2)))
        ]

    for half in ("train", "val"):
        edit(data[f"{half}_ann"], crowd)
        for path in data[f"{half}_images"].iterdir():
            noise = rng.integers(0, 255, (330, 420, 3), np.uint8)
            Image.fromarray(noise).save(path, compress_level=0)
    page = make(data, tmp_path, fractions=[1, 0.5, 0.25])
    shown = pictures(page)
    size = page.stat().st_size
    assert all(max(image.size) <= 320 for _, image in shown)
    assert len(shown) == 12 + 6 + 3 * 3 + 6
    assert size * 112 / len(shown) < 5_000_000  # 72 of parts and 40 of pairs are the most
    assert "200 smaller ones are not drawn" in page.read_text()
    assert MOST_BYTES * 4 / 3 * 112 < 4_000_000
