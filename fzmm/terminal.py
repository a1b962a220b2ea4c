"""Texts from a user's files on their way to a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    """Return a text with every control character written as its escape.

    A name can hold ESC, with which a terminal is told to clear itself or to rename its window.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )
