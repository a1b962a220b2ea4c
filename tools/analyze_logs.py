"""From logs to an answer: curves, times, tables, a report and a recommendation."""

from fzmm.commands.analyze_logs import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
