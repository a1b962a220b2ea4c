"""An image file as it was found, and as training gets it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fzmm.datasets.training_pixels import ORIENTATION, training_pixels
from fzmm.study.dataset.fingerprint import LEAST_SIDE, fingerprint

if TYPE_CHECKING:
    from PIL.Image import Image

# What OpenCV, with which MMDetection reads images, opens and shows as Pillow does.
_SAME_FORMATS = ("JPEG", "PNG")
_SAME_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
_PHONE = "MPO"  # a JPEG with a second picture for 3D screens; nobody annotates that
_TURNED_BY_ALL = "TIFF"  # by OpenCV too, even where it is told to leave the orientation aside
_DARK = 32  # of 255; as bright is nothing in an image of 12 bits kept in 16
_OTHER_COLOURS = 8  # of 255, on average; JPEG's decoders differ by one or two

# What training makes of an image that the one who annotated it may not have seen.
ODDITIES = {
    "frames": "hold several frames, of which training sees the first",
    "deep": "have more than 8 bits a channel, of which training sees the upper 8",
    "dark": "have more than 8 bits a channel and come out dark, for their values use few of them: "
    "spread the values over all bits",
    "transparent": "are partly transparent, and training sees what lies below",
    "colours": "come out in other colours than image viewers show: save them as RGB",
    "unturned": "have an EXIF orientation that training does not follow, while image viewers do: "
    "make sure that their boxes are those of the image as it is stored",
    "half-turned": "are turned upside down or mirrored by their EXIF orientation when training "
    "loads them: make sure that their boxes are those of the turned image",
}


@dataclass(frozen=True)
class DecodedImage:
    """An image file as it was found.

    Attributes:
        stored: (width, height) in the file, pixels.
        loaded: The same as training gets it, turned by its EXIF orientation.
        orientation: EXIF's number.
        odd: Keys of ``ODDITIES``.
        fingerprint: See ``fzmm.study.dataset.fingerprint``.
        error: Why it cannot be read.
    """

    stored: tuple[int, int] = (0, 0)
    loaded: tuple[int, int] = (0, 0)
    orientation: int = 1
    odd: tuple[str, ...] = ()
    fingerprint: bytes = b""
    error: str | None = None


def decode(path: str) -> DecodedImage:
    """Read an image to its end, as cheaply as its format allows."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # a large image is none of ours to warn of; Pillow refuses those above 179 megapixels
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            size, kind = image.size, image.format
            orientation = image.getexif().get(ORIENTATION, 1)
            odd = _oddities(image)
            # A JPEG is then read whole but unpacked at an eighth of its size: much faster.
            image.draft("RGB", tuple(max(LEAST_SIDE, side // 8) for side in size))
            image.load()
            if _is_transparent(image):
                odd.append("transparent")
            same = kind in _SAME_FORMATS and image.mode in _SAME_MODES and orientation == 1
            if same and not {"frames", "deep"} & set(odd):
                return DecodedImage(size, size, 1, tuple(odd), fingerprint(image))
    except Exception as error:  # whatever a decoder raises on a broken file
        return DecodedImage(error=str(error).split("\n")[0] or type(error).__name__)

    return _as_training_loads_it(path, size, kind, orientation, odd)


def _oddities(image: Image) -> list[str]:
    """Return what can be told before an image is unpacked."""
    odd = []
    if getattr(image, "n_frames", 1) > 1 and image.format != _PHONE:
        odd.append("frames")
        image.seek(0)
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    if image.mode.startswith("I") or any("16" in mode for mode in raw_modes):
        odd.append("deep")
    return odd


def _is_transparent(image: Image) -> bool:
    if image.mode in ("LA", "RGBA", "PA"):
        return image.getchannel("A").getextrema()[0] < 255
    return "transparency" in image.info


def _as_training_loads_it(
    path: str, stored: tuple[int, int], kind: str, orientation: int, odd: list[str]
) -> DecodedImage:
    """Read an image as MMDetection's ``LoadImageFromFile`` does, to see what becomes of it."""
    from PIL import Image

    pixels = training_pixels(path)
    if pixels is None:
        return DecodedImage(
            error=f"OpenCV, with which MMDetection reads images, does not open this {kind}; "
            "convert it to PNG or JPEG"
        )
    if "deep" in odd and pixels.max() < _DARK:
        if pixels.min() == pixels.max():
            return DecodedImage(
                error="its values use so few of its 16 bits that training sees one plain colour; "
                "spread them over all bits or save it with 8"
            )
        odd[odd.index("deep")] = "dark"

    loaded = (pixels.shape[1], pixels.shape[0])
    if kind == _TURNED_BY_ALL and orientation in range(5, 9):
        stored = loaded[::-1]  # Pillow's versions differ in which size they report
    odd += _turns(path, pixels, stored, kind, orientation)
    if not {"deep", "dark", "unturned"} & set(odd) and _differs(path, pixels):
        odd.append("colours")
    grey = Image.fromarray(pixels).convert("L")
    return DecodedImage(stored, loaded, orientation, tuple(odd), fingerprint(grey))


def _turns(
    path: str, pixels: np.ndarray, stored: tuple[int, int], kind: str, orientation: int
) -> list[str]:
    """Say whether training follows an orientation, as far as sizes do not tell."""
    if orientation not in range(2, 9) or stored != (pixels.shape[1], pixels.shape[0]):
        return []
    if kind == _TURNED_BY_ALL:
        return ["half-turned"]
    as_stored = training_pixels(path, turned=False)
    same = as_stored is not None and np.array_equal(as_stored, pixels)
    return ["unturned" if same and not _is_symmetric(pixels) else "half-turned"]


def _is_symmetric(pixels: np.ndarray) -> bool:
    """Whether an image may look as before when it is turned."""
    turned = (pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1])
    return any(np.array_equal(pixels, other) for other in turned)


def _differs(path: str, pixels: np.ndarray) -> bool:
    """Whether Pillow, and so most viewers, shows other colours than training sees."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.int16)
    if shown.shape != pixels.shape:  # not turned by both
        return False
    return float(np.abs(shown - pixels[:, :, ::-1]).mean()) > _OTHER_COLOURS
