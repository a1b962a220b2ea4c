"""Images that belong together, as those of one video, patient or site: told by their file names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.errors import UserError

OPTION = "--group-by"
# Python's own patterns can backtrack without end, so a process of its own matches them, which can
# be stopped. COCO's 118,287 names take a fraction of a second.
_SECONDS = 20
_SHOWN = 120  # characters of a pattern in a message
_MATCHER = """
import json, re, sys
pattern, names = json.load(sys.stdin)
try:
    pattern = re.compile(pattern)
except (re.error, RecursionError, OverflowError) as error:
    print(json.dumps(str(error) or type(error).__name__))
else:
    matches = (pattern.search(name) for name in names)
    print(json.dumps([match and match.groups() for match in matches]))
"""


@dataclass(frozen=True)
class ImageGroups:
    """Which images belong together.

    Attributes:
        pattern: The regular expression.
        index: Group of each image, int64 ``(images,)``, numbered as they first occur.
        names: What the pattern captured, of each group.
        unmatched: How many images it captured nothing of; each is a group of its own.
    """

    pattern: str
    index: np.ndarray
    names: list[str]
    unmatched: int

    @property
    def sizes(self) -> np.ndarray:
        """Number of images of each group, int64 ``(groups,)``."""
        return np.bincount(self.index, minlength=len(self.names))

    def on_both_sides(self, split: int) -> list[str]:
        """Return the groups that have images both before and from a place on.

        Args:
            split: Number of images on the first side.
        """
        first, second = set(self.index[:split].tolist()), set(self.index[split:].tolist())
        return [self.names[group] for group in sorted(first & second)]


def group_images(file_names: Sequence[str], pattern: str) -> ImageGroups:
    """Group images by the part of their file name that a pattern captures.

    The pattern is searched anywhere in ``file_name``, folders included. With several capture
    groups, images belong together if all of them agree.

    Args:
        file_names: Of the images.
        pattern: A regular expression of Python's with at least one capture group.

    Raises:
        UserError: If it is none, captures nothing, captures the same of every image, or takes too
            long; one line.
    """
    captured = _captured(file_names, pattern)
    numbers: dict[tuple, int] = {}
    names, index, unmatched = [], [], 0
    for number, (name, parts) in enumerate(zip(file_names, captured, strict=True)):
        known = parts is not None and any(parts)
        unmatched += not known
        key = tuple(parts) if known else (number,)  # a number is never captured
        if key not in numbers:
            numbers[key] = len(names)
            names.append("/".join(filter(None, parts)) if known else name)
        index.append(numbers[key])

    if unmatched == len(file_names):
        raise UserError(
            f"{_option(pattern)}: captures nothing in any of {len(file_names)} file names, such as "
            f"{file_names[0]}"
        )
    if len(names) == 1:
        raise UserError(
            f"{_option(pattern)}: puts all {len(file_names)} images into one group, {names[0]!r}; "
            "capture what tells them apart"
        )
    return ImageGroups(pattern, np.array(index, np.int64), names, unmatched)


def describe_groups(groups: ImageGroups) -> str:
    """Return how many groups there are, how large, and what stands alone."""
    text = f"{len(groups.names):,} groups, the largest of {int(groups.sizes.max()):,} images"
    if groups.unmatched:
        text += f"; {groups.unmatched:,} images that the pattern does not match are one each"
    return text


def _option(pattern: str) -> str:
    return f"{OPTION} {pattern if len(pattern) <= _SHOWN else pattern[:_SHOWN] + '...'}"


def _captured(file_names: Sequence[str], pattern: str) -> list[list[str | None] | None]:
    """Return the captured texts of each name; None where the pattern is not found."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCHER],
            input=json.dumps([pattern, list(file_names)]),
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{_option(pattern)}: takes more than {_SECONDS} s on {len(file_names)} file names; "
            "write it without repeats within repeats"
        ) from None
    except subprocess.CalledProcessError as error:
        raise UserError(
            f"{_option(pattern)}: cannot be used ({error.stderr.strip().splitlines()[-1:]})"
        ) from None

    captured = json.loads(done.stdout)
    if isinstance(captured, str):
        raise UserError(f"{_option(pattern)}: is no regular expression of Python's ({captured})")
    if [] in captured:
        raise UserError(
            f"{_option(pattern)}: captures nothing; put what names the group in parentheses, as in "
            r"'(patient\d+)_'"
        )
    return captured
