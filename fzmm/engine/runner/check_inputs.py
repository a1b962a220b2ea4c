"""Checks of a training's inputs, before anything is built."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fzmm.datasets.dataset_config import annotation_path, innermost_dataset
from fzmm.detector_config.detector import class_places, place_name
from fzmm.errors import UserError
from fzmm.paths import command_line
from fzmm.utils.checkpoint_file import require_checkpoint


def check_inputs(cfg: Any, splits: Sequence[str] = ("train", "val")) -> None:
    """Check that the data of a config exists and has the categories of its model.

    Args:
        cfg: The run's config.
        splits: Whose data: ``train``, ``val``, ``test``. With ``train`` go the files of weights
            that it starts from.

    Raises:
        UserError: If an annotation file or a folder of images is missing, a file is no COCO file,
            or categories and model do not match; one line with the fix.
    """
    check_files(cfg, splits)
    for dataset in _datasets(cfg, splits):
        _check_categories(cfg, dataset)


def check_files(cfg: Any, splits: Sequence[str] = ("train", "val")) -> None:
    """Check that the files and folders are there which ``check_inputs`` reads.

    Args:
        cfg: The run's config.
        splits: As for ``check_inputs``.

    Raises:
        UserError: If one is missing; one line with the command that makes it.
    """
    for dataset in _datasets(cfg, splits):
        _check_presence(cfg, dataset)

    if "train" not in splits:
        return
    if cfg.get("load_from"):
        require_checkpoint(cfg.load_from)
    checkpoint = (cfg.get("model", {}).get("backbone", {}).get("init_cfg") or {}).get("checkpoint")
    if checkpoint and "://" not in checkpoint and not os.path.isfile(checkpoint):
        raise UserError(f"{checkpoint}: no such file of pretrained weights")


def _datasets(cfg: Any, splits: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for split in splits:
        loader = cfg.get(f"{split}_dataloader")
        if not loader or "dataset" not in loader:
            continue
        try:
            dataset = innermost_dataset(loader)
        except UserError:
            continue  # several datasets in one, or none of COCO's kind: MMDetection's to check
        if "://" not in annotation_path(dataset):
            yield dataset


def _check_presence(cfg: Any, dataset: Mapping[str, Any]) -> None:
    path = annotation_path(dataset)
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such annotation file; {_how_to_make(path, cfg)}")

    for prefix in (dataset.get("data_prefix") or {}).values():
        folder = os.path.join(dataset.get("data_root") or "", prefix)
        if isinstance(prefix, str) and "://" not in folder and not os.path.isdir(folder):
            raise UserError(f"{folder}: no such folder of images; {_how_to_make(folder, cfg)}")


def _check_categories(cfg: Any, dataset: Mapping[str, Any]) -> None:
    path = annotation_path(dataset)
    if not str(dataset.get("type", "")).endswith("CocoDataset"):
        return
    names = read_categories(path)
    classes = _classes(dataset)
    missing = [name for name in classes if name not in names]
    if missing:
        raise UserError(
            f"{path}: its categories are {_some(names)}, the config's classes are "
            f"{_some(classes)}; not in the file: {_some(missing)}. Set metainfo.classes of the "
            "datasets"
        )

    for place, number in class_places(cfg.get("model", {})):
        if number != len(classes):
            raise UserError(
                f"{cfg.filename}: {place_name(place)} is {number}, but the dataset of {path} has "
                f"{len(classes)} classes: {_some(classes)}"
            )


def read_categories(path: str) -> list[str]:
    """Return the names of a COCO file's categories without parsing the rest, if it can be helped.

    Raises:
        UserError: If there are none to be found.
    """
    with open(path, "rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise UserError(f"{path}: the file is empty") from None
        with content:
            # a file that ends in the middle was cut short; training would find out much later
            end = content[max(0, len(content) - 1024) :].rstrip()
            if not end.endswith(b"}"):
                raise UserError(f"{path}: not a whole COCO file; it does not end with '}}'")
            start = content.rfind(b'"categories"')
            if start >= 0:
                colon = content.find(b":", start)
                stop = min(len(content), colon + 2**20)  # more than any list of categories
                text = content[colon + 1 : stop].decode("utf-8", errors="ignore").lstrip()
                names = _names(text)
                if names is not None:
                    return names

    try:
        with open(path, encoding="utf-8") as file:
            return _names_of(json.load(file)["categories"])
    except RecursionError:
        raise UserError(f"{path}: not a COCO annotation file (nested too deeply)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a COCO annotation file ({error})") from error


def _names(text: str) -> list[str] | None:
    try:
        categories, _ = json.JSONDecoder().raw_decode(text)
        return _names_of(categories)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _names_of(categories: Any) -> list[str]:
    names = [category["name"] for category in categories]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a category's name is no text")
    return names


def _classes(dataset: Mapping[str, Any]) -> list[str]:
    classes = (dataset.get("metainfo") or {}).get("classes")
    if classes is None:
        from mmdet.registry import DATASETS

        classes = DATASETS.get(dataset["type"]).METAINFO["classes"]
    return [classes] if isinstance(classes, str) else list(classes)


def _how_to_make(path: str, cfg: Any) -> str:
    folder, name = os.path.split(path)
    study = cfg.get("study") or {}
    toy = study.get("dataset") == "toy"
    commands = ["python -m fzmm.toy.dataset"] if toy else []
    if os.path.basename(folder) == "fz":  # a subset
        source = os.path.join(os.path.dirname(folder), "instances_train")
        source += ".json" if toy else "2017.json"
        if os.path.isfile(source):
            commands.clear()
        cut = f"{command_line('make-subsets')} {source} --out-dir {folder}"
        if toy:
            cut += f" --subset {name.removesuffix('.json')}={study.get('fraction')}"
        commands.append(cut)
    if not commands:
        return "data/README.md shows where a dataset goes"
    return f"make it with: {', then '.join(commands)}"


def _some(names: list[str], at_most: int = 5) -> str:
    shown = ", ".join(names[:at_most])
    return f"{len(names)} ({shown}{', ...' if len(names) > at_most else ''})"
