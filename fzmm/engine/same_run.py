"""Whether a start continues the run that it would resume: same data, same scenario, same recipe."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

from fzmm.errors import UserError
from fzmm.provenance import starting_detector


def refuse_other_run(here: Mapping[str, Any], before: Mapping[str, Any], where: str) -> None:
    """Check that a run continues one on the same data and with the same scenario.

    Args:
        here: :func:`describe_run` of the run.
        before: The same of what it would continue.
        where: Names the latter in the message.

    Raises:
        UserError: If they differ; one line with the first difference.
    """
    for place, name in (
        (("study", "dataset"), "dataset"),
        (("study", "data_amount"), "data amount"),
        (("study", "arm"), "arm"),
        (("frozen_stages",), "frozen_stages"),
        (("seed",), "seed"),
        (("train", "sha256"), "training annotations"),
        (("val", "sha256"), "validation annotations"),
        (("train", "categories"), "number of categories"),
    ):
        new, old = _at(here, place), _at(before, place)
        if new is None or old is None or new == old:
            continue
        if place[-1] == "sha256":
            new = f"{_at(here, (place[0], 'ann_file'))} (sha256 {new[:8]})"
            old = f"{_at(before, (place[0], 'ann_file'))} (sha256 {old[:8]})"
        raise UserError(
            f"{where} was trained with {name} {old}, this config has {new}: it is another run; "
            "give it a --work-dir of its own"
        )

    _refuse_other_start(here.get("study"), before.get("study"), where)
    _refuse_other_recipe(here.get("recipe"), before.get("recipe"), where)
    for split in ("train", "val"):
        _refuse_other_images(here.get(split), before.get(split), where)


def _refuse_other_start(here: Any, before: Any, where: str) -> None:
    """Refuse another detector to start from, or one where there was none."""
    if not isinstance(here, Mapping) or not isinstance(before, Mapping):
        return
    if here.get("load_from_sha256") != before.get("load_from_sha256"):
        now, then = (starting_detector(study) or "no whole detector" for study in (here, before))
        raise UserError(
            f"{where} started from {then}, this config starts from {now}: it is another run; give "
            "it a --work-dir of its own"
        )


def _refuse_other_recipe(here: Any, before: Any, where: str) -> None:
    if not isinstance(here, Mapping) or not isinstance(before, Mapping):  # an older record
        return
    difference = _first_difference(here, before)
    if difference is not None:
        place, new, old = difference
        raise UserError(
            f"{where} was trained with {place} {old}, this start has {new}, and a resumed run "
            "goes on with its checkpoint's: leave it as it was, or give a --work-dir of its own"
        )


def _first_difference(here: Any, before: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """Return the place of the first difference of two JSON values, and both values there."""
    if isinstance(here, Mapping) and isinstance(before, Mapping):
        keys = dict.fromkeys([*here, *before])
        children = [(f"{place}.{key}", here.get(key), before.get(key)) for key in keys]
    elif isinstance(here, list) and isinstance(before, list) and len(here) == len(before):
        pairs = enumerate(zip(here, before, strict=True))
        children = [(f"{place}[{index}]", new, old) for index, (new, old) in pairs]
    else:
        return None if here == before else (place.lstrip("."), here, before)
    differences = (_first_difference(new, old, name) for name, new, old in children)
    return next((each for each in differences if each is not None), None)


def _refuse_other_images(here: Any, before: Any, where: str) -> None:
    """Refuse other pixels under the same annotations; a repaired image or two are let pass."""
    new, old = (_at(split, ("image_sample",)) or {} for split in (here, before))
    if not isinstance(old, Mapping):
        return
    common = [name for name in new if name in old]
    changed = [name for name in common if new[name] != old[name]]
    if 2 * len(changed) > len(common):
        raise UserError(
            f"{where} was trained with other images: {len(changed)} of {len(common)} looked at "
            f"have changed, such as {changed[0]}; put them back or give a --work-dir of its own"
        )

    if changed:
        print_log(
            f"{len(changed)} of {len(common)} images looked at have changed since {where}, such "
            f"as {changed[0]}",
            logger="current",
            level=logging.WARNING,
        )


def _at(record: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        record = record.get(key) if isinstance(record, Mapping) else None
    return record
