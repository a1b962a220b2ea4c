"""Time fzmm's NMS and RoIAlign against MMCV's compiled ones, alone and in a training step.

    python benchmarks/operators.py
    python benchmarks/operators.py --rounds 20

Needs an MMCV with compiled operators. Both compute on the same input, in turn.
"""

from __future__ import annotations

import copy
import logging
import sys
from pathlib import Path

import _common

ROOT = Path(__file__).resolve().parent.parent
RATIO = "times compiled"


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="calls of each that count")
    parser.add_argument("--steps", type=int, default=5, help="training steps of each; may be 0")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    cases = {
        "NMS, 2,000 boxes, half suppressed": (lambda: nms_case(100, 100), args.rounds),
        "NMS, 2,000 boxes, 1% suppressed": (lambda: nms_case(800, 60), args.rounds),
        "NMS, 2,000 boxes, none suppressed": (lambda: nms_case(3000, 60), args.rounds),
        "RoIAlign, 512 RoIs, 256 channels, forward": (roi_case, args.rounds),
        "RoIAlign, the same, forward and backward": (lambda: roi_case(backward=True), args.rounds),
        "training step of configs/fz/coco100_unfrozen.py": (lambda: step_case(args), args.steps),
    }
    rows, results = [], {}
    for name, (make_functions, rounds) in cases.items():
        if not rounds:
            continue
        functions = make_functions()
        times, cpu = _common.interleave(functions, rounds)
        share = _common.ratio(cpu["fzmm"], cpu["compiled"])
        results[name] = {"seconds": {k: _common.spread(v) for k, v in times.items()}, RATIO: share}
        medians = [f"{1000 * _common.spread(times[k])['median']:.1f}" for k in functions]
        rows.append(
            [name, *medians, f"{share['median']:.2f} ({share['min']:.2f}-{share['max']:.2f})"]
        )
    headers = ["operator", "compiled, ms", "fzmm, ms", f"{RATIO}, CPU time (min-max)"]
    _common.report("operators", args, _common.table(headers, rows), results)


def nms_case(place: float, extent: float) -> dict:
    """Return calls of both operators on boxes in a square."""
    import torch
    from mmcv import _ext

    from fzmm.ops.nms import plain_nms

    centre, size = torch.rand(2000, 2) * place, torch.rand(2000, 2) * extent + 4
    boxes, scores = torch.cat([centre - size / 2, centre + size / 2], 1), torch.rand(2000)
    return {
        "compiled": lambda _: _ext.nms(boxes, scores, iou_threshold=0.7, offset=0),
        "fzmm": lambda _: plain_nms(boxes, scores, 0.7),
    }


def roi_case(backward: bool = False) -> dict:
    """Return calls of both operators on RoIs of one level of an 800 x 1344 image's pyramid."""
    import torch
    from mmcv.ops import RoIAlign

    features = torch.randn(2, 256, 100, 168, requires_grad=backward)
    centre, size = torch.rand(512, 2) * torch.tensor([1344.0, 800.0]), torch.rand(512, 2) * 200 + 10
    rois = torch.cat([torch.randint(2, (512, 1)), centre - size / 2, centre + size / 2], 1)
    layer = RoIAlign(7, spatial_scale=1 / 8, sampling_ratio=2, aligned=False)

    def call():
        out = layer(features, rois)
        if backward:
            out.sum().backward()

    return both(call)


def step_case(args) -> dict:
    """Return a training step of the study's detector with either pair of operators."""
    import torch
    from mmengine.config import Config

    from fzmm.detector_config.step_time import build_for_steps, noise_batch

    cfg = Config.fromfile(ROOT / "configs/fz/coco100_unfrozen.py")
    model, optim_wrapper = build_for_steps(cfg, frozen_stages=-1)
    batch = noise_batch(cfg)

    def call():
        torch.manual_seed(args.seed)
        model.train_step(copy.deepcopy(batch), optim_wrapper)

    return both(call)


def both(call) -> dict:
    """Return a call with MMCV's operators and the same with fzmm's in their place."""
    import mmcv.ops  # noqa: F401
    from mmcv import _ext

    from fzmm.ops import mmcv_ext

    def with_operators(operators):
        for name in ("nms", "roi_align"):
            # mmcv.ops has a function under the name of each module
            sys.modules[f"mmcv.ops.{name}"].ext_module = operators
        call()

    return {
        "compiled": lambda _: with_operators(_ext),
        "fzmm": lambda _: with_operators(mmcv_ext),
    }


if __name__ == "__main__":
    main()
