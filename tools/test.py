"""Evaluate a detector: `fzmm test`, under MMDetection's name."""

from fzmm.commands.test import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
