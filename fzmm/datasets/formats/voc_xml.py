"""One XML file of Pascal VOC, with the line of each element.

Expat is driven directly because the parsers above it tell no line of what they have read, and so
that a declared entity, which could expand without bound or name another file, is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fzmm.errors import UserError
from fzmm.utils.files import read_regular

_LARGEST = 1 << 24  # bytes; an image with 50,000 objects has some 15 MB
_DEEPEST = 32  # elements within one another; the format has five
_MOST_PIXELS = 10_000_000  # along a side; slides of microscopes have some 200,000
_LINE = "fzmm-line"  # attribute under which an element's line is kept
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocObject:
    """An object of an image.

    Attributes:
        name: Its class.
        corners: xmin, ymin, xmax, ymax as they are written.
        difficult: Whether the format's evaluation leaves it out.
        line: Where it is in its file.
    """

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool
    line: int


@dataclass(frozen=True)
class VocImage:
    """What a file says.

    Attributes:
        file_name: The image's, if it is given.
        size: Its (width, height), if given.
        objects: Its objects.
    """

    file_name: str | None
    size: tuple[int, int] | None
    objects: list[VocObject]


def read_voc_xml(path: Path) -> VocImage:
    """Read a file.

    Raises:
        UserError: If it is no such file, or an object is incomplete; names file and line.
    """
    root = _parse(path)
    if root.tag != "annotation":
        raise UserError(f"{path}:1: begins with <{root.tag}>, not <annotation>; no Pascal VOC file")
    objects = [_object(element, path) for element in root.findall("object")]
    file_name = (root.findtext("filename") or "").strip() or None
    return VocImage(file_name, _size(root, path), objects)


def _parse(path: Path) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UserError(f"{path}:{parser.CurrentLineNumber}: nested too deeply")
        builder.start(tag, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse_entity(*unused: object) -> None:
        raise UserError(f"{path}:{parser.CurrentLineNumber}: declares an entity; remove it")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse_entity

    try:
        parser.Parse(read_regular(path, _LARGEST), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise UserError(f"{path}:{error.lineno}: is not XML ({reason}); repair it there") from None
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise UserError(f"{path}:1: cannot be read ({error}); save it as UTF-8") from None

    return builder.close()


def _object(element: Element, path: Path) -> VocObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise UserError(f"{path}:{_line(element)}: the object has no <name>; give it one")
    box = element.find("bndbox")
    if box is None:
        raise UserError(
            f"{path}:{_line(element)}: {name!r} has no <bndbox>; only upright boxes can be read"
        )
    corners = tuple(_number(box, side, path) for side in _SIDES)
    if corners[2] < corners[0] or corners[3] < corners[1]:
        raise UserError(f"{path}:{_line(box)}: the box ends before it begins; exchange its sides")
    difficult = (element.findtext("difficult") or "0").strip().lower()
    return VocObject(name, corners, difficult not in ("", "0", "false"), _line(element))


def _number(box: Element, side: str, path: Path) -> float:
    text = box.findtext(side)
    if text is None:
        raise UserError(f"{path}:{_line(box)}: the box has no <{side}>; give it one")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= _MOST_PIXELS:
        line = _line(box.find(side))
        raise UserError(
            f"{path}:{line}: <{side}> is {text.strip()[:40]!r}; give a number of pixels"
        )
    return int(value) if value.is_integer() else value


def _size(root: Element, path: Path) -> tuple[int, int] | None:
    """Return the image's size; some tools write zeros or nothing where they do not know it."""
    element = root.find("size")
    if element is None:
        return None
    try:
        width, height = (int(element.findtext(side) or 0) for side in ("width", "height"))
    except ValueError:
        raise UserError(
            f"{path}:{_line(element)}: <size> is not whole pixels; write the image's"
        ) from None
    if max(width, height) > _MOST_PIXELS:
        raise UserError(f"{path}:{_line(element)}: <size> is of no image; write the image's")
    return (width, height) if width > 0 and height > 0 else None


def _line(element: Element) -> int:
    return int(element.get(_LINE, 0))
