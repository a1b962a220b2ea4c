"""A folder in Pascal VOC's layout: ``Annotations/``, ``JPEGImages/``, ``ImageSets/Main/``.

Or XML files of the format beside their images, in one folder or one for each part.

The format counts pixels from 1 and a box includes its last one: (xmin, ymin, xmax, ymax) is COCO's
(xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1). Tools that count from 0 give themselves away
by a box that begins at 0; then a box is (xmin, ymin, xmax - xmin, ymax - ymin). (VOC2012
development kit, section 4: "the top-left pixel in the image has coordinates (1,1)".)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from fzmm.datasets.formats.folder_dataset import (
    WHOLE,
    CocoBuilder,
    FolderDataset,
    FolderSplit,
    count_notes,
    describe,
    split_name,
)
from fzmm.datasets.formats.image_files import SUFFIXES, images_below, loaded_size
from fzmm.datasets.formats.text_lines import numbered_lines
from fzmm.datasets.formats.voc_xml import VocImage, VocObject, read_voc_xml
from fzmm.errors import UserError

_ANNOTATIONS = ("Annotations", "annotations")
_IMAGES = ("JPEGImages", "images")
_CAPITALS = tuple(suffix.upper() for suffix in SUFFIXES)


@dataclass(frozen=True)
class _Part:
    """Where one part of the dataset is.

    Attributes:
        annotations: Folder of its XML files.
        images: Folder of its images.
        stems: Names of its images, without suffix.
        source: What says that these are its images.
    """

    annotations: Path
    images: Path
    stems: list[str]
    source: str


def find_voc(folder: Path) -> list[Path]:
    """Return the folders of the annotations, or nothing if this is no VOC folder."""
    places = {(folder / name).resolve(): folder / name for name in _ANNOTATIONS}
    apart = [place for place in places.values() if any(place.glob("*.xml"))]
    return apart or list(_beside(folder).values())


def read_voc(folder: Path) -> FolderDataset:
    """Read every image that the lists of ``ImageSets/Main`` name, or all where there are no lists.

    Raises:
        UserError: If a file is broken, or an image or its annotation is missing or there twice.
    """
    counts: Counter[str] = Counter()
    parts = _parts(folder, counts)
    files = {part.images: _image_files(part.images) for part in parts.values()}

    parsed = {
        part.annotations / f"{stem}.xml": read_voc_xml(part.annotations / f"{stem}.xml")
        for part in parts.values()
        for stem in part.stems
    }
    if not parsed:
        raise UserError(f"{folder}/ImageSets/Main: the lists are empty; name the images in them")
    classes = sorted({thing.name for image in parsed.values() for thing in image.objects})
    if not classes:
        place = next(iter(parts.values())).annotations
        raise UserError(f"{place}: none of {len(parsed)} files holds an object")
    first = _first_pixel(parsed)

    splits, notes = {}, []
    for split, part in parts.items():
        builder = CocoBuilder(classes)
        for stem in part.stems:
            image = parsed[part.annotations / f"{stem}.xml"]
            path = _image_of(stem, image, files[part.images], part.annotations)
            _add(builder, path.relative_to(part.images), image, first, counts, path)
        splits[split] = FolderSplit(part.images, builder.coco())
        notes.append(describe(part.source, split, builder.coco(), f"{part.images.name}/"))

    counts["images without an annotation file left out"] = sum(
        len(files[part.images].keys() - _stems(part.annotations))
        for part in {part.images: part for part in parts.values()}.values()
    )
    notes.append(
        "boxes count pixels from 1, as the format says"
        if first
        else "boxes count pixels from 0, for one begins at 0"
    )

    return FolderDataset("Pascal VOC", splits, [*notes, *count_notes(counts)])


def _parts(folder: Path, counts: Counter[str]) -> dict[str, _Part]:
    if beside := _beside(folder):
        return {
            name: _Part(place, place, sorted(_stems(place)), f"{place.name}/*.xml")
            for name, place in beside.items()
        }
    annotations = _one(find_voc(folder), "annotations")
    images = _one([folder / name for name in _IMAGES if (folder / name).is_dir()], "images")
    return {
        name: _Part(
            annotations,
            images,
            stems,
            annotations.name if name == WHOLE else f"ImageSets/Main/{name}.txt",
        )
        for name, stems in _lists(folder, annotations, counts).items()
    }


def _beside(folder: Path) -> dict[str, Path]:
    """Return the folder of each part where XML files lie beside their images; {} if none do.

    LabelImg writes them there, and Roboflow's exports have them in ``train/`` and ``valid/``.
    """
    if any(any((folder / name).glob("*.xml")) for name in _ANNOTATIONS):
        return {}
    places: dict[str, Path] = {}
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        name = WHOLE if place == folder else split_name(place.name)
        if name is None or not any(_has_image(path) for path in place.glob("*.xml")):
            continue
        if name in places:
            raise UserError(f"{folder}: {places[name].name} and {place.name} may both be {name}")
        places[name] = place
    if len(places) > 1 and WHOLE in places:
        raise UserError(
            f"{folder}: XML files lie beside images there and in its {list(places)[1]} part; keep "
            "one of them there"
        )
    return places


def _has_image(path: Path) -> bool:
    return any(path.with_suffix(suffix).is_file() for suffix in (*SUFFIXES, *_CAPITALS))


def _stems(annotations: Path) -> set[str]:
    return {path.stem for path in annotations.glob("*.xml")}


def _one(places: list[Path], holding: str) -> Path:
    if len(places) == 1:
        return places[0]
    if places:
        names = " and ".join(place.name for place in places)
        raise UserError(f"{places[0].parent}: {names} may both hold the {holding}; keep one")
    raise UserError(f"no folder {' or '.join(_IMAGES)} beside the {holding} of Pascal VOC; add it")


def _lists(folder: Path, annotations: Path, counts: Counter[str]) -> dict[str, list[str]]:
    """Return the names of each part's images, without suffix."""
    main = folder / "ImageSets" / "Main"
    stems = _stems(annotations)
    lists = {
        name: _read_list(main / f"{name}.txt", annotations, stems, counts)
        for name in ("train", "val", "test")
        if (main / f"{name}.txt").is_file()
    }
    if "train" not in lists and (main / "trainval.txt").is_file():
        # what the benchmark trains on; cut further where a validation part is asked for
        lists["train"] = _read_list(main / "trainval.txt", annotations, stems, counts)

    if not lists:
        return {WHOLE: sorted(stems)}
    listed = {stem for names in lists.values() for stem in names}
    counts["annotation files that no list names left out"] = len(stems - listed)
    return lists


def _read_list(path: Path, annotations: Path, stems: set[str], counts: Counter[str]) -> list[str]:
    names: dict[str, None] = {}
    for number, line in numbered_lines(path):
        name = line.split()[0]  # a list of one class has -1, 0 or 1 behind each
        if name not in stems:
            raise UserError(f"{path}:{number}: {annotations.name}/{name}.xml is missing; add it")
        if name in names:
            counts["repeated lines of lists left out"] += 1
        names[name] = None
    return list(names)


def _image_files(images: Path) -> dict[str, list[Path]]:
    files = defaultdict(list)
    for path in images_below(images):
        files[path.stem].append(path)
    return dict(files)


def _image_of(stem: str, image: VocImage, files: dict[str, list[Path]], annotations: Path) -> Path:
    """Return the image of an annotation file: the one of its name, told apart by its text."""
    paths = files.get(stem, [])
    if len(paths) > 1:
        paths = [path for path in paths if path.name == image.file_name]
    if len(paths) == 1:
        return paths[0]
    reason = "several images have its name" if stem in files else "no image has its name"
    raise UserError(f"{annotations / stem}.xml: {reason}; keep exactly one {stem}.jpg or the like")


def _first_pixel(parsed: dict[Path, VocImage]) -> int:
    starts = [min(thing.corners[:2]) for image in parsed.values() for thing in image.objects]
    return 1 if min(starts) > 0 else 0


def _add(
    builder: CocoBuilder,
    file_name: Path,
    image: VocImage,
    first: int,
    counts: Counter[str],
    path: Path,
) -> None:
    if image.size is None:
        counts["sizes that the annotations lack read from the images"] += 1
    builder.add_image(file_name.as_posix(), image.size or loaded_size(path))
    for thing in image.objects:
        box = _box(thing, first)
        if not box[2] or not box[3]:
            counts["boxes without area left out"] += 1
            continue
        if thing.difficult:
            counts["difficult objects neither learnt nor counted (iscrowd)"] += 1
        builder.add_box(builder.classes.index(thing.name), box, crowd=thing.difficult)


def _box(thing: VocObject, first: int) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = thing.corners
    return (xmin - first, ymin - first, xmax - xmin + first, ymax - ymin + first)
