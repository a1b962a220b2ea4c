"""Write the annotations of a folder of COCO, YOLO or Pascal VOC data as COCO JSON."""

from fzmm.commands.convert import main
from fzmm.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
