"""Images as training reads them: what the check says is what MMDetection's loader gives."""

import json

import numpy as np
import pytest
from PIL import Image

from fzmm.datasets.formats.image_files import loaded_size
from fzmm.errors import UserError
from fzmm.study.dataset.data_check import check_data
from fzmm.study.dataset.decoded_image import decode
from fzmm.study.study_options import StudyOptions

COLOURS = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
IMAGE = Image.fromarray(COLOURS).resize((128, 96), Image.BICUBIC)
GREY = np.asarray(IMAGE.convert("L")).astype(np.uint16)
ALPHA = Image.merge("RGBA", (*IMAGE.split(), Image.new("L", IMAGE.size, 128)))
FRAMES = dict(save_all=True, append_images=[IMAGE.rotate(180)])


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return dict(exif=tags)


# Name: image, format, options, and what is to be told of it.
KINDS = {
    "jpeg": (IMAGE, "JPEG", {}, ()),
    "grey": (IMAGE.convert("L"), "PNG", {}, ()),
    "palette": (IMAGE.quantize(16), "PNG", {}, ()),
    "one bit": (IMAGE.convert("1"), "PNG", {}, ()),
    "cmyk jpeg": (IMAGE.convert("CMYK"), "JPEG", {}, ()),
    "cmyk tiff": (IMAGE.convert("CMYK"), "TIFF", {}, ()),
    "bmp": (IMAGE, "BMP", {}, ()),
    "16 bits": (Image.fromarray(GREY * 257), "PNG", {}, ("deep",)),
    "12 of 16 bits": (Image.fromarray(GREY * 16), "PNG", {}, ("dark",)),
    "alpha": (ALPHA, "PNG", {}, ("transparent",)),
    "palette with a hole": (IMAGE.quantize(16), "PNG", dict(transparency=3), ("transparent",)),
    "opaque alpha": (IMAGE.convert("RGBA"), "PNG", {}, ()),
    "animated gif": (IMAGE, "GIF", FRAMES, ("frames",)),
    "animated png": (IMAGE, "PNG", FRAMES, ("frames",)),
    "animated webp": (IMAGE, "WEBP", dict(**FRAMES, lossless=True), ("frames",)),
    "tiff of pages": (IMAGE, "TIFF", FRAMES, ("frames",)),
    "photograph of a phone": (IMAGE, "MPO", FRAMES, ()),
    "turned jpeg": (IMAGE, "JPEG", exif(6), ()),
    "turned png": (IMAGE, "PNG", exif(8), ()),
    "turned tiff": (IMAGE, "TIFF", exif(6), ()),
    "upside down": (IMAGE, "JPEG", exif(3), ("half-turned",)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_what_mmdetections_loader_makes_of_it(kind, tmp_path):
    from mmcv.transforms import LoadImageFromFile

    image, file_format, options, odd = KINDS[kind]
    path = tmp_path / "image"
    image.save(path, format=file_format, **options)
    decoded = decode(str(path))
    pixels = LoadImageFromFile()(dict(img_path=str(path)))["img"]
    assert decoded.error is None and decoded.loaded == pixels.shape[1::-1]
    assert decoded.loaded == loaded_size(path)
    assert decoded.odd == odd


def test_sixteen_bits_that_come_out_as_one_colour_are_refused(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")  # values up to 255 of 65,535
    assert "training sees one plain colour" in decode(str(tmp_path / "a.png")).error


def replace_first(data, size, **options):
    """Put another image in the place of the first, annotated with a size."""
    coco = json.loads(data["train_ann"].read_text())
    coco["images"][0].update(width=size[0], height=size[1])
    data["train_ann"].write_text(json.dumps(coco))
    IMAGE.save(data["train_images"] / coco["images"][0]["file_name"], **options)


def check(data):
    return "\n".join(check_data(StudyOptions("mine", **data)).notes)


def test_an_orientation_that_training_does_not_follow_is_compared_as_stored(data, tmp_path):
    options = dict(format="WEBP", **exif(6))
    IMAGE.save(tmp_path / "a.webp", **options)
    if loaded_size(tmp_path / "a.webp") != IMAGE.size:
        pytest.skip("this OpenCV turns WebP")
    replace_first(data, (128, 96), **options)
    check(data)
    replace_first(data, (96, 128), **options)  # as viewers show it
    with pytest.raises(UserError, match="does not follow its EXIF orientation 6, .* is 128 x 96"):
        check(data)


def test_boxes_beyond_an_image_of_another_size_are_counted(data):
    replace_first(data, (256, 192), format="PNG")
    coco = json.loads(data["train_ann"].read_text())
    first = coco["images"][0]["id"]
    next(a for a in coco["annotations"] if a["image_id"] == first)["bbox"] = [150, 100, 50, 50]
    data["train_ann"].write_text(json.dumps(coco))
    notes = check(data)
    assert "is 128 x 96, not 256 x 192; 1 of their boxes reach beyond the image" in notes
