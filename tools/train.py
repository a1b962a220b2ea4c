"""Train a detector: `fzmm train`, under MMDetection's name."""

from fzmm.commands.train import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
