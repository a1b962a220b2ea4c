"""A dataset's YAML file as Ultralytics defines it: where the images are, and the class names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # which MMEngine requires

from fzmm.errors import UserError
from fzmm.utils.files import read_regular

_LARGEST = 1 << 20  # bytes; the 1,203 classes of LVIS have 30 kB


@dataclass(frozen=True)
class YoloYaml:
    """What the file says.

    Attributes:
        path: The file.
        root: Its ``path``, from which the others start.
        places: The entries of each part: folders, or text files that list images.
        classes: Class names.
        has_keypoints: Whether a line is a box and keypoints, not a polygon.
    """

    path: Path
    root: str
    places: dict[str, list[str]]
    classes: list[str]
    has_keypoints: bool


def find_yamls(folder: Path) -> list[YoloYaml]:
    """Return the YAML files of a folder that describe a dataset.

    Raises:
        UserError: If one cannot be parsed; names file and line.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml")]
    contents = [(path, _parse(path)) for path in paths if not path.name.startswith(".")]
    return [_read(path, content) for path, content in contents if _is_dataset(content)]


def _is_dataset(content: Any) -> bool:
    return isinstance(content, dict) and ("names" in content or {"nc", "train"} <= content.keys())


def _parse(path: Path) -> Any:
    data = read_regular(path, _LARGEST)
    try:
        # BaseLoader makes nothing but text, lists and dicts, so that a class `no` stays its name
        return yaml.load(data, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if not path.name.startswith("data"):
            return None  # something else of the user's, such as several documents in one file
        raise UserError(_fault(path, error)) from None


def _fault(path: Path, error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return f"{path}:{line}: is not YAML ({error.problem}); repair it there"
    reason = str(error).split("\n")[0] or type(error).__name__
    return f"{path}:1: is not YAML ({reason}); repair it"


def _read(path: Path, content: dict[str, Any]) -> YoloYaml:
    places = {}
    for split, key in (("train", "train"), ("val", "val"), ("val", "valid"), ("test", "test")):
        if content.get(key) not in (None, "", "null", "~"):
            places[split] = _texts(content[key], f"{path}: `{key}`")
    root = content.get("path", "")
    if not isinstance(root, str):
        raise UserError(f"{path}: `path` is no folder's name; write one")
    classes = _class_names(content, path)
    return YoloYaml(path, root, places, classes, "kpt_shape" in content)


def _class_names(content: dict[str, Any], path: Path) -> list[str]:
    names = content.get("names") or []
    if isinstance(names, dict):
        numbers = [str(index) for index in range(len(names))]
        if set(names) != set(numbers):
            raise UserError(f"{path}: `names` has other keys than 0 to {len(names) - 1}; use these")
        names = [names[number] for number in numbers]
    classes = _texts(names, f"{path}: `names`")
    if classes and "nc" in content and content["nc"] != str(len(classes)):
        raise UserError(
            f"{path}: `nc` is {str(content['nc'])[:20]!r}, but `names` has {len(classes)} names; "
            "make them agree"
        )
    return classes


def _texts(value: Any, place: str) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise UserError(f"{place} is neither a text nor a list of texts; write one")
    return values
