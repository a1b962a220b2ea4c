"""The page that lies beside subsets and says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.paths import command_line
from fzmm.utils.pages import markdown_pages


def write_page(path: Path, summary: dict[str, Any], figures: Sequence[str]) -> None:
    """Write a README with the thesis's Table 1 for these subsets, and how far off they are.

    Args:
        path: File to write.
        summary: The summary of ``make_subsets``.
        figures: File names of figures 2 and 7.
    """
    template = markdown_pages(Path(__file__).parent / "templates").get_template("README.md.jinja")
    page = template.render(
        **summary,
        figures=figures,
        beyond_rounding=_beyond_rounding(summary["subsets"]),
        command_line=command_line,
    )
    path.write_bytes(page.encode("utf-8", "backslashreplace"))


def _beyond_rounding(subsets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the subsets that do not reach the limit of rounding."""
    return {
        name: row
        for name, row in subsets.items()
        if row["max_class_count_deviation"] > 0.5 or row["max_stratum_count_deviation"] >= 1
    }
