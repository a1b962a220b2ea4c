"""``plot_curve``: MMDetection's command, for epoch-based and iteration-based logs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.read_runs import read_one_log
from fzmm.errors import UserError

_LONG_NAME = 24  # characters; beyond it a legend beside the plot would squeeze it


def plot_curve(args: argparse.Namespace) -> None:
    """Draw keys of logs against the epoch or iteration.

    Args:
        args: ``json_logs``, ``keys``, ``legend``, ``title``, ``style``, ``backend``, ``out``,
            ``start_epoch`` and ``eval_interval``, as MMDetection names them.

    Raises:
        UserError: If a log has no such key, or the legend has the wrong length.
    """
    names = args.legend or [f"{log}_{key}" for log in args.json_logs for key in args.keys]
    if len(names) != len(args.json_logs) * len(args.keys):
        raise UserError(
            f"--legend: {len(names)} entries for {len(args.json_logs)} logs x {len(args.keys)} "
            "keys; give one for each curve"
        )
    curves = []
    for path in args.json_logs:
        log = read_one_log(path, keys=None)
        for key in args.keys:
            print(f"plot curve of {path}, metric is {key}")
            curves.append(_curve(log, path, key, _whole(args.start_epoch, "--start-epoch")))
    _draw(curves, names, args)


def _curve(log: Log, path: str, key: str, start_epoch: int):
    """Return a curve's x, y, x label and whether it is a validation curve."""
    # a training's own "loss" comes before "val/loss"
    name = None if key in log.train and key not in log.evals else find_key(log.evals, key)
    if name is not None:
        epochs = log.eval_epochs
        by_epoch = len(epochs) > 0 and np.isfinite(epochs).all()
        x = epochs if by_epoch else log.eval_steps
        y, of_epoch = log.evals[name], epochs
    else:
        name = find_key(log.train, key)
        if name is None:
            keys = ", ".join(sorted([*log.evals, *log.train]))
            raise UserError(f"{path}: no key {key!r} in this log; it has {keys}")
        by_epoch, x, y, of_epoch = False, log.steps, log.train[name], log.epochs

    kept = np.isfinite(y) & ~(of_epoch < start_epoch)
    if not kept.any():
        raise UserError(f"{path}: every value of {key!r} is missing or before --start-epoch")
    return x[kept], y[kept], "epoch" if by_epoch else "iteration", name in log.evals


def find_key(columns: dict[str, np.ndarray], key: str) -> str | None:
    """Find a key as given, or by its last part: ``bbox_mAP`` is ``coco/bbox_mAP``."""
    if key in columns:
        return key
    same = [name for name in columns if name.rpartition("/")[2] == key]
    same.sort(key=lambda name: name.startswith("train_split/"))
    return same[0] if same else None


def _draw(curves, names, args) -> None:
    from fzmm.analysis.figures import style

    if args.out is not None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: F401  checks it is there
    with style.styled():
        _use_style(args.style)
        figure, (axis,) = style.new_figure(width=8.6, height=4.2)
        labels = {label for _, _, label, _ in curves}
        handles = []
        for index, ((x, y, _, is_eval), name) in enumerate(zip(curves, names, strict=True)):
            look = style.AMOUNTS[index % len(style.AMOUNTS)]
            marker = {} if is_eval else {"marker": "", "linewidth": 1.0}
            look = {**look, **marker}
            axis.plot(x, y, markevery=max(len(x) // 12, 1), **look)
            handles.append(style.handle(style.plain(name, 60), **look))
        if labels == {"iteration"}:
            style.iteration_axis(axis)
        else:
            axis.set_xlabel(" or ".join(sorted(labels)))
        axis.set_ylabel(style.plain(", ".join(args.keys), 60))
        if args.title:
            axis.set_title(style.plain(args.title, 100))
        style.legend(figure, handles, below=max(map(len, names)) > _LONG_NAME)
        if args.out is None:
            _show(figure, args.backend)
            return
        print(f"save curve to: {args.out}")
        save(figure, Path(args.out))


def save(figure, path: Path, dpi: int = 150) -> None:
    """Write a figure under a name whose ending gives the format.

    Raises:
        UserError: If the folder is missing or the format is unknown.
    """
    from fzmm.utils.files import atomic_write

    kind = path.suffix.lstrip(".").lower() or "png"
    formats = figure.canvas.get_supported_filetypes()
    if kind not in formats:
        raise UserError(
            f"{path}: no figure format {kind!r}; use one of {', '.join(sorted(formats))}"
        )
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist; make it first")
    # without the date, equal data gives equal files
    metadata = {"Date": None} if kind == "svg" else {}

    try:
        with atomic_write(path, "wb") as file:
            figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def _show(figure, backend: str | None) -> None:
    from matplotlib import pyplot

    if backend is not None:
        try:
            pyplot.switch_backend(backend)
        except (ImportError, ValueError) as error:
            raise UserError(f"--backend {backend}: {error}") from error
    if not os.environ.get("DISPLAY") and os.name == "posix" and backend is None:
        raise UserError("no display to show the curve on; give --out FILE.png")
    manager = pyplot.figure().canvas.manager
    manager.canvas.figure = figure
    figure.set_canvas(manager.canvas)
    pyplot.show()


def _use_style(name: str | None) -> None:
    """Apply a matplotlib style. MMDetection's default ``dark`` is not one; it means ours here."""
    if name in (None, "dark"):
        return
    from matplotlib import style

    try:
        style.use(name)
    except OSError as error:
        raise UserError(
            f"--style {name}: matplotlib has no such style; it has {', '.join(style.available)}"
        ) from error


def _whole(value: str | int, option: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{option} {value}: give a whole number") from None
