"""Pages from templates (Jinja2), in which whatever is shown is escaped unless marked as safe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

GENERATOR = "fzmm, what to freeze"  # by which a page is known as one that may be replaced
_SHARED = Path(__file__).parent / "templates"
# What Markdown, or the HTML that it may hold, reads as markup; an underscore within a word is none.
_MARKDOWN = re.compile(r"([\\`*<>\[\]#|]|(?<!\w)_|_(?!\w))")


def html_pages(folder: Path) -> Environment:
    """Return the environment of HTML templates; every value in them is escaped.

    They may extend ``base.html``, a page that needs no network and allows no script.

    Args:
        folder: Where the templates are.
    """
    pages = Environment(loader=FileSystemLoader([folder, _SHARED]), autoescape=True, **_COMMON)
    pages.globals["GENERATOR"] = GENERATOR
    return pages


def text_pages(folder: Path) -> Environment:
    """Return the environment of templates for plain text, in which nothing is escaped.

    Args:
        folder: Where the templates are.
    """
    return Environment(loader=FileSystemLoader(folder), **_COMMON)


def markdown_pages(folder: Path) -> Environment:
    """Return the environment of Markdown templates; every value in them is escaped.

    Args:
        folder: Where the templates are.
    """
    environment = Environment(loader=FileSystemLoader(folder), finalize=_finalise, **_COMMON)
    environment.filters["code"] = _code
    return environment


_COMMON: dict[str, Any] = {
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
}


def escape_markdown(value: object) -> str:
    """Return a value's text in one line that Markdown shows as it is, in a table's cell too."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(value).split()))


def _finalise(value: object) -> object:
    return value if isinstance(value, Markup) else escape_markdown(value)


def _code(value: object) -> Markup:
    """Mark a text for a block of code, where everything but a line break stands for itself."""
    return Markup(" ".join(str(value).splitlines()))
