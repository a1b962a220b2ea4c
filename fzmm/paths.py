"""Where fzmm's own files lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The clone, or the folder of installed packages."""
BASES = ROOT / "configs" / "_base_"
