"""Reading a COCO annotation file, and refusing a broken one with the place that is broken."""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn

import numpy as np
import orjson

from fzmm.errors import UserError
from fzmm.utils.files import read_regular
from fzmm.utils.gzipped import unpack

# Above this a float no longer tells neighbouring whole numbers apart.
_LARGEST_EXACT_FLOAT = 2**53
# The largest annotation files of public datasets have some 6 GB (Objects365's have 5).
_LARGEST_FILE = 1 << 33


def read_annotations(path: str | os.PathLike) -> dict[str, Any]:
    """Read a COCO annotation file, plain or gzipped, and check it.

    Args:
        path: The file. Gzip is recognised by its content, not by its name.

    Returns:
        The file's JSON object as it is, unknown keys included.

    Raises:
        UserError: If the file cannot be read, is not JSON or breaks a rule, see
            ``check_annotations``.
    """
    coco = parse_annotations(unpack(read_bytes(path), str(path)), str(path))
    check_annotations(coco, str(path))
    return coco


def read_bytes(path: str | os.PathLike) -> bytes:
    """Return a file's content.

    Raises:
        UserError: If it cannot be read, or is not a regular file of a possible size.
    """
    return read_regular(path, _LARGEST_FILE)


def parse_annotations(data: bytes, source: str) -> dict[str, Any]:
    """Parse JSON whose top level must be an object.

    Args:
        data: UTF-8 text.
        source: What to call it in messages.

    Raises:
        UserError: If it is not JSON or not an object.
    """
    with no_garbage_collection():
        try:
            coco = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            coco = _explain_json_error(data, source, error)
    if not isinstance(coco, dict):
        raise UserError(
            f"{source}: the top level is {_json_type(coco)}, not an object with images, "
            "annotations and categories; give a COCO instances file"
        )
    return coco


def check_annotations(coco: dict[str, Any], source: str) -> None:
    """Check everything that choosing subsets and training rely on.

    Required are ``images``, ``annotations`` and ``categories`` as lists of objects; whole-number
    ids, unique in each list (a float such as ``7.0`` is a whole number); annotations of known
    images and categories; a ``bbox`` of four finite numbers without negative width or height.
    ``area``, ``width`` and ``height`` may be absent, but not other than a finite number.

    Args:
        coco: The file's object.
        source: What to call the file in messages.

    Raises:
        UserError: At the first rule that is broken; names the element.
    """
    for key in ("images", "annotations", "categories"):
        if key not in coco:
            raise UserError(f"{source}: `{key}` is missing; give a COCO instances file")
        _check_objects(coco[key], key, source)

    if not coco["images"]:
        raise UserError(f"{source}: `images` is empty; there is nothing to choose from")
    ids = {key: _check_ids(coco[key], key, source) for key in ("images", "categories")}
    annotations = coco["annotations"]
    _check_ids(annotations, "annotations", source)
    _check_references(annotations, "image_id", ids["images"], "images", source)
    _check_references(annotations, "category_id", ids["categories"], "categories", source)
    _check_boxes(annotations, source)

    _check_numbers(annotations, "annotations", "area", source)
    for key in ("width", "height"):
        _check_numbers(coco["images"], "images", key, source)

    for index, category in enumerate(coco["categories"]):
        if not isinstance(category.get("name"), str):
            _refuse(
                source, "categories", index, category, "has no `name` that is text; give it one"
            )


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Pause it: of millions of new objects none is garbage, and looking for some costs time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _explain_json_error(data: bytes, source: str, error: orjson.JSONDecodeError) -> Any:
    """Return what Python's more lenient parser reads, so that a NaN is reported where it stands.

    Python's parser takes NaN and Infinity, which JSON does not have. If that was all, checking
    what it read names the annotation; if nothing is found there, the NaN is reported as such.
    """
    place = f"line {error.lineno}, column {error.colno}"
    constants: list[str] = []

    def note(name: str) -> float:
        constants.append(name)
        return float(name.replace("Infinity", "inf"))

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise UserError(
            f"{source}: byte {wrong.start} is not UTF-8 text; save the file as UTF-8 JSON"
        ) from None

    try:
        coco = json.loads(text, parse_constant=note)
    except json.JSONDecodeError as wrong:
        where = f"line {wrong.lineno}, column {wrong.colno}"
        if _ends_early(text.rstrip(), wrong):
            reason = "ends in the middle, it is cut off; copy or download it again"
        else:
            reason = f"is not JSON ({wrong.msg}); give a COCO instances file"
        raise UserError(f"{source}: {where}: {reason}") from None
    except (RecursionError, ValueError) as wrong:
        raise UserError(f"{source}: {place}: cannot be parsed ({wrong}); repair it there") from None

    if constants and isinstance(coco, dict):
        check_annotations(coco, source)
        raise UserError(
            f"{source}: {place}: {constants[0]} is not JSON; replace it by a number or null"
        )

    raise UserError(f"{source}: {place}: is not JSON ({error.msg}); repair it there")


def _ends_early(text: str, error: json.JSONDecodeError) -> bool:
    rest = text[error.pos :]
    return (
        not rest
        or error.msg.startswith("Unterminated")
        or (error.msg.startswith("Invalid \\") and len(rest) < 8)
        or any(word.startswith(rest) for word in ("true", "false", "null", "-"))
    )


def _json_type(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a number")


def _refuse(source: str, key: str, index: int, entry: Any, reason: str) -> NoReturn:
    name = f"{key}[{index}]"
    if isinstance(entry, dict) and type(entry.get("id")) in (int, float):
        name += f" (id {entry['id']})"
    raise UserError(f"{source}: {name} {reason}")


def _check_objects(entries: Any, key: str, source: str) -> None:
    if type(entries) is not list:
        raise UserError(f"{source}: `{key}` is {_json_type(entries)}, not a list; make it one")
    if set(map(type, entries)) <= {dict}:
        return
    index = next(i for i, entry in enumerate(entries) if type(entry) is not dict)
    _refuse(
        source, key, index, None, f"is {_json_type(entries[index])}, not an object; make it one"
    )


def _is_id(value: Any) -> bool:
    if type(value) is float:
        return value.is_integer() and abs(value) <= _LARGEST_EXACT_FLOAT
    return type(value) is int


def _check_ids(entries: list[dict], key: str, source: str) -> set:
    """Check that ids are whole numbers, each once, and return them."""
    _check_whole_numbers(entries, key, "id", source)
    ids = set(map(itemgetter("id"), entries))
    if len(ids) == len(entries):
        return ids
    first: dict[Any, int] = {}
    for index, entry in enumerate(entries):
        earlier = first.setdefault(entry["id"], index)
        if earlier != index:
            _refuse(
                source, key, index, entry, f"has the id of {key}[{earlier}]; give each its own id"
            )
    raise AssertionError("unreachable")


def _check_whole_numbers(entries: list[dict], key: str, field: str, source: str) -> None:
    try:
        if set(map(type, map(itemgetter(field), entries))) <= {int}:
            return
    except KeyError:
        pass

    for index, entry in enumerate(entries):
        if field not in entry:
            _refuse(source, key, index, entry, f"has no `{field}`; give it one")
        value = entry[field]
        if not _is_id(value):
            shown = json.dumps(value)[:40]
            _refuse(
                source,
                key,
                index,
                entry,
                f"has `{field}` {shown}, which is no whole number; use an integer",
            )


def _check_references(
    annotations: list[dict], field: str, ids: set, target: str, source: str
) -> None:
    _check_whole_numbers(annotations, "annotations", field, source)
    if set(map(itemgetter(field), annotations)) <= ids:
        return
    index = next(i for i, annotation in enumerate(annotations) if annotation[field] not in ids)
    _refuse(
        source,
        "annotations",
        index,
        annotations[index],
        f"has `{field}` {annotations[index][field]}, which is not in `{target}`; "
        "remove the annotation or add what it names",
    )


def _check_boxes(annotations: list[dict], source: str) -> None:
    boxes = [annotation.get("bbox") for annotation in annotations]
    types = set(map(type, boxes))
    if types <= {list} and set(map(len, boxes)) <= {4}:
        numbers = _finite_numbers(list(chain.from_iterable(boxes)))
        if numbers is not None and (numbers.reshape(-1, 4)[:, 2:] >= 0).all():
            return
    for index, box in enumerate(boxes):
        reason = _box_fault(box)
        if reason:
            _refuse(source, "annotations", index, annotations[index], reason)


def _box_fault(box: Any) -> str | None:
    remedy = "give [x, y, width, height]"
    if box is None:
        return f"has no `bbox`; {remedy}"
    if type(box) is not list or len(box) != 4 or _finite_numbers(box) is None:
        return f"has a `bbox` that is not four finite numbers; {remedy}"
    if box[2] < 0:
        return f"has a `bbox` of negative width {box[2]}; {remedy}"
    if box[3] < 0:
        return f"has a `bbox` of negative height {box[3]}; {remedy}"
    return None


def _finite_numbers(values: list[Any]) -> np.ndarray | None:
    """Return the values as floats, or None if one is not a finite number."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:  # an integer beyond the largest float
        return None
    return numbers if np.isfinite(numbers).all() else None


def _check_numbers(entries: list[dict], key: str, field: str, source: str) -> None:
    if _finite_numbers([entry[field] for entry in entries if field in entry]) is not None:
        return
    for index, entry in enumerate(entries):
        if field in entry and _finite_numbers([entry[field]]) is None:
            _refuse(
                source,
                key,
                index,
                entry,
                f"has `{field}` {json.dumps(entry[field])[:40]}, which is no finite number; fix it",
            )
