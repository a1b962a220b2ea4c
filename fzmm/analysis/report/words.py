"""Sentences from templates: the same words on the page, in the terminal and in ``summary.json``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment
from jinja2.environment import TemplateModule

from fzmm.analysis.report import formats
from fzmm.utils.pages import html_pages, text_pages

TEMPLATES = Path(__file__).parent / "templates"


def report_pages() -> Environment:
    """Return the environment of the report's HTML templates."""
    return _with_words(html_pages(TEMPLATES))


@cache
def words(name: str) -> TemplateModule:
    """Return the macros of a template, which give plain text.

    Args:
        name: ``recommendation_words``, ``rate_words``, ``finding_words`` or ``shorter_words``.
    """
    return _with_words(text_pages(TEMPLATES)).get_template(f"{name}.jinja").module


def _with_words(pages: Environment) -> Environment:
    pages.filters.update(formats.FILTERS)
    return pages
