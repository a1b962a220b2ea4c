"""A large annotation file, read without keeping its polygons in memory and cut by copying bytes.

Python objects for the polygons of COCO's 450 MB take 4 GB. Here the file's bytes stay as they are,
each annotation's place among them is remembered, and of its content only what counting needs is
kept. A subset's file is then made of the source's own bytes: ids, numbers, unknown keys and order
are those of the source because nothing writes them anew.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from fzmm.datasets.coco import (
    check_annotations,
    no_garbage_collection,
    parse_annotations,
    read_bytes,
    unpack,
)
from fzmm.errors import UserError

_BLOCK = 1 << 24  # bytes scanned at a time
_CHUNK = 1 << 22  # bytes parsed at a time
_LARGE = 1 << 27  # bytes from which on a broken file is not parsed for the exact place
_CUT = ("images", "annotations")  # arrays that a subset takes a part of
_DROPPED = ("segmentation", "keypoints", "caption")

# A backslash and what it escapes; blanking both leaves only quotes that begin or end a string.
_ESCAPE = re.compile(rb"\\.", re.DOTALL)

_STRUCTURAL = np.zeros(256, dtype=bool)
_STRUCTURAL[list(b'"[]{}')] = True


class AnnotationFile:
    """A COCO annotation file, plain or gzipped.

    Args:
        path: The file.

    Attributes:
        path: The file.
        coco: Its object without segmentations; checked, see ``check_annotations``.
        sha256: Checksum of the file as it is on disk.

    Raises:
        UserError: If the file cannot be read or breaks a rule.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        packed = read_bytes(path)
        self.sha256 = hashlib.sha256(packed).hexdigest()
        self._data = unpack(packed, str(path))
        del packed

        try:
            with no_garbage_collection():
                self.coco, self._arrays, self._elements = _parse_by_parts(self._data)
        except EOFError:
            # Python's parser would find the place, but would need minutes and all memory for it.
            line = self._data.count(b"\n") + 1
            column = len(self._data) - self._data.rfind(b"\n")
            raise UserError(
                f"{path}: line {line}, column {column}: ends in the middle, it is cut off or lacks "
                "a closing bracket; copy or download it again"
            ) from None
        except ValueError:
            # Unusual: the plain parser either says what is wrong or reads the file.
            self.coco = parse_annotations(self._data, str(path))
            check_annotations(self.coco, str(path))
            self._data, self._arrays, self._elements = _serialise(self.coco)
        else:
            check_annotations(self.coco, str(path))

    def cut(self, images: np.ndarray, annotations: np.ndarray) -> Iterator[bytes]:
        """Yield the bytes of a file with a part of the images and annotations.

        Args:
            images: Which images to keep, bool ``(images,)``.
            annotations: Which annotations to keep, bool ``(annotations,)``.
        """
        kept = {"images": images, "annotations": annotations}
        data = self._data
        end = 0
        for key in sorted(self._arrays, key=lambda key: self._arrays[key]):
            start, stop = self._arrays[key]
            yield data[end:start]
            yield b"["
            spans = self._elements[key][kept[key]].tolist()
            for first in range(0, len(spans), 50_000):
                pieces = [data[a:b] for a, b in spans[first : first + 50_000]]
                yield (b",\n" if first else b"") + b",\n".join(pieces)
            yield b"]"
            end = stop

        yield data[end:]


def _parse_by_parts(
    data: bytes,
) -> tuple[dict[str, Any], dict[str, tuple[int, int]], dict[str, np.ndarray]]:
    """Parse the file array by array and element by element.

    Returns:
        The file's object without segmentations, the place of each array that can be cut, and the
        places of its elements, int64 ``(elements, 2)``.

    Raises:
        ValueError: If it is not JSON of the expected shape.
    """
    position, depth, opening = _brackets(data)
    # Depth 1 is inside the root object, 2 inside an array that is one of its values.
    root = np.flatnonzero(depth <= 2)
    starts = root[opening[root] & (depth[root] == 2)]
    ends = root[~opening[root] & (depth[root] == 2)]
    if len(starts) != len(ends) or not len(starts) or data[position[0]] != ord("{"):
        raise ValueError("not an object")
    skeleton, places, end = [], [], 0

    for start, stop in zip(starts.tolist(), ends.tolist(), strict=True):
        a, b = int(position[start]), int(position[stop]) + 1
        if data[a] == ord("["):
            skeleton += [data[end:a], b'{"array":%d}' % len(places)]
            places.append((start, stop, a, b))
            end = b

    skeleton.append(data[end:])
    coco = orjson.loads(b"".join(skeleton))
    keys = [key for key, value in coco.items() if type(value) is dict and value.keys() == {"array"}]
    if [coco[key]["array"] for key in keys] != list(range(len(places))):
        raise ValueError("a key stands twice, or a value looks like the stand-in of an array")
    arrays, elements = {}, {}
    for key, (start, stop, a, b) in zip(keys, places, strict=True):
        if key not in _CUT:
            coco[key] = orjson.loads(data[a:b])
            continue
        inside = slice(start + 1, stop)
        shallow = depth[inside] == 3
        first = position[inside][shallow & opening[inside]]
        last = position[inside][shallow & ~opening[inside]]
        spans = np.stack([first, last + 1], axis=1)
        coco[key] = _parse_elements(data, a, b, spans)
        arrays[key], elements[key] = (a, b), spans

    if set(arrays) != set(_CUT):
        raise ValueError("a key is missing, or is no array")
    return coco, arrays, elements


def _brackets(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the brackets outside strings that are at most three deep.

    Returns:
        Position of each, the depth that it opens or closes (1 for the root), whether it opens.
    """
    if b"\\" in data:
        data = _ESCAPE.sub(b"__", data)
    brackets: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    quotes, level = 0, 0
    for start in range(0, len(data), _BLOCK):
        block = np.frombuffer(data, np.uint8, min(_BLOCK, len(data) - start), start)
        place = np.flatnonzero(_STRUCTURAL[block])
        sign = block[place]
        is_quote = sign == ord('"')
        number = quotes + np.cumsum(is_quote)
        quotes = int(number[-1]) if len(number) else quotes
        outside = ~is_quote & (number % 2 == 0)
        place, sign = place[outside], sign[outside]
        opens = (sign == ord("[")) | (sign == ord("{"))
        after = level + np.cumsum(np.where(opens, 1, -1))
        level = int(after[-1]) if len(after) else level
        depth = after + ~opens
        shallow = depth <= 3
        brackets.append((start + place[shallow], depth[shallow], opens[shallow]))

    if (level > 0 or quotes % 2) and len(data) > _LARGE:
        raise EOFError
    if level or quotes % 2:
        raise ValueError("brackets do not match")
    if not brackets or not len(brackets[0][0]):
        raise ValueError("no brackets")
    columns = [np.concatenate(column) for column in zip(*brackets, strict=True)]

    return columns[0], columns[1], columns[2]


def _parse_elements(data: bytes, start: int, stop: int, spans: np.ndarray) -> list[dict]:
    """Parse the elements of the array ``data[start:stop]``, less what counting never needs."""
    if not len(spans):
        if data[start:stop].strip(b"[] \t\r\n"):
            raise ValueError("elements are not objects")
        return []

    elements: list[dict] = []
    chunks = (spans[:, 1] - spans[0, 0]) // _CHUNK
    limits = [0, *(np.flatnonzero(np.diff(chunks)) + 1).tolist(), len(spans)]
    end = start + 1

    for first, last in zip(limits, limits[1:], strict=False):
        a, b = int(spans[first, 0]), int(spans[last - 1, 1])
        if data[end:a].strip(b" \t\r\n") != (b"," if first else b""):
            raise ValueError("something stands between elements")
        part = orjson.loads(b"[" + data[a:b] + b"]")
        if len(part) != last - first or set(map(type, part)) != {dict}:
            raise ValueError("an element is not an object")
        for element in part:
            for key in _DROPPED:
                element.pop(key, None)
        elements += part
        end = b

    if data[end : stop - 1].strip(b" \t\r\n"):
        raise ValueError("something stands after the last element")
    return elements


def _serialise(coco: dict[str, Any]):
    """Write an object anew, so that it can be cut like a file that was read by parts."""
    pieces: list[bytes] = [b"{"]
    arrays, elements = {}, {}
    length = 1
    for number, (key, value) in enumerate(coco.items()):
        head = (b"," if number else b"") + orjson.dumps(key) + b":"
        if key in _CUT:
            parts = [orjson.dumps(element) for element in value]
            sizes = np.array([len(part) for part in parts], dtype=np.int64)
            begin = length + len(head) + 1 + np.cumsum(sizes + 1) - sizes - 1
            body = b"[" + b",".join(parts) + b"]"
            arrays[key] = (length + len(head), length + len(head) + len(body))
            elements[key] = np.stack([begin, begin + sizes], axis=1).reshape(-1, 2)
        else:
            body = orjson.dumps(value)
        pieces += [head, body]
        length += len(head) + len(body)

    pieces.append(b"}")
    return b"".join(pieces), arrays, elements
