"""Near copies: what looking for them costs an image, which are found, and what is mistaken for one.

    python benchmarks/near_copies.py
    python benchmarks/near_copies.py --data ../shared/data/neu-det ../shared/data/bccd --copies 150

Without ``--data`` only times are measured: of images that are drawn with a seed, and of comparing
as many random hashes as COCO has images.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import _common
import _images
import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fzmm.datasets.formats.image_files import images_below
from fzmm.study.dataset.decoded_image import decode
from fzmm.study.dataset.fingerprint import BITS, fingerprint, mirrored, signs
from fzmm.study.dataset.near_copies import MOST_DIFFERENT, find_near_copies

SIZES = {"JPEG 640 x 480": (480, 640), "JPEG 4000 x 3000": (3000, 4000)}
SIZES |= {"PNG 640 x 480": (480, 640), "PNG 4000 x 3000": (3000, 4000)}
COCO = (118_287, 5_000)


def scaled(share: float):
    """Return a function that resizes an image by a share, saved with JPEG's quality 75."""
    return lambda image: saved(ImageOps.scale(image, share, Image.Resampling.BICUBIC), 75)


def shifted(share: float):
    """Return a function that cuts a share off an image's left side, as a moving camera does."""
    return lambda image: saved(image.crop((image.width * share, 0, *image.size)), 75)


def saved(image: Image.Image, quality: int) -> Image.Image:
    """Return an image as JPEG gives it back."""
    packed = io.BytesIO()
    image.convert("RGB").save(packed, "JPEG", quality=quality)
    return Image.open(packed)


COPIES = {
    "quality 30": lambda image: saved(image, 30),
    "quality 10": lambda image: saved(image, 10),
    "half the size": scaled(0.5),
    "a third of the size": scaled(1 / 3),
    "1.7 times the size": scaled(1.7),
    "mirrored": lambda image: saved(ImageOps.mirror(image), 75),
    "squeezed to a square": lambda image: saved(image.resize((300, 300)), 75),
    "contrast x 0.6": lambda image: saved(ImageEnhance.Contrast(image).enhance(0.6), 75),
    "brightness x 1.3": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.3), 75),
    "blurred": lambda image: saved(image.filter(ImageFilter.GaussianBlur(1.5)), 75),
    "shifted by 1%": shifted(0.01),
    "shifted by 2%": shifted(0.02),
    "shifted by 3%": shifted(0.03),
    "shifted by 5%": shifted(0.05),
}


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=[], help="folders of images")
    parser.add_argument("--copies", type=int, default=150, help="images of each folder to copy")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)

    times = time_images(rng, args.rounds)
    times["compare, of COCO's images"] = {"own": time_comparing(rng), "imagehash": None}
    rows = [
        [name, *(f"{ms:.3f}" if ms else "" for ms in row.values())] for name, row in times.items()
    ]
    text = _common.table(["ms an image beyond decoding", "fzmm", "imagehash's phash"], rows)
    results = {"ms": times, "folders": {}}
    for folder in map(Path, args.data):
        results["folders"][folder.name] = found = find_in(folder, args.copies, rng)
        text += f"\n\n{folder.name}: {found['images']:,} images; pairs at most {MOST_DIFFERENT} of "
        text += f"{BITS} bits apart: {found['near']}; the next: {found['next']}\n\n"
        text += _common.table(
            ["copy", "found", "bits, median", "bits, most"],
            [
                [name, f"{c['found']:.0%}", c["median"], c["most"]]
                for name, c in found["copies"].items()
            ],
        )
    _common.report("near_copies", args, text, results)


def time_images(rng: np.random.Generator, rounds: int) -> dict[str, dict]:
    """Return milliseconds that the hash takes once an image is unpacked as the check does."""
    times = {}
    for name, (height, width) in SIZES.items():
        pixels, _ = _images.scene(rng, height, width)
        image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        if name.startswith("JPEG"):
            image = saved(image, 90)
            image.draft("RGB", tuple(max(64, side // 8) for side in image.size))
        image.load()
        functions = {"own": lambda _, image=image: fingerprint(image)}
        if theirs := imagehash():
            functions["imagehash"] = lambda _, image=image: theirs(image)
        _, seconds = _common.interleave(functions, rounds)  # CPU time: others may use the machine
        medians = {key: 1e3 * _common.spread(value)["median"] for key, value in seconds.items()}
        times[name] = {"imagehash": None, **medians}
        times[name] = {key: times[name][key] for key in ("own", "imagehash")}
    return times


def imagehash():
    """Return the ``imagehash`` package's hash of as many bits, if it is installed."""
    try:
        import imagehash as package
    except ImportError:
        return None
    return lambda image: package.phash(image, hash_size=16)


def time_comparing(rng: np.random.Generator) -> float:
    """Return milliseconds an image to compare as many hashes as COCO has images."""
    hashes = [[rng.bytes(32) for _ in range(number)] for number in COCO]
    start = time.process_time()
    find_near_copies(*hashes)
    return 1e3 * (time.process_time() - start) / sum(COCO)


def find_in(folder: Path, copies: int, rng: np.random.Generator) -> dict:
    """Return the nearest pairs of a folder, and how near copies of its images are."""
    paths = images_below(folder)
    rows = signs([decode(str(path)).fingerprint for path in paths])
    bits = np.minimum(distances(rows, rows), distances(rows, mirrored(rows)))
    first, second = np.triu_indices(len(rows), 1)
    pairs = bits[first, second]
    nearest = np.argsort(pairs, kind="stable")[:12]
    named = [f"{paths[first[i]].name} {paths[second[i]].name} {pairs[i]}" for i in nearest]
    near = int((pairs[nearest] <= MOST_DIFFERENT).sum())
    chosen = rng.choice(len(paths), min(copies, len(paths)), replace=False)
    return {
        "images": len(paths),
        "pairs": len(pairs),
        "near": ", ".join(named[:near]),
        "next": ", ".join(named[near:][:3]),
        "copies": {name: far(make, paths, rows, chosen) for name, make in COPIES.items()},
    }


def far(make, paths: list[Path], rows: np.ndarray, chosen: np.ndarray) -> dict:
    """Return how far copies are from their images."""
    copies = signs([fingerprint(make(Image.open(paths[index]))) for index in chosen])
    apart = np.minimum(distances(copies, rows[chosen]), distances(copies, mirrored(rows[chosen])))
    bits = apart.diagonal()
    return {
        "found": float((bits <= MOST_DIFFERENT).mean()),
        "median": int(np.median(bits)),
        "most": int(bits.max()),
    }


def distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many bits differ."""
    return ((BITS - rows @ others.T) / 2).astype(int)


if __name__ == "__main__":
    main()
