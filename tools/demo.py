"""Run the whole study on the embedded digits: `make demo`."""

from fzmm.commands.demo import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
