"""Which of fzmm's modules stand in for MMDetection's, and on which devices: the one map.

Configs name MMDetection's own modules. ``FasterModulesRunner`` (``fzmm.engine.runner.fast``) asks
here when it builds the model. Each pair has the same parameters, checkpoints and numbers (to
rounding); ``tests/models`` compares them.
"""

from __future__ import annotations

import copy
from typing import Any

FASTER_MODULES: dict[str, tuple[str, frozenset[str]]] = {
    "ResNet": ("FrozenAwareResNet", frozenset({"cpu"})),
    "ResNeXt": ("FrozenAwareResNeXt", frozenset({"cpu"})),
    "RegNet": ("FrozenAwareRegNet", frozenset({"cpu"})),
    "DetectionMobileNetV2": ("FrozenAwareMobileNetV2", frozenset({"cpu"})),
    "DetectionVGG": ("FrozenAwareVGG", frozenset({"cpu"})),
    "EfficientNetLite0": ("FrozenAwareEfficientNetLite0", frozenset({"cpu"})),
    "RPNHead": ("SampledRPNHead", frozenset({"cpu"})),
    "SingleRoIExtractor": ("GatherRoIExtractor", frozenset({"cpu"})),
    "Shared2FCBBoxHead": ("OneDNNShared2FCBBoxHead", frozenset({"cpu"})),
}
"""MMDetection's module: fzmm's, and the devices on which ``benchmarks/README.md`` has it faster."""

# Where all operators between backbone and RoI heads heed strides.
CHANNELS_LAST_DETECTORS = ("FasterRCNN",)
CHANNELS_LAST_NECKS = ("FPN",)


def use_faster_modules(model: dict, device: str | None = None) -> dict:
    """Return a copy of a model's config with fzmm's modules in place of MMDetection's.

    Single precision stays single precision, and checkpoints fit both. What fzmm has no counterpart
    for is left as it is.

    Args:
        model: The ``model`` of a config.
        device: Take only what was measured to be faster on this device, such as ``"cpu"``; by
            default all.
    """
    types = {
        stock: faster
        for stock, (faster, measured_on) in FASTER_MODULES.items()
        if device is None or device in measured_on
    }
    model = _with_types(model, types)
    for detector in _dicts(model):
        if _is_channels_last(detector):
            detector["backbone"]["channels_last_outputs"] = True
    return model


def use_stock_modules(model: dict) -> dict:
    """Return a copy of a model's config with MMDetection's modules in place of fzmm's.

    Args:
        model: The ``model`` of a config.
    """
    model = _with_types(model, {faster: stock for stock, (faster, _) in FASTER_MODULES.items()})
    for module in _dicts(model):
        module.pop("channels_last_outputs", None)
    return model


def replaced_modules(before: dict, after: dict) -> dict[str, str]:
    """Return the types of modules that differ between two configs of one model: old to new."""
    pairs = zip(_dicts(before), _dicts(after), strict=True)
    return {type_name(a): type_name(b) for a, b in pairs if type_name(a) != type_name(b)}


def type_name(config: dict) -> str:
    """Return the name of a config's ``type``, which may be a class; empty if it has none."""
    kind = config.get("type", "")
    return kind if isinstance(kind, str) else getattr(kind, "__name__", "")


def _is_channels_last(detector: dict) -> bool:
    """Whether nothing after the backbone would misread channels-last feature maps."""
    extractor = (detector.get("roi_head") or {}).get("bbox_roi_extractor") or {}
    return (
        type_name(detector) in CHANNELS_LAST_DETECTORS
        and type_name(detector["backbone"]).startswith("FrozenAware")
        and type_name(detector.get("neck") or {}) in CHANNELS_LAST_NECKS
        and type_name(extractor) == "GatherRoIExtractor"
    )


def _with_types(model: dict, types: dict[str, str]) -> dict:
    model = copy.deepcopy(model)
    for module in _dicts(model):
        if type_name(module) in types:
            module["type"] = types[type_name(module)]
    return model


def _dicts(node: Any) -> list[dict]:
    """Return every dict in nested dicts and lists, outermost first."""
    if isinstance(node, dict):
        return [node, *(child for value in node.values() for child in _dicts(value))]
    if isinstance(node, (list, tuple)):
        return [child for value in node for child in _dicts(value)]
    return []
