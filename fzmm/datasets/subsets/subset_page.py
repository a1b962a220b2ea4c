"""The page that lies beside subsets and says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_page(path: Path, summary: dict[str, Any], figures: Sequence[str]) -> None:
    """Write a README with the thesis's Table 1 for these subsets, and how far off they are.

    Args:
        path: File to write.
        summary: The summary of ``make_subsets``.
        figures: File names of figures 2 and 7.
    """
    source = summary["source"]
    table = [
        "| dataset | images | annotations |",
        "|---|---|---|",
        f"| {_cell(source['file'])} | {source['images']:,} | {source['annotations']:,} (100%) |",
    ]
    accuracy = [
        "| dataset | class share, pp | class | class and area | crowd | empty images |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in summary["subsets"].items():
        share = f"{100 * row['fraction_annotations']:.2f}%"
        table.append(f"| {_cell(name)} | {row['images']:,} | {row['annotations']:,} ({share}) |")
        accuracy.append(
            f"| {_cell(name)} | {row['max_class_share_deviation_pp']:.6f} "
            f"| {row['max_class_count_deviation']:.2f} | {row['max_stratum_count_deviation']:.2f} "
            f"| {row['crowd_deviation']:.2f} | {row['empty_deviation']:.2f} |"
        )
    lines = [
        f"# Subsets of {_text(source['file'])}",
        "",
        "Images and annotations stand in the source's order with their ids unchanged. The thesis's",
        "Table 1 for these files:",
        "",
        *table,
        "",
        "Largest deviation of a count from fraction x full set, and of a class's share from the",
        "full set's. Rounding alone makes up to 0.5 for a class, and less than 1 for its areas.",
        "",
        *accuracy,
        "",
        *_beyond_rounding(summary["subsets"]),
        f"![Instances of the most frequent classes]({figures[0]})",
        "",
        f"![Share of each class per subset]({figures[1]})",
        "",
        "Made by",
        "",
        f"    {summary['command'] or 'fzmm.datasets.subsets.make_subsets.make_subsets'}",
        "",
        f"with seed {summary['seed']} and fzmm {summary['version']}, from a file with SHA-256",
        f"`{source['sha256']}`.",
        "The same file, plan and seed give the same bytes again. To measure one of them:",
        "",
        "    python tools/make_subsets.py verify FILE --source SOURCE",
    ]
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


def _beyond_rounding(subsets: dict[str, dict[str, Any]]) -> list[str]:
    """Say which subsets do not reach the limit of rounding, and where they are furthest off."""
    names = [
        f"{_text(name)} ({_text(row['worst_class'])}; {_text(row['worst_stratum'])})"
        for name, row in subsets.items()
        if row["max_class_count_deviation"] > 0.5 or row["max_stratum_count_deviation"] >= 1
    ]
    if not names:
        return []
    return [f"Off by more, with the class and the area furthest off: {', '.join(names)}.", ""]


def _text(value: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_<>[]#" else sign for sign in value)


def _cell(value: str) -> str:
    return _text(value).replace("|", "\\|")
