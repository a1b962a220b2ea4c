"""Make a study of any dataset: check it, cut subsets, write configs/<name>/.

python tools/new_study.py --name bccd --data DIR
python tools/new_study.py --name bccd --train-ann A.json --val-ann B.json \
        --train-images DIR --val-images DIR
"""

from fzmm.commands.new_study import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
