"""Time backbones against their twins that make use of being frozen, forward and backward.

    OMP_NUM_THREADS=1 python benchmarks/frozen_backbone.py

On random weights with the statistics of a trained network: speed does not depend on them. Outputs
are compared as well, relative to the largest.
"""

from __future__ import annotations

import copy

import _common


def main() -> None:
    """Time each backbone with all stages frozen and with none."""
    args = parse()
    results = {
        f"{name} {label}": measure(args, name, frozen_stages)
        for name in args.backbones
        for label, frozen_stages in zip(("all frozen", "unfrozen"), extremes(name), strict=True)
        if label != "unfrozen" or not args.frozen_only
    }
    headers = ["backbone", "stock, s of CPU", "fzmm, s of CPU", "fzmm is faster", "outputs differ"]
    _common.report("frozen_backbone", args, _common.table(headers, rows(results)), results)


def parse():
    """Return the options."""
    parser = _common.parser(__doc__)
    names = ["resnet18", "resnet50", "mobilenetv2", "efficientnet-lite0"]
    parser.add_argument("--backbones", nargs="+", default=names, help=f"default: {names}")
    parser.add_argument("--frozen-only", action="store_true", help="leave out the unfrozen ones")
    parser.add_argument("--size", type=int, default=224, help="of the images (default: 224)")
    parser.add_argument("--batch-size", type=int, default=8, help="images (default: 8)")
    parser.add_argument("--rounds", type=int, default=7, help="timed calls of each (default: 7)")
    return parser.parse_args()


def extremes(name: str) -> tuple[int, int]:
    """Return the numbers of ``frozen_stages`` that freeze everything and nothing."""
    from fzmm.detector_config.backbones import BACKBONES
    from fzmm.detector_config.freezing import scenarios_of

    scenarios = list(scenarios_of(dict(backbone=BACKBONES[name].config), name))
    return scenarios[-1], scenarios[0]


def measure(args, name: str, frozen_stages: int) -> dict:
    """Time a backbone and its twin in turn."""
    import torch

    stock, fast = build(args, name, frozen_stages)
    x = torch.randn(args.batch_size, 3, args.size, args.size)
    with torch.no_grad():
        pairs = list(zip(stock(x), fast(x), strict=True))
    difference = max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)
    functions = {"stock": lambda _: step(stock, x), "fzmm": lambda _: step(fast, x)}
    _, cpu = _common.interleave(functions, args.rounds)
    return {
        **{key: _common.spread(values) for key, values in cpu.items()},
        "faster": _common.ratio(cpu["stock"], cpu["fzmm"]),
        "difference": difference,
    }


def build(args, name: str, frozen_stages: int) -> tuple:
    """Return a backbone and its twin, with the same weights."""
    import torch
    from mmdet.registry import MODELS

    from fzmm.detector_config.backbones import BACKBONES
    from fzmm.models.faster_modules import use_faster_modules

    torch.manual_seed(args.seed)
    config = dict(copy.deepcopy(BACKBONES[name].config), frozen_stages=frozen_stages, init_cfg=None)
    stock = MODELS.build(copy.deepcopy(config))
    for module in stock.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    fast = MODELS.build({**use_faster_modules(config), "channels_last_outputs": True})
    fast.load_state_dict(stock.state_dict())
    stock.train()
    fast.train()
    return stock, fast


def step(model, x) -> None:
    """Run forward and, where anything is trained, backward."""
    outs = [out for out in model(x) if out.requires_grad]
    if outs:
        sum(out.sum() for out in outs).backward()


def rows(results: dict) -> list[list]:
    """Return the table's rows: median (least to most)."""

    def shown(values: dict, digits: int) -> str:
        median, least, most = (f"{values[key]:.{digits}f}" for key in ("median", "min", "max"))
        return f"{median} ({least}-{most})"

    return [
        [
            name,
            shown(result["stock"], 3),
            shown(result["fzmm"], 3),
            shown(result["faster"], 2),
            f"{result['difference']:.0e}",
        ]
        for name, result in results.items()
    ]


if __name__ == "__main__":
    main()
