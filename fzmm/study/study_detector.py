"""The detector of a study: the base's, with another backbone, the data's classes, its scenarios."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from fzmm.detector_config.backbone_changes import (
    live_norms,
    set_backbone,
    set_depth,
    set_weights,
)
from fzmm.detector_config.detector import learns_masks
from fzmm.detector_config.detector_changes import combine, merge, set_classes
from fzmm.detector_config.freezing import Scenario, build_module, scenarios_of
from fzmm.detector_config.pretrained_file import prefix_in
from fzmm.detector_config.step_time import quiet
from fzmm.errors import UserError
from fzmm.paths import BASES
from fzmm.scenarios import FROZEN_STAGES, trainable_stages
from fzmm.study.arms import Arm, read_arms
from fzmm.study.dataset.data_check import DataReport
from fzmm.study.starting_point import StartingPoint, starting_point
from fzmm.study.study_options import StudyOptions
from fzmm.utils.config_file import read_config_file

_OUR_IMPORTS = "fzmm.register"


@dataclass
class StudyDetector:
    """The detector of a study.

    Attributes:
        cfg: The config that it comes from.
        model: The model's config as the study trains it.
        changes: What overrides the base's model to that effect.
        scenarios: All that its backbone knows, by ``frozen_stages``, the least frozen first.
        chosen: Those that the study trains.
        arms: What it trains beside them.
        custom_imports: The config's, where the recipe's own do not do.
        start: The checkpoint that it starts from, where it is one of a whole detector.
        notes: What was left out of the base.
    """

    cfg: Any
    model: dict[str, Any]
    changes: dict[str, Any] = field(default_factory=dict)
    scenarios: dict[int, Scenario] = field(default_factory=dict)
    chosen: list[Scenario] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    custom_imports: dict[str, Any] = field(default_factory=dict)
    start: StartingPoint | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def images_per_device(self) -> int:
        """Images an iteration of one device."""
        return self.cfg.train_dataloader.batch_size

    @property
    def counts_as_resnet(self) -> bool:
        """Whether ``frozen_stages`` means what it does in a ResNet, so that nothing says more."""
        counts = {value: s.trainable_stages for value, s in self.scenarios.items()}
        return counts == {value: trainable_stages(value) for value in FROZEN_STAGES}

    def learning_rate(self, batch: int) -> float:
        """Return the base's learning rate in proportion to ``batch`` images an iteration."""
        made_for = self.cfg.get("auto_scale_lr", {}).get("base_batch_size") or batch
        return float(self.cfg.optim_wrapper.optimizer.lr * batch / made_for)

    def change(self, changes: dict[str, Any]) -> None:
        """Add changes of the base's model."""
        combine(self.changes, changes)
        merge(self.model, changes)


def study_detector(options: StudyOptions) -> StudyDetector:
    """Return a study's detector, before anything is known of the data.

    Raises:
        UserError: If the base cannot be read, or its backbone does not fit the options.
    """
    cfg = read_base(options.base)
    detector = StudyDetector(cfg, copy.deepcopy(cfg.model.to_dict()))
    # a whole detector brings those of its backbone
    pretrained = "none" if options.load_from else options.pretrained
    if options.backbone is not None:
        detector.change(set_backbone(detector.model, options.backbone, pretrained))
    if options.depth is not None:
        detector.change(set_depth(detector.model, options.depth))
    if pretrained is not None and options.backbone is None:
        detector.change(set_weights(detector.model, pretrained))
    if pretrained is not None and (prefix := prefix_in(pretrained, detector.model["backbone"])):
        detector.change(dict(backbone=dict(init_cfg=dict(prefix=prefix))))
    if (options.pretrained or "").lower() == "none":
        detector.change(live_norms(detector.model["backbone"]))
    if options.load_from and detector.model.get("init_cfg"):
        detector.change(dict(init_cfg=None))

    source = options.base or "the recipe"
    detector.scenarios = scenarios_of(detector.model, source)
    detector.chosen = _choose(detector, options)
    detector.arms = read_arms(options.arms)
    detector.custom_imports = _custom_imports(cfg, options)
    hooks = [str(hook.get("type")) for hook in cfg.get("custom_hooks", [])]
    if hooks and options.base is not None:
        detector.notes.append(f"its hooks are left out: {', '.join(hooks)}")

    return detector


def fit_to_data(detector: StudyDetector, options: StudyOptions, report: DataReport) -> None:
    """Give a detector the data's classes, and the weights that it starts from.

    Raises:
        UserError: If it learns masks and the data has none, an arm names modules that it has not,
            or the weights are of another detector.
    """
    if learns_masks(detector.model):
        _require_masks(detector.model, options.base, report)
    combine(detector.changes, set_classes(detector.model, len(report.train.classes)))
    freezing = [arm for arm in detector.arms if arm.kind == "freeze"]
    if freezing:
        model = build_module(detector.model)
        for arm in freezing:
            arm.require_modules(model)
    if options.load_from:
        detector.start = starting_point(options.load_from, detector.model)
        detector.notes += detector.start.notes


def read_base(base: str | None) -> Any:
    """Return the config that the detector comes from.

    Raises:
        UserError: If it cannot be read.
    """
    with quiet():
        cfg = read_config_file(
            base or BASES / "coco100.py", name=f"--base {base}" if base else None
        )
    for key in ("model", "train_dataloader", "optim_wrapper"):
        if key not in cfg:
            raise UserError(
                f"--base {base}: has no {key}; give the config of a detector's training"
            )
    return cfg


def _choose(detector: StudyDetector, options: StudyOptions) -> list[Scenario]:
    numbers = list(detector.scenarios) if options.frozen is None else dict.fromkeys(options.frozen)
    for number in numbers:
        if number not in detector.scenarios:
            meanings = ", ".join(
                f"{value} ({scenario.trainable_stages} trainable)"
                for value, scenario in detector.scenarios.items()
            )
            raise UserError(
                f"--frozen {number}: {detector.model['backbone']['type']} takes {meanings}"
            )
    return [detector.scenarios[number] for number in numbers]


def _custom_imports(cfg: Any, options: StudyOptions) -> dict[str, Any]:
    """Return the imports of a base and a backbone beside fzmm's own, or nothing if there are none.

    A backbone of the user's own comes from a module that every run has to import.
    """
    imports = (cfg.get("custom_imports") or {}).get("imports") or []
    modules = [imports] if isinstance(imports, str) else list(imports)
    if options.backbone is not None:
        from fzmm.detector_config.backbones import BACKBONES

        modules += BACKBONES[options.backbone].imports
    modules = list(dict.fromkeys([*modules, _OUR_IMPORTS]))
    if modules == [_OUR_IMPORTS]:
        return {}
    return dict(imports=modules, allow_failed_imports=False)


def _require_masks(model: dict[str, Any], base: str | None, report: DataReport) -> None:
    """Refuse a detector of masks on data that has only boxes."""
    for split in (report.train, report.val):
        for index, annotation in enumerate(split.coco["annotations"]):
            if not annotation.get("segmentation"):
                raise UserError(
                    f"{base}: {model.get('type')} learns masks, and annotations[{index}] of "
                    f"{split.ann_file} has no segmentation; take a detector of boxes"
                )
