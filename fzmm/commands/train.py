"""Train a detector: MMDetection's tools/train.py, on any machine, with more options."""

from collections.abc import Sequence

from fzmm.engine.runner.launch import load_config, option_parser, parse, train
from fzmm.errors import run_cli


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments and train."""
    parser = option_parser("Train a detector", ["config"])
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    parser.add_argument("--fast", action="store_true", help="the fast recipe, mixed precision too")
    parser.add_argument("--auto-scale-lr", action="store_true", help="scale the learning rate")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="continue from this checkpoint, or from the latest in the work directory",
    )
    parser.add_argument("--seed", type=int, help="replaces the config's seed; one a repeat")
    parser.add_argument(
        "--scale-schedule",
        action="store_true",
        help="fit iterations and learning rate to the total batch, keeping the images seen",
    )
    parser.add_argument(
        "--budget", type=float, help="share of the schedule to run, such as 0.1, decays included"
    )
    args = parse(parser, arguments)
    cfg = load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    train(
        cfg,
        args.amp,
        args.auto_scale_lr,
        args.resume,
        args.seed,
        args.scale_schedule,
        args.budget,
        args.trust_checkpoint,
        args.fast,
    )


if __name__ == "__main__":
    run_cli(main)
