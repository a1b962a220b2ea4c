"""What differs between the OpenMMLab packages this works with, in one place.

Those are the maintained line (onedl-mmengine 0.10.12 and later) and the originals (mmengine 0.10.7,
mmcv 2.1.0, mmdet 3.3.0), whose loader calls ``torch.load`` and so fails on its own checkpoints with
torch 2.6 and later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine
from mmdet.datasets.api_wrappers import COCO
from mmengine.config import Config
from mmengine.runner import checkpoint as mmengine_checkpoint


def patch_mmengine_loading(
    load_file: Callable[[str, Any], Any], load_url: Callable[..., Any]
) -> None:
    """Replace the places in MMEngine's checkpoint loader that unpickle.

    Args:
        load_file: Called with a local path and ``map_location``.
        load_url: Called as ``torch.hub.load_state_dict_from_url``, which it stands for.
    """

    def load_from_local(filename: str, map_location: Any = None) -> Any:
        return load_file(os.path.expanduser(filename), map_location)

    mmengine_checkpoint.CheckpointLoader.register_scheme("", load_from_local, force=True)
    mmengine_checkpoint.load_from_local = load_from_local
    mmengine_checkpoint.load_url = load_url


def patch_annotation_reading(complete: Callable[[dict[str, Any], str], None]) -> None:
    """Let MMDetection's datasets and metrics see annotation files as ``complete`` leaves them.

    Both read them by this class. A second call changes nothing.

    Args:
        complete: Called with the file's object, which it changes, and the file's name.
    """
    read = COCO.__init__
    if getattr(read, "completes", False):
        return

    def read_completed(self: COCO, annotation_file: Any = None) -> None:
        read(self, annotation_file)
        complete(self.dataset, str(annotation_file))

    read_completed.completes = True
    COCO.__init__ = read_completed


def patch_torchvision_weights() -> None:
    """Let ``torchvision://resnet50`` name the same file where torchvision does not import.

    MMEngine imports torchvision for names of its own. Those of this kind are in a list that comes
    with MMEngine, and the torchvision that pip finds is built for the CUDA build of one PyTorch.
    """
    with_torchvision = mmengine_checkpoint.get_torchvision_models
    listed = Path(mmengine.__file__).parent / "hub" / "torchvision_0.12.json"

    def weights() -> dict[str, str]:
        try:
            return with_torchvision()
        except (ImportError, OSError, RuntimeError):  # the last two: built for another PyTorch
            return mmengine.load(listed)

    mmengine_checkpoint.get_torchvision_models = weights


def patch_config_text() -> None:
    """Let no dumped config hold text that MMEngine would expand when it is read again.

    MMEngine replaces ``{{ ... }}`` anywhere in a config's text before it runs it, also in the name
    of a class that came from somebody's annotation file. A second call changes nothing.

    The last text is kept: MMEngine asks for it with each checkpoint, and half a second goes into
    formatting it.
    """
    text = Config.pretty_text.fget
    if getattr(text, "is_inert", False):
        return

    last = {}

    def inert_text(cfg: Config) -> str:
        content = repr(cfg)
        if content not in last:
            last.clear()
            # Two braces stand together in string literals only; there the escape means the same.
            last[content] = text(cfg).replace("{{", "{\\x7b")
        return last[content]

    inert_text.is_inert = True
    Config.pretty_text = property(inert_text)
