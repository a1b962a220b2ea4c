"""Time the update of the study's detector by SGD: one parameter after the other, foreach, fused.

    python benchmarks/optimizer.py
    python benchmarks/optimizer.py --frozen-stages 4 --rounds 50

All three update the same model with the same gradients, in turn.
"""

from __future__ import annotations

import logging
from pathlib import Path

import _common

ROOT = Path(__file__).resolve().parent.parent
WAYS = {
    "one by one": dict(foreach=False),
    "foreach": dict(foreach=True),
    "fused": dict(fused=True),
}


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--frozen-stages", type=int, default=-1)
    parser.add_argument("--rounds", type=int, default=20, help="updates of each that count")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    import torch
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    register_all_modules()
    cfg = Config.fromfile(ROOT / "configs/fz/coco100_unfrozen.py")
    cfg.model.backbone.update(init_cfg=None, frozen_stages=args.frozen_stages)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    model = MODELS.build(cfg.model).to(device).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    options = dict(lr=1e-6, momentum=0.9, weight_decay=1e-4)  # as the study's, but standing still

    def update(optimizer):
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    steps = {}
    for name, way in WAYS.items():
        optimizer = torch.optim.SGD(parameters, **options, **way)
        steps[name] = lambda _, optimizer=optimizer: update(optimizer)
    times, _ = _common.interleave(steps, args.rounds)
    rows, results = [], {}
    for name, seconds in times.items():
        spread = _common.spread(seconds)
        ratio = _common.ratio(times["one by one"], seconds)
        results[name] = dict(seconds=spread, times_one_by_one=ratio)
        ms = {key: 1000 * spread[key] for key in ("median", "min", "max")}
        rows.append(
            [
                name,
                f"{ms['median']:.1f} ({ms['min']:.1f}-{ms['max']:.1f})",
                f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})",
            ]
        )
    count = sum(p.numel() for p in parameters) / 1e6
    table = _common.table(["update", "ms (median, min-max)", "times one by one"], rows)
    text = f"{len(parameters)} tensors, {count:.1f} million parameters\n\n{table}"
    _common.report("optimizer", args, text, results)


if __name__ == "__main__":
    main()
