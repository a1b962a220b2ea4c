"""Cut a COCO annotation file into class-stratified subsets, or measure existing ones."""

from fzmm.commands.make_subsets import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
