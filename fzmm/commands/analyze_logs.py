"""The commands that read logs: ``fzmm report``, ``tools/analyze_logs.py report`` ..."""

from __future__ import annotations

import argparse
import re
import sys

# What each command does, and an example of its arguments.
ABOUT = {
    "plot_curve": (
        "Draw keys of logs over training. The arguments are those of MMDetection's command.",
        "work_dirs/a/20260101_120000/vis_data/scalars.json --keys bbox_mAP --out curve.png",
    ),
    "cal_train_time": (
        "Print the average time of a training iteration, and the slowest and fastest epoch. The "
        "arguments are those of MMDetection's command.",
        "work_dirs/a/20260101_120000/vis_data/scalars.json",
    ),
    "report": (
        "Write a page that says what to freeze, how sure that is, and why. Its figures and "
        "numbers are written beside it.",
        "work_dirs --out report",
    ),
    "recommend": (
        "Say for each data amount what to freeze, how sure that is, and which run to do next.",
        "work_dirs --margin-pp 0.4",
    ),
    "archive": (
        "Copy what a report reads of runs, compressed: logs, configs and records, without weights. "
        "Host names are left out of the copy.",
        "work_dirs/neu* --out docs/studies/neu-det/runs",
    ),
    "summarise": ("Print a Markdown table of the runs, for a README.", "work_dirs > runs.md"),
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the first two take MMDetection's own arguments."""
    top = argparse.ArgumentParser(
        description="From logs to an answer: curves, times, tables, a report, a recommendation."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _plot_curve(commands)
    _cal_train_time(commands)
    report = _command(commands, "report")
    report.add_argument(
        "--out",
        required=True,
        help="Folder for index.html, runs.csv, summary.json, figures/ and pictures/.",
    )
    _margin(report)
    _target_map(report)
    _pictures(report)
    recommend = _command(commands, "recommend")
    _margin(recommend)
    _target_map(recommend)
    recommend.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    _command(commands, "summarise")
    archive = _command(commands, "archive")
    archive.add_argument("--out", required=True, help="Folder to copy to.")
    archive.add_argument(
        "--unfinished", action="store_true", help="Copy runs that have not ended, too."
    )
    archive.add_argument(
        "--no-times",
        metavar="REASON",
        help="Why their times say nothing, such as one GPU for several runs; reports leave them "
        "out.",
    )

    return top


def main(argv: list[str] | None = None) -> None:
    """Run one command; see ``fzmm report --help`` and the others'."""
    args = parser().parse_args(argv)
    {
        "plot_curve": _run_plot_curve,
        "cal_train_time": _run_cal_train_time,
        "report": _run_report,
        "recommend": _run_recommend,
        "summarise": _run_summarise,
        "archive": _run_archive,
    }[args.command](args)


def _parser(commands, name: str) -> argparse.ArgumentParser:
    description, example = ABOUT[name]
    called = f"fzmm {name.replace('_', '-')}"
    return commands.add_parser(
        name,
        prog=called,
        help=description.partition(".")[0],
        description=description,
        epilog=f"example: {called} {example}",
    )


def _command(commands, name: str) -> argparse.ArgumentParser:
    command = _parser(commands, name)
    command.add_argument(
        "work_dirs", nargs="+", metavar="WORK_DIR", help="Work directories, or folders of them."
    )
    return command


def _margin(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--margin-pp",
        type=float,
        default=0.4,
        metavar="X",
        help="Percentage points of mAP whose loss does not matter (default: 0.4).",
    )


def _target_map(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--target-map",
        type=float,
        metavar="X",
        help="Say how much training data it would take to reach this mAP, in percent.",
    )


def _pictures(command: argparse.ArgumentParser) -> None:
    pictures = command.add_mutually_exclusive_group()
    pictures.add_argument(
        "--images",
        metavar="DIR",
        help="Where the validation images are now, if they have moved since the training.",
    )
    pictures.add_argument(
        "--no-images",
        action="store_true",
        help="Leave the pictures of validation images out, for data that must not be copied.",
    )


def _plot_curve(commands) -> None:
    plot = _parser(commands, "plot_curve")
    plot.add_argument("json_logs", nargs="+", metavar="LOG", help="Training logs in JSON format.")
    plot.add_argument(
        "--keys", nargs="+", default=["bbox_mAP"], help="What to plot (default: bbox_mAP)."
    )
    plot.add_argument("--start-epoch", default="1", help="First epoch to draw (default: 1).")
    plot.add_argument(
        "--eval-interval",
        default="1",
        help="Taken as MMDetection takes it, and not needed: the log tells it.",
    )
    plot.add_argument("--title", help="Title of the figure.")
    plot.add_argument("--legend", nargs="+", help="Name of each curve.")
    plot.add_argument("--backend", help="Matplotlib backend to show the figure with.")
    plot.add_argument("--style", default="dark", help="Matplotlib style (default: this project's).")
    plot.add_argument(
        "--out", help="File to save to. Without it the figure is shown on the screen."
    )


def _cal_train_time(commands) -> None:
    time = _parser(commands, "cal_train_time")
    time.add_argument("json_logs", nargs="+", metavar="LOG", help="Training logs in JSON format.")
    time.add_argument(
        "--include-outliers",
        action="store_true",
        help="Include the first value of every epoch in the average.",
    )


def _run_plot_curve(args) -> None:
    from fzmm.commands.plot_curve import plot_curve

    plot_curve(args)


def _run_cal_train_time(args) -> None:
    from fzmm.commands.cal_train_time import cal_train_time

    cal_train_time(args.json_logs, args.include_outliers)


def _run_report(args) -> None:
    from fzmm.analysis.report.write_report import write_report

    page = write_report(
        args.work_dirs,
        args.out,
        _fraction(args.margin_pp),
        _target(args.target_map),
        args.images,
        args.no_images,
    )
    print(f"report: {page}")


def _run_recommend(args) -> None:
    from fzmm.analysis.report.recommendation_text import recommendation_text

    margin, target = _fraction(args.margin_pp), _target(args.target_map)
    text = recommendation_text(args.work_dirs, margin, args.json, target)
    if args.json:  # has its own escapes, but none for C1, which some terminals obey
        print(re.sub("[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", text), end="")
    else:
        _print(text)


def _run_summarise(args) -> None:
    from fzmm.analysis.reading.read_runs import read_runs
    from fzmm.analysis.report.report_table import markdown
    from fzmm.analysis.report.result_tables import runs_table

    notes: list[str] = []
    _print(markdown(runs_table(read_runs(args.work_dirs, notes))))
    for note in notes:
        _print(f"note: {note}\n", sys.stderr)


def _run_archive(args) -> None:
    from fzmm.analysis.reading.archive import archive_runs
    from fzmm.analysis.report.formats import plural

    notes: list[str] = []
    copies = archive_runs(args.work_dirs, args.out, notes, args.unfinished, args.no_times)
    for note in notes:
        _print(f"note: {note}\n", sys.stderr)
    _print(f"{plural(len(copies), 'run')} copied to {args.out}\n")


def _print(text: str, file=None) -> None:
    """Print lines whose names may hold what would command the terminal."""
    from fzmm.utils.terminal import printable

    for line in text.splitlines():
        print(printable(line), file=file)


def _target(percent: float | None) -> float | None:
    from fzmm.errors import UserError

    if percent is None:
        return None
    if not 0 < percent < 100:
        raise UserError(f"--target-map {percent}: give mAP in percent, above 0 and below 100")
    return percent / 100


def _fraction(margin_pp: float) -> float:
    from fzmm.errors import UserError

    if not 0 < margin_pp < 100:
        raise UserError(f"--margin-pp {margin_pp}: give percentage points above 0, below 100")
    return margin_pp / 100
