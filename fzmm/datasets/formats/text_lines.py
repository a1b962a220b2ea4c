"""Lines of a text file with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fzmm.errors import UserError
from fzmm.utils.files import read_regular

_LARGEST = 1 << 27  # bytes; a list of a million images has some 50 MB


def numbered_lines(path: Path, limit: int = _LARGEST) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of each line that is not blank.

    Raises:
        UserError: If the file cannot be read or is no UTF-8 text.
    """
    for number, line in enumerate(read_regular(path, limit).split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise UserError(f"{path}:{number}: is not UTF-8 text; save it as such") from None
        if text:
            yield number, text
