"""Where the images of a YOLO folder are, by its YAML file or by the arrangement of its folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fzmm.datasets.formats.folder_dataset import WHOLE, split_name
from fzmm.datasets.formats.image_files import images_below, is_image
from fzmm.datasets.formats.text_lines import numbered_lines
from fzmm.datasets.formats.yolo_yaml import YoloYaml
from fzmm.errors import UserError


def images_of_yaml(file: YoloYaml, split: str) -> list[Path]:
    """Return the images of a part; none of a test part that is not there, which exports name too.

    Raises:
        UserError: If a folder, list or listed image is missing.
    """
    images: list[Path] = []
    if split == "test" and not all(_places(file, entry) for entry in file.places[split]):
        return images
    for entry in file.places[split]:
        place = _place(file, split, entry)
        images += images_below(place) if place.is_dir() else _listed(place)
    if len({image.is_absolute() for image in images}) > 1:
        images = [image.absolute() for image in images]
    return list(dict.fromkeys(images))


def _place(file: YoloYaml, split: str, entry: str) -> Path:
    places = _places(file, entry)
    if not places:
        raise UserError(f"{file.path}: `{split}`: no {entry} in {file.path.parent}; correct it")
    if len(places) > 1:
        both = " and ".join(os.path.normpath(place) for place in places[:2])
        raise UserError(f"{file.path}: `{split}`: {entry} may be {both}; keep one")
    place = Path(os.path.normpath(places[0]))
    if place.resolve() in file.path.resolve().parent.parents:  # `/`, say
        raise UserError(
            f"{file.path}: `{split}`: {entry} is far more than this dataset; correct it"
        )
    return place


def _places(file: YoloYaml, entry: str) -> list[Path]:
    """Return what an entry may mean: from `path`, or from where the file itself is.

    Roboflow writes ``../train/images`` for what lies beside the file, and a `path` may be that of
    another machine.
    """
    folder = file.path.parent
    roots = [folder / file.root, folder] if file.root else [folder]
    texts = (entry, entry.removeprefix("../"))
    starts = [root / text for text in texts for root in roots if _exists(root / text)]
    return list({start.resolve(): start for start in reversed(starts)}.values())


def _listed(path: Path) -> list[Path]:
    images = []
    for number, line in numbered_lines(path):
        starts = [path.parent / line, path.parent.parent / line]
        image = next((start for start in starts if _exists(start)), None)
        if image is None:
            raise UserError(f"{path}:{number}: no image {line[:200]}; correct the path")
        images.append(Path(os.path.normpath(image)))
    return images


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for a file, or with a null byte
        return False


def find_arrangement(folder: Path) -> dict[str, Path]:
    """Return the folder of each part's images where labels lie as they usually do; {} if not.

    These are ``images/train`` with ``labels/train``, ``train/images`` with ``train/labels``,
    ``images`` with ``labels``, and labels beside their images, in one folder or in ``train``,
    ``valid`` and so on, as LabelImg and Darknet have them.

    Raises:
        UserError: If a part is there in two ways.
    """
    places: dict[str, Path] = {}
    for images, labels in _pairs(folder):
        if not (images.is_dir() and labels.is_dir()):
            continue
        name = split_name(images.parent.name if images.name == "images" else images.name)
        if name is None:
            continue
        if name in places:
            both = f"{places[name].relative_to(folder)} and {images.relative_to(folder)}"
            raise UserError(f"{folder}: {both} may both be the {name} part; keep one")
        places[name] = images

    whole = folder / "images"
    if not places and whole.is_dir() and any((folder / "labels").glob("*.txt")):
        return {WHOLE: whole}
    return places or _beside(folder)


def _beside(folder: Path) -> dict[str, Path]:
    if _has_label_beside(folder):
        return {WHOLE: folder}
    places = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        name = split_name(place.name)
        if name is not None and name not in places and _has_label_beside(place):
            places[name] = place
    return places


def _has_label_beside(folder: Path) -> bool:
    """Whether a text file beside an image begins as a label does, as no caption of it would."""
    names = os.listdir(folder)  # of a hundred thousand, none is looked at but for its name
    stems = {os.path.splitext(name)[0] for name in names if is_image(name)}
    texts = sorted(name for name in names if name.endswith(".txt") and name[:-4] in stems)
    return any(_begins_as_label(folder / name) for name in texts)


def _begins_as_label(path: Path) -> bool:
    try:
        line = next((line for _, line in numbered_lines(path)), "")
    except UserError:  # no text: something else of the user's
        return False
    return bool(re.fullmatch(r"\d+(\s+[-+.\deE]+){4,}", line))


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    inner = [path for path in sorted(folder.glob("images/*")) if path.is_dir()]
    outer = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return [
        *((path, folder / "labels" / path.name) for path in inner),
        *((path / "images", path / "labels") for path in outer),
    ]


def label_of(image: Path) -> Path:
    """Return an image's label file: in ``labels`` for the last ``images`` of its path, or beside.

    The latter where only that one is there.
    """
    parts = list(image.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    label, beside = Path(*parts).with_suffix(".txt"), image.with_suffix(".txt")
    return beside if beside.is_file() and not label.is_file() else label
