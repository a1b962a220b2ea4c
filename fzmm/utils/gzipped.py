"""Files that may be gzipped, told by their content."""

from __future__ import annotations

import gzip
import io
import zlib

from fzmm.errors import UserError

# Gzip makes annotation files and logs 4 to 20 times smaller, and zeros a thousand times.
_LARGEST_RATIO = 100
_SMALL = 1 << 26


def unpack(data: bytes, source: str) -> bytes:
    """Return a file's text: unpacked if it is gzipped, without a byte order mark.

    Raises:
        UserError: If the gzip stream is cut off or damaged.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = _decompress(data, source)
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise UserError(
                f"{source}: the gzip stream is damaged or cut off ({error}); copy the file again"
            ) from None
    return data.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Windows editors write it


def _decompress(data: bytes, source: str) -> bytes:
    packed, text = io.BytesIO(data), io.BytesIO()
    with gzip.open(packed) as file:
        while chunk := file.read(1 << 20):
            text.write(chunk)
            limit = max(_SMALL, _LARGEST_RATIO * packed.tell())
            if text.tell() > limit:
                raise UserError(
                    f"{source}: unpacks to more than {limit >> 20:,} MB; no annotation file or "
                    "log does, is it the right one?"
                )
    return text.getvalue()
