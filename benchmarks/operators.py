"""Time fzmm's NMS and RoIAlign against MMCV's compiled ones, alone and in a training step.

    python benchmarks/operators.py                   # on the GPU, if there is one
    python benchmarks/operators.py --device cpu --rounds 5 --steps 0

Compares what is installed: MMCV's compiled operators, fzmm's with torchvision's, which they call
where it is there, and fzmm's in plain PyTorch. All compute on the same input, in turn. The first of
them is what the others are compared with: by CPU time on a CPU, by the clock on a GPU, each call
until the GPU is done.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import _common

ROOT = Path(__file__).resolve().parent.parent
COMPILED, TORCHVISION, PLAIN = "MMCV compiled", "fzmm with torchvision", "fzmm plain"


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="calls of each that count")
    parser.add_argument("--steps", type=int, default=5, help="training steps of each; may be 0")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU (default: 1)")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: cuda where there is one)")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    import torch

    args.device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    cases = {
        "NMS, 2,000 boxes, half suppressed": (lambda: nms_case(args, 100, 100), args.rounds),
        "NMS, 2,000 boxes, 1% suppressed": (lambda: nms_case(args, 800, 60), args.rounds),
        "NMS, 2,000 boxes, none suppressed": (lambda: nms_case(args, 3000, 60), args.rounds),
        "RoIAlign, 512 RoIs, 256 channels, forward": (lambda: roi_case(args), args.rounds),
        "RoIAlign, the same, forward and backward": (lambda: roi_case(args, True), args.rounds),
        "training step of configs/fz/coco100_unfrozen.py": (lambda: step_case(args), args.steps),
    }
    sets = operator_sets(args.device)
    results = {
        name: measure(make_call(), sets, rounds, args.device)
        for name, (make_call, rounds) in cases.items()
        if rounds
    }
    first, *others = sets
    headers = ["operator", *(f"{name}, ms" for name in sets)]
    headers += [f"{name}, times {first} (min-max)" for name in others]
    rows = [[name, *cells(result, sets)] for name, result in results.items()]
    _common.report("operators", args, _common.table(headers, rows), results)


def operator_sets(device: str) -> dict[str, object]:
    """Return what can be compared here: modules with ``nms`` and ``roi_align_*``, by name."""
    from mmcv import _ext

    from fzmm.ops import mmcv_ext
    from fzmm.ops.nms import torchvision_operators

    sets = {COMPILED: _ext, TORCHVISION: mmcv_ext, PLAIN: mmcv_ext}
    with_cuda = _ext.get_compiling_cuda_version() != "not available"
    if _ext.__file__ == mmcv_ext.__file__ or not (device == "cpu" or with_cuda):
        del sets[COMPILED]
    if torchvision_operators(device.split(":")[0]) is None:
        del sets[TORCHVISION]
    return sets


def measure(call: Callable, sets: dict[str, object], rounds: int, device: str) -> dict:
    """Time a call with each set of operators in turn.

    Args:
        call: What to time; called with the set's module.
        sets: See :func:`operator_sets`.
        rounds: Calls with each set that count.
        device: Where the call computes.
    """
    functions = {name: timed(call, name, operators, device) for name, operators in sets.items()}
    times, cpu = _common.interleave(functions, rounds, warmup=3 if device != "cpu" else 1)
    # what a GPU does costs its process next to no CPU time
    compared = cpu if device == "cpu" else times
    first, *others = sets
    return {
        "seconds": {name: _common.spread(seconds) for name, seconds in times.items()},
        f"times {first}": {name: _common.ratio(compared[name], compared[first]) for name in others},
    }


def timed(call: Callable, name: str, operators: object, device: str) -> Callable:
    """Return a function that ends when the call's work is done, on a GPU too."""
    import torch

    def function(_):
        with without_torchvision() if name == PLAIN else contextlib.nullcontext():
            call(operators)
        if device != "cpu":
            torch.cuda.synchronize(device)

    return function


@contextlib.contextmanager
def without_torchvision() -> Iterator[None]:
    """Let fzmm's operators compute as where torchvision is not installed."""
    names = [f"fzmm.ops.{module}.torchvision_operators" for module in ("nms", "roi_align")]
    with patch(names[0], lambda device: None), patch(names[1], lambda device: None):
        yield


def cells(result: dict, sets: dict[str, object]) -> list[str]:
    """Return a row of the table: milliseconds of each set, then how they compare."""
    first, *others = sets
    milliseconds = [f"{1000 * result['seconds'][name]['median']:.2f}" for name in sets]
    ratios = [result[f"times {first}"][name] for name in others]
    return milliseconds + [f"{r['median']:.2f} ({r['min']:.2f}-{r['max']:.2f})" for r in ratios]


def nms_case(args, place: float, extent: float) -> Callable:
    """Return a call of NMS on boxes in a square."""
    import torch

    centre, size = torch.rand(2000, 2) * place, torch.rand(2000, 2) * extent + 4
    boxes = torch.cat([centre - size / 2, centre + size / 2], 1).to(args.device)
    scores = torch.rand(2000).to(args.device)
    return lambda operators: operators.nms(boxes, scores, iou_threshold=0.7, offset=0)


def roi_case(args, backward: bool = False) -> Callable:
    """Return a call of RoIAlign on RoIs of one level of an 800 x 1344 image's pyramid."""
    import torch
    from mmcv.ops import RoIAlign

    features = torch.randn(2, 256, 100, 168, device=args.device, requires_grad=backward)
    centre, size = torch.rand(512, 2) * torch.tensor([1344.0, 800.0]), torch.rand(512, 2) * 200 + 10
    rois = torch.cat([torch.randint(2, (512, 1)), centre - size / 2, centre + size / 2], 1)
    rois = rois.to(args.device)
    layer = RoIAlign(7, spatial_scale=1 / 8, sampling_ratio=2, aligned=False)

    def call(operators):
        put_into_mmcv(operators)
        out = layer(features, rois)
        if backward:
            out.sum().backward()

    return call


def step_case(args) -> Callable:
    """Return a training step of the study's detector, the same each time."""
    import torch
    from mmengine.config import Config

    from fzmm.detector_config.step_time import build_for_steps, noise_batch

    cfg = Config.fromfile(ROOT / "configs/fz/coco100_unfrozen.py")
    model, optim_wrapper = build_for_steps(cfg, frozen_stages=-1, device=args.device)
    batch = noise_batch(cfg)

    def call(operators):
        put_into_mmcv(operators)
        torch.manual_seed(args.seed)
        model.train_step(copy.deepcopy(batch), optim_wrapper)

    return call


def put_into_mmcv(operators: object) -> None:
    """Let ``mmcv.ops`` compute with these operators."""
    import mmcv.ops  # noqa: F401

    for name in ("nms", "roi_align"):
        # mmcv.ops has a function under the name of each module
        sys.modules[f"mmcv.ops.{name}"].ext_module = operators


if __name__ == "__main__":
    main()
