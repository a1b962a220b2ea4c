"""``fzmm convert`` and ``tools/convert.py``: a folder of any common format, as COCO JSON."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fzmm.datasets.formats.folder_dataset import FolderDataset
from fzmm.datasets.formats.read_folder import read_folder
from fzmm.datasets.formats.write_coco import coco_bytes, refuse_other, write_coco
from fzmm.utils.terminal import printable

DESCRIPTION = """Read a folder of COCO, YOLO or Pascal VOC data and write it as COCO JSON.

The images stay where they are. Of a folder that is split, each part becomes a file of its own: with
--out F.json, F_train.json, F_val.json and so on."""
EXAMPLE = """examples:
  fzmm convert cells --out cells.json
  fzmm convert yolo --classes cat dog --out pets.json
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", metavar="FOLDER", help="Folder of the data.")
    command.add_argument("--out", required=True, metavar="F.json", help="File to write.")
    command.add_argument(
        "--classes",
        nargs="+",
        help="Class names of a YOLO folder that has none, in the order of their numbers.",
    )
    command.add_argument("--force", action="store_true", help="Replace files that exist.")
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the folder, write the files and say what was taken for what."""
    args = parser().parse_args(arguments)
    dataset = read_folder(args.folder, args.classes)
    paths = output_paths(dataset, Path(args.out))
    for name, path in paths.items():
        refuse_other(path, coco_bytes(dataset.splits[name].coco), args.force)

    print(f"{printable(args.folder)}: taken as {dataset.format}")
    for note in dataset.notes:
        print(f"  {printable(note)}")
    for name, path in paths.items():
        split = dataset.splits[name]
        write_coco(path, split.coco, args.force)
        print(printable(f"{path}: its images are in {split.images}"))


def output_paths(dataset: FolderDataset, out: Path) -> dict[str, Path]:
    """Return the file of each part: ``out`` itself if there is but one."""
    if len(dataset.splits) == 1:
        return dict.fromkeys(dataset.splits, out)
    return {name: out.with_name(f"{out.stem}_{name}{out.suffix}") for name in dataset.splits}
