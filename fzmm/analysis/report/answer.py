"""The first screen of the report: what to freeze, what it saves, more data or not, how sure."""

from __future__ import annotations

from html import escape

from fzmm.analysis.conclusions import missing_runs
from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.recommendation import Recommendation
from fzmm.analysis.report import text
from fzmm.analysis.report.page import Links
from fzmm.analysis.statistics.cohorts import Cohort, is_complete, size_name
from fzmm.analysis.statistics.estimates import best_map
from fzmm.scenarios import UNFROZEN

_NOTHING_LEARNT = 0.01  # below 1% mAP, differences between scenarios are differences of nothing


def answer_html(conclusions: CohortConclusions, links: Links) -> str:
    """Write the answer for one cohort: a card for each size of data and two paragraphs."""
    cohort, recommendations = conclusions.cohort, conclusions.recommendations
    by_amount = {item.amount: item for item in recommendations}
    cards = ""
    for level in cohort.levels:
        items = [by_amount[amount] for amount in level if amount in by_amount]
        if items:
            main = max(items, key=lambda item: sum(map(len, (item.runs, item.top_runs))))
            cards += _card(main, [item for item in items if item is not main], cohort, links)
    if not cards:
        cards = (
            '<div class="card"><p class="big">No answer yet</p><p>A recommendation needs finished '
            "runs of at least two freezing scenarios on the same data.</p></div>"
        )
    return (
        f'<div class="cards">{cards}</div><div class="answers">'
        f"<div><h3>Would more data help?</h3>{_more_data(conclusions, links)}</div>"
        f"<div><h3>How sure is this?</h3>{_how_sure(cohort, recommendations, links)}</div></div>"
    )


def advice(item: Recommendation) -> str:
    """Say a recommendation in one phrase: ``Freeze 2 stages and the stem``."""
    return {
        -1: "Freeze nothing",
        0: "Freeze the stem alone",
        1: "Freeze the stem and stage 1",
        4: "Freeze the whole backbone",
    }.get(item.frozen_stages, f"Freeze the stem and stages 1–{item.frozen_stages}")


def _card(item: Recommendation, siblings, cohort: Cohort, links: Links) -> str:
    lines = [_quality(item, links), _savings(item, links), _stop(item, links)]
    lines.append(_siblings(item, siblings, cohort))
    rows = "".join(f"<li>{line}</li>" for line in lines if line)
    return (
        f'<div class="card"><h3>{_amount_title(item, cohort)}</h3>'
        f'<p class="big">{advice(item)}</p>'
        f'<p class="soft"><code>frozen_stages={item.frozen_stages}</code>, '
        f"{text.plural(item.trainable, 'trainable stage')}, of {len(item.compared)} scenarios "
        f"compared</p><ul>{rows}</ul></div>"
    )


def _amount_title(item: Recommendation, cohort: Cohort) -> str:
    name, size = cohort.name(item.amount), size_name(item.amount)
    known = f"{item.amount.images:,} images" if item.amount.images else ""
    parts = [part for part in (size if size != name else "", known) if part and part != name]
    return f"With {escape(name)}" + (f" ({escape(', '.join(parts))})" if parts else "")


def _siblings(item: Recommendation, siblings, cohort: Cohort) -> str:
    """Say what the other subsets of the same size advise."""
    if not siblings:
        return ""
    same = [cohort.name(s.amount) for s in siblings if s.trainable == item.trainable]
    parts = [f"{escape(', '.join(same))}: the same advice"] if same else []
    parts += [
        f"{escape(cohort.name(s.amount))}: <code>frozen_stages={s.frozen_stages}</code>"
        for s in siblings
        if s.trainable != item.trainable
    ]
    return "; ".join(parts)


def _quality(item: Recommendation, links: Links) -> str:
    shown = f"best mAP <b>{text.map_(item.best_map.value)}</b>"
    if item.best_map.known:
        shown += f" ({text.interval(item.best_map)})"
    shown += f" {links.to(item.runs)}: "
    if item.trainable == item.top_trainable:
        return shown + "the highest of all"
    shown += f"{text.points(item.lost.value)} below the highest "
    shown += f"({item.top_trainable} trainable {links.to(item.top_runs)})"
    if item.lost.known:
        shown += f", {text.interval(item.lost)}"
        shown += "" if item.lost.excludes_zero else ": no difference is shown"
    return shown + f", within the tolerance of {text.points(item.tolerance)}"


def _savings(item: Recommendation, links: Links) -> str:
    if item.trainable == UNFROZEN:
        return "nothing is saved: this is the unfrozen run"
    known = [
        (f"{_less(ratio)} {noun}")
        for ratio, noun in (
            (item.time_ratio, "training time"),
            (item.memory_ratio, "memory"),
            (item.parameter_ratio, "trainable parameters"),
        )
        if ratio is not None
    ]
    if not item.unfrozen_runs:
        return "what it saves is unknown: there is no finished unfrozen run to compare with"
    if not known:
        return "what it saves is unknown: the runs log no times"
    return (
        f"against unfrozen: <b>{known[0]}</b>"
        + "".join(f", {part}" for part in known[1:])
        + f" {links.to(item.unfrozen_runs)}"
    )


def _less(ratio: float) -> str:
    change = round(100 * (ratio - 1))
    return f"{-change}% less" if change < 0 else f"{change}% more" if change else "no change in"


def _stop(item: Recommendation, links: Links) -> str:
    share = f" ({text.percent(item.stop_share)} of the schedule)" if item.stop_share else ""
    low, high = item.stop_range
    among = f", {low:,} to {high:,} among the runs" if low != high else ""
    shown = f"stop at iteration <b>{item.stop_at:,}</b>{share}{among}"
    if round(100 * item.lost_after, 1) > 0:
        return f"{shown}: training on loses {text.points(item.lost_after)}"
    return f"{shown}: training on loses nothing"


def _more_data(conclusions: CohortConclusions, links: Links) -> str:
    curve = conclusions.learning_curve
    stages = conclusions.recommendations[0].trainable if conclusions.recommendations else UNFROZEN
    lines = missing_runs.amounts_to_run(conclusions.cohort, stages)
    more_runs = _commands("Runs that would tell", lines)
    if curve is None:
        return (
            "<p>Cannot be told: that needs finished runs on at least two data amounts.</p>"
            + more_runs
        )
    below, top = curve.last_two
    seen = f"From {escape(below.label)} to {escape(top.label)} the best mAP changed by "
    seen += f"<b>{text.points(curve.observed.value, True)}</b>"
    if curve.observed.known:
        seen += f" ({text.interval(curve.observed)})"
        seen += "" if curve.observed.excludes_zero else ", no difference is shown"
    seen += f" {links.to([*below.runs, *top.runs])}."
    if curve.gain is None:
        return f"<p>Cannot be predicted: {escape(curve.reason)}.</p><p>{seen}</p>{more_runs}"
    gain = curve.gain
    source = "measured" if curve.noise.measured else "the thesis’s, ours is unknown"
    if gain.low > 0 and round(100 * gain.value, 1) > 0:
        verdict = "Yes: twice the data is predicted to give "
    else:
        verdict = "That is not shown: twice the data is predicted to give "
    verdict += f"<b>{text.points(gain.value, True)}</b> ({text.interval(gain)}; noise: {source})."
    more = f"<p class='note'>{escape(curve.reason[:1].upper() + curve.reason[1:])}.</p>"
    return f"<p>{verdict}</p><p>{seen}</p>{more if curve.reason else ''}"


def _how_sure(cohort: Cohort, items: list[Recommendation], links: Links) -> str:
    finished = [run for run in cohort.runs if is_complete(run)]
    parts = []
    highest = max((best_map(run) for run in finished), default=None)
    if highest is not None and highest < _NOTHING_LEARNT:
        parts.append(
            f"<p><b>Nothing has been learnt yet</b>: the best mAP of all is "
            f"{text.map_(highest, 2)}%. The advice above means nothing.</p>"
        )
    parts += [f"<p>From {text.plural(len(finished), 'finished run')} of {len(cohort.runs)}.</p>"]
    rest = [run for run in cohort.runs if not is_complete(run)]
    if rest:
        parts.append(
            f"<p>Unfinished or without validation, and left out of every mean: {links.to(rest)}."
            "</p>"
        )
    if items:
        level = items[0].noise
        if level.measured:
            parts.append(
                f"<p>The noise is measured: repeats that differ in the seed alone lie up to "
                f"<b>{text.points(level.value)}</b> ({text.percent(level.relative, 1)}) apart "
                f"{links.to(level.runs)}; the thesis found 0.4 pp (1.6%).</p>"
            )
        else:
            parts.append(
                "<p><b>The noise is unknown</b>: no scenario was run with a second seed. The "
                "thesis’s 0.4 pp (Faster R-CNN on COCO) stands in for it; differences below it "
                "say nothing.</p>"
            )
            parts.append(
                _commands("Runs that would measure it", missing_runs.repeats_to_run(cohort))
            )
        lacking = [item.amount.name for item in items if UNFROZEN not in item.compared]
        if lacking:
            parts.append(
                f"<p>No unfrozen run on {escape(', '.join(lacking))}: a higher mAP may be missed "
                "there.</p>"
            )
    devices = {d for run in cohort.runs for start in run.starts for d in _devices(start)}
    if len(devices) > 1:
        parts.append(
            f"<p>Training times come from different devices ({escape(', '.join(sorted(devices)))})"
            " and are not comparable.</p>"
        )
    return "".join(parts)


def _commands(title: str, lines: list[str]) -> str:
    if not lines:
        return ""
    shown = "\n".join(escape(line) for line in lines)
    return f"<details><summary>{title}</summary><pre>{shown}</pre></details>"


def _devices(start: dict) -> list[str]:
    devices = start.get("devices")
    return sorted({str(d) for d in devices}) if isinstance(devices, list) else []
