"""Train many configs with many seeds: `fzmm sweep`.

python tools/sweep.py configs/toy/*.py --seeds 0 1 2
python tools/sweep.py configs/toy/*.py --status
"""

from fzmm.commands.sweep import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
