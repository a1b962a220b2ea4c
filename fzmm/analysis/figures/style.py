"""The look that all figures share: colours, markers and line styles that tell apart without colour.

Colours are those of Okabe and Ito (2008), which people with any common colour blindness can tell
apart; yellow is left out, since it is lost on white.
"""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate
from fzmm.utils.terminal import printable

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#767676"
WINE = "#882255"  # of Tol's muted scheme, apart from the others in lightness too

# By number of trainable stages: 0 to 5 of a ResNet, up to 8 of a MobileNetV2.
STAGES = (
    {"color": BLACK, "marker": "o", "linestyle": "-"},
    {"color": ORANGE, "marker": "s", "linestyle": "--"},
    {"color": SKY, "marker": "^", "linestyle": "-."},
    {"color": GREEN, "marker": "D", "linestyle": "-"},
    {"color": PURPLE, "marker": "v", "linestyle": ":"},
    {"color": VERMILLION, "marker": "P", "linestyle": "--"},
    {"color": BLUE, "marker": "X", "linestyle": "-"},
    {"color": GREY, "marker": "*", "linestyle": "-."},
    {"color": WINE, "marker": "h", "linestyle": ":"},
)
# Of the scenarios that do something else than freezing stages: hollow marks.
ARMS = tuple(
    {"color": color, "marker": marker, "linestyle": line, "markerfacecolor": "white"}
    for color, marker, line in (
        (BLUE, "X", (0, (5, 1))),
        (GREY, "*", (0, (1, 1))),
        (BLUE, "d", ":"),
        (GREY, "p", "-."),
    )
)
# By rank of the data amount, the largest first.
AMOUNTS = (
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILLION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": ":"},
    {"color": PURPLE, "marker": "D", "linestyle": "-."},
    {"color": ORANGE, "marker": "v", "linestyle": "-"},
    {"color": SKY, "marker": "P", "linestyle": "--"},
    {"color": BLACK, "marker": "X", "linestyle": ":"},
)
TRAIN = {"color": BLUE, "marker": "o", "linestyle": "--"}
VALIDATION = {"color": VERMILLION, "marker": "s", "linestyle": "-"}
TIME = {"color": GREEN, "marker": "o", "linestyle": "-"}
RING = {
    "linestyle": "",
    "marker": "o",
    "markersize": 15,
    "markerfacecolor": "none",
    "markeredgecolor": BLUE,
    "markeredgewidth": 1.6,
}

# Panels or lines of a figure: the palette has eight colours, and seventy panels take half a minute.
MOST_AMOUNTS = 9

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",  # looks the same everywhere, whatever fonts there are
    "svg.hashsalt": "fzmm",  # equal data gives equal files
    "axes.formatter.useoffset": False,
}


def styled():
    """Return the context in which figures are drawn and saved."""
    return rc_context(RC)


def new_figure(panels: int = 1, width: float = 7.2, height: float = 4.0, share_y: bool = True):
    """Make a figure of ``panels`` plots, at most three in a row.

    Returns:
        The figure and the list of its axes.
    """
    columns = min(panels, 3)
    rows = -(-panels // columns)
    if panels > 1:
        width, height = 3.6 * columns + 1.9, 3.4 * rows + 0.3
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.runs = []  # what is drawn, so that the report can link to it
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y).ravel()
    for axis in axes[panels:]:
        axis.remove()
    for axis in axes[:panels]:
        axis.tick_params(labelleft=True)
    return figure, list(axes[:panels])


def legend(figure: Figure, handles: list, title: str | None = None, below: bool = False) -> None:
    """Put one legend for all panels to the right of them (or below), outside the data."""
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower left" if below else "outside right upper",
            title=title,
            alignment="left",
            handlelength=3.2,
        )


def train_val_legend(figure: Figure, title: str) -> None:
    """Put the legend of panels that compare training with validation images."""
    handles = [
        handle("training images", **TRAIN),
        handle("validation images", **VALIDATION),
        decay_handle(),
    ]
    legend(figure, handles, title)


def handle(label: str, **look) -> Line2D:
    """Make an entry of a legend."""
    return Line2D([], [], label=label, **look)


def limited(amounts: list) -> list:
    """Return at most ``MOST_AMOUNTS`` data amounts, evenly spread from the first to the last."""
    if len(amounts) <= MOST_AMOUNTS:
        return amounts
    chosen = np.linspace(0, len(amounts) - 1, MOST_AMOUNTS).round().astype(int)
    return [amounts[index] for index in chosen]


def plain(name: str, length: int = 40) -> str:
    """Make a user's text safe to draw: one line, not too long, no mathematics, no half characters.

    Matplotlib reads what stands between two dollar signs as TeX.
    """
    name = printable(" ".join(str(name).split()))
    if len(name) > length:
        name = f"{name[: length // 2 - 1]}…{name[-(length // 2) :]}"
    return name.replace("$", r"\$")


def device(kind: str) -> str:
    """Make a kind of device fit over a panel: two lines at most."""
    lines = textwrap.wrap(printable(kind), 32, max_lines=2, placeholder="…")
    return "\n".join(lines).replace("$", r"\$")


def panel_title(axis, name: str, run) -> None:
    """Title a panel of curves: the data amount and how many epochs its schedule is."""
    passes = measures.epochs(run)
    in_epochs = f", ≈ {passes:.0f} epochs" if passes is not None and passes >= 1.5 else ""
    axis.set_title(plain(name) + in_epochs)


def decay_lines(axis, milestones, scale: float = 1.0) -> None:
    """Mark learning-rate decays by vertical lines."""
    for milestone in milestones:
        axis.axvline(milestone * scale, color=GREY, linewidth=1.1, linestyle=(0, (2, 2)), zorder=1)


def decay_handle(label: str = "learning rate decays") -> Line2D:
    """Make the legend's entry for ``decay_lines``."""
    return handle(label, color=GREY, linewidth=1.1, linestyle=(0, (2, 2)))


def stage_look(trainable: int) -> dict:
    """Return the look of a scenario; with more than nine looks come again."""
    return STAGES[trainable % len(STAGES)]


def scenario_look(cohort: Cohort, key: int) -> dict:
    """Return the look of a scenario, an arm's included."""
    if key not in cohort.arms:
        return stage_look(key)
    return ARMS[list(cohort.arms).index(key) % len(ARMS)]


def scenario_legend(cohort: Cohort) -> str:
    """Return the title of a legend of scenarios."""
    return "trainable stages\n(frozen_stages)" + (",\nor an arm" if cohort.arms else "")


def stage_line(axis, cohort: Cohort, keys: list[int], values, **look) -> None:
    """Draw values over scenarios, a line through the trainable stages and marks for the arms."""
    points = list(zip(keys, values, strict=True))
    for stages in (True, False):
        chosen = [point for point in points if (point[0] not in cohort.arms) == stages]
        if chosen:
            axis.plot(*zip(*chosen, strict=True), **(look if stages else look | {"linestyle": ""}))


def interval_bars(axis, positions: list[float], estimates: list[Estimate], color: str) -> None:
    """Draw the intervals of estimates of mAP as vertical lines, where there are any."""
    for x, estimate in zip(positions, estimates, strict=True):
        if estimate.known:
            ends = percent([estimate.low, estimate.high])
            axis.plot([x, x], ends, color=color, linewidth=1.4, alpha=0.7, zorder=1.5)


def stage_axis(axis, scenarios: list[int], cohort: Cohort) -> None:
    """Label an axis of trainable stages, MMDetection's number below each, and arms behind them."""
    ticks = scenarios, [plain(cohort.scenario_name(k), 24).replace(" (", "\n(") for k in scenarios]
    axis.set_xticks(*ticks)
    for label, k in zip(axis.get_xticklabels(), scenarios, strict=True):
        if k in cohort.arms:
            label.set(rotation=-40, ha="left", rotation_mode="anchor")  # away from the numbers
    axis.set_xlim(min(scenarios) - 0.4, max(scenarios) + 0.4)
    axis.set_xlabel("trainable backbone stages\n(frozen_stages below)")


def iteration_axis(axis) -> None:
    """Label an axis of iterations, in thousands where they are many."""
    axis.set_xlabel("iteration")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}")
    )


def percent(values) -> np.ndarray:
    """Turn mAP fractions into percent."""
    return 100 * np.asarray(values, dtype=float)


def spread_bars(axis, x: float, values, **style) -> None:
    """Draw single runs' values as small open marks beside a mean."""
    if len(values) > 1:
        axis.plot(
            np.full(len(values), x),
            values,
            linestyle="none",
            markerfacecolor="white",
            marker=style.get("marker", "o"),
            color=style.get("color", GREY),
            markersize=4,
            alpha=0.75,
            zorder=2,
        )


def mean_of(curves):
    """Average curves where they have the same steps.

    Args:
        curves: Pairs of steps and values.

    Returns:
        Steps, mean, lowest and highest value, each of shape (steps common to all,); None if there
        is no common step.
    """
    curves = [dict(zip(*(a.tolist() for a in curve), strict=True)) for curve in curves]
    curves = [curve for curve in curves if curve]
    if not curves:
        return None
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    if not common:
        return None
    values = np.array([[curve[step] for step in common] for curve in curves])
    return np.array(common), values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def draw_curve(axis, runs, look: dict, metric: str | None = None, scale: float = 1.0) -> bool:
    """Draw the mean mAP of repeats against the iteration, and the range between them as a band."""
    curves = [run.curve(metric) for run in runs]
    drawn = draw_mean(axis, [(steps * scale, percent(values)) for steps, values in curves], look)
    if drawn:
        axis.figure.runs += runs
    return drawn


def draw_mean(axis, curves, look: dict) -> bool:
    """Draw the mean of curves, and the range between them as a band.

    Args:
        axis: Where.
        curves: Pairs of steps and values, one for each repeat.
        look: Of the line.

    Returns:
        Whether the curves have a step in common.
    """
    curve = mean_of(curves)
    if curve is None:
        return False
    steps, middle, low, high = curve
    axis.plot(steps, middle, markevery=max(len(steps) // 9, 1), **look)
    if len(curves) > 1:
        axis.fill_between(steps, low, high, color=look["color"], alpha=0.15, lw=0)
    return True
