"""Validation images that nearly are in training: found whatever was done to them, others not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.study.dataset.decoded_image import decode
from fzmm.study.dataset.fingerprint import BITS, fingerprint, mirrored, signs
from fzmm.study.dataset.leaks import find_leaks
from fzmm.study.dataset.near_copies import MOST_DIFFERENT, find_near_copies

SHARED = Path(__file__).parents[2] / "../shared/data"


def photograph(seed: int, size=(160, 120)) -> Image.Image:
    """Detail at every scale, weaker the finer, as photographs have it."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size[1], size[0], 3))
    for level in range(2, 7):
        coarse = rng.normal(128, 50, (2**level, 2**level, 3)).clip(0, 255).astype(np.uint8)
        image += np.asarray(Image.fromarray(coarse).resize(size, Image.BICUBIC)) / level**2
    image -= image.min()
    return Image.fromarray((255 * image / image.max()).astype(np.uint8))


def saved(image, quality=75):
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality)
    return Image.open(packed)


CHANGES = {
    "saved anew": lambda image: saved(image, 30),
    "half the size": lambda image: saved(image.resize((80, 60))),
    "twice the size": lambda image: saved(image.resize((320, 240))),
    "far larger": lambda image: image.resize((1600, 1200)),
    "mirrored": ImageOps.mirror,
    "mirrored and smaller": lambda image: saved(ImageOps.mirror(image).resize((100, 75))),
    "grey": lambda image: image.convert("L"),
    "palette": lambda image: image.quantize(64),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "the next frame": lambda image: saved(image.crop((2, 0, 160, 120))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_whatever_was_done_to_it(change):
    images = [photograph(seed) for seed in range(30)]
    train = [fingerprint(image) for image in images]
    val = [fingerprint(photograph(100)), fingerprint(CHANGES[change](images[17]))]
    (copy,) = find_near_copies(train, val)
    assert (copy.val, copy.train, copy.others) == (1, 17, 0)
    assert copy.mirrored == change.startswith("mirrored")
    assert copy.bits <= MOST_DIFFERENT


def test_the_mirrored_images_hash_follows_from_the_images():
    image = photograph(3)
    own = signs([fingerprint(ImageOps.mirror(image))])
    differ = (BITS - (own @ mirrored(signs([fingerprint(image)])).T).item()) / 2
    assert differ <= 3


def test_images_without_contrast_are_copies_of_nothing():
    black, nearly = Image.new("RGB", (90, 90)), Image.new("L", (90, 90), 3)
    assert fingerprint(black) == fingerprint(nearly) == b""
    assert find_near_copies([b"", fingerprint(photograph(0))], [b"", b""]) == []


def test_the_closest_is_named_and_the_others_are_counted():
    image = photograph(0)
    train = [fingerprint(saved(image, 10)), fingerprint(image), fingerprint(photograph(1))]
    (copy,) = find_near_copies(train * 800, [fingerprint(image)])  # more than a block
    assert (copy.train, copy.bits, copy.others) == (1, 0, 1599)


def split(folder, images) -> DatasetSplit:
    folder.mkdir()
    for name, image in images.items():
        image.save(folder / name)
    entries = [dict(id=index, file_name=name) for index, name in enumerate(images)]
    return DatasetSplit(folder / "a.json", folder, dict(images=entries))


def leaks(train, val, allow):
    prints = tuple(
        [decode(str(half.path_of(image))).fingerprint for image in half.coco["images"]]
        for half in (train, val)
    )
    return find_leaks(train, val, allow, prints)


def test_above_a_share_near_copies_are_refused_with_the_pairs(tmp_path):
    train = split(tmp_path / "train", {f"t{n}.png": photograph(n) for n in range(4)})
    frames = {f"v{n}.jpg": photograph(n) for n in (*range(4), *range(10, 30))}
    val = split(tmp_path / "val", frames)
    with pytest.raises(UserError) as error:
        leaks(train, val, allow=False)
    text = str(error.value)
    assert "4 of 24 validation images (17%) nearly are in training" in text
    assert "v0.jpg and " in text and "t0.png" in text and "and 1 more" in text
    assert "more than 2%" in text and "--allow-leak" in text and "\n" not in text
    allowed = leaks(train, val, allow=True)
    assert [copy.train for copy in allowed.near] == [0, 1, 2, 3]
    assert "4 of 24 validation images" in allowed.notes[0]


def test_a_few_near_copies_are_noted(tmp_path):
    train = split(tmp_path / "train", {"t.png": photograph(0)})
    val = split(tmp_path / "val", {f"v{n}.jpg": photograph(n) for n in range(50)})
    assert "1 of 50 validation images (2%) nearly are" in leaks(train, val, allow=False).notes[0]


@pytest.mark.skipif(not SHARED.exists(), reason="the real data is not beside the repository")
def test_photographs_of_steel_that_look_alike_are_no_copies():
    paths = sorted((SHARED / "neu-det/train").glob("pitted*"))[::3]
    prints = [decode(str(path)).fingerprint for path in paths]
    assert find_near_copies(prints[::2], prints[1::2]) == []
