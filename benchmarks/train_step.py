"""Time a training step of the study's detector: stock MMDetection beside fzmm, in one process.

    python benchmarks/train_step.py                        # 2 images of 480 x 640 on a CPU
    python benchmarks/train_step.py --frozen-stages 2 --rounds 10 --data annotations.json
    python benchmarks/train_step.py                        # 2 images of 800 x 1333 on a GPU
    python benchmarks/train_step.py --torchvision .venv-torchvision/bin/python   # beside its own

Every mode starts from the same weights and gets the same batches, in turn (A B C D, A B C D ...),
so that whatever else the machine does hits all alike; ratios are of calls in the same round. Peak
memory is measured in a process of its own for each mode. Losses and gradients of the first step
are compared with stock float32's. torchvision's own step runs after the others, in a process of its
environment (`make test-torchvision` makes it), on the same images.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import _common
import _images

ROOT = Path(__file__).resolve().parent.parent
MODES = ("stock fp32", "stock --amp", "fzmm fp32", "fzmm fast")


def parse():
    """Return the command line's options."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(ROOT / "configs/fz/coco100_unfrozen.py"))
    parser.add_argument(
        "--frozen-stages", type=int, nargs="+", default=[-1, 0, 1, 2, 3, 4], metavar="N"
    )
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--rounds", type=int, default=5, help="steps of each mode that count")
    parser.add_argument("--warmup", type=int, default=1, help="steps of each mode before them")
    parser.add_argument("--threads", type=int, help="on a CPU (default: PyTorch's choice)")
    parser.add_argument("--data", type=Path, help="COCO annotation file to take images from")
    parser.add_argument("--checkpoint", help="weights to start from (default: random)")
    parser.add_argument("--compile", action="store_true", help="compile fzmm's backbone and neck")
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN autotune")
    parser.add_argument(
        "--torchvision", metavar="PYTHON", help="time torchvision's own step with this Python, too"
    )
    parser.add_argument(
        "--validation", action="store_true", help="time the validation of a batch as well"
    )
    parser.add_argument("--profile", action="store_true", help="share of time by operator")
    parser.add_argument("--no-memory", action="store_true", help="skip the peak memory processes")
    parser.add_argument("--memory-of", choices=MODES, help="(internal) print one mode's peak")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    args = parse()
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = args.cudnn_benchmark
    logging.disable(logging.INFO)
    if args.size is None:
        args.size = [800, 1333] if torch.cuda.is_available() else [480, 640]
    if args.memory_of:
        print(json.dumps(peak_memory(args, args.memory_of)))
        return
    results, rows = [], []
    for frozen_stages in args.frozen_stages:
        print(f"frozen_stages={frozen_stages}", file=sys.stderr)
        result = measure(args, frozen_stages)
        results.append(result)
        rows += table_rows(args, result)
        print(_common.table(HEADERS, rows[-len(result["modes"]) :]), file=sys.stderr)
    _common.report("train_step", args, _common.table(HEADERS, rows), results)


HEADERS = [
    "frozen_stages", "mode", "s / step (median, min-max)", "images / s", "times stock fp32",
    "the same by CPU time",
    "peak memory, MB", "loss: rel. difference (same proposals / own)", "gradient: cosine (same)",
]  # fmt: skip


def table_rows(args, result: dict) -> list[list]:
    """Return the table's lines for one ``frozen_stages``."""
    rows = []
    for mode, row in result["modes"].items():
        if "refused" in row:
            rows.append([result["frozen_stages"], mode, f"refused: {row['refused']}", *"------"])
            continue
        if mode == "torchvision":
            rows.append([result["frozen_stages"], mode, *torchvision_cells(args, row), *"-----"])
            continue
        s, speedup = row["seconds"], row["times_stock_fp32"]
        by_cpu = row["times_stock_fp32_by_cpu_time"]
        difference = row.get("difference", {})
        rows.append(
            [
                result["frozen_stages"],
                mode,
                f"{s['median']:.2f} ({s['min']:.2f}-{s['max']:.2f})",
                f"{args.batch_size / s['median']:.2f}",
                f"{speedup['median']:.2f} ({speedup['min']:.2f}-{speedup['max']:.2f})",
                f"{by_cpu['median']:.2f} ({by_cpu['min']:.2f}-{by_cpu['max']:.2f})",
                f"{row['peak_memory_mb']:.0f}" if row.get("peak_memory_mb") else "-",
                f"{difference['loss']:.1e} / {difference['loss_own_proposals']:.1e}"
                if difference
                else "-",
                f"{difference['cosine']:.7f}" if difference else "-",
            ]
        )
    return rows


def torchvision_cells(args, row: dict) -> list[str]:
    """Return seconds a step and images a second; its rounds are no pairs of the other modes'."""
    s = row["seconds"]
    median = f"{s['median']:.2f} ({s['min']:.2f}-{s['max']:.2f})"
    return [median, f"{args.batch_size / s['median']:.2f}"]


def measure(args, frozen_stages: int) -> dict:
    """Return times, differences and peak memory of each mode at one ``frozen_stages``."""
    import torch

    data = make_batches(args)
    steps, validations, modes, reference = {}, {}, {}, None
    for mode in args.modes:
        try:
            trainer = Trainer(args, mode, frozen_stages)
        except (AssertionError, RuntimeError) as error:
            modes[mode] = {"refused": " ".join(str(error).split())}
            continue
        modes[mode] = {}
        first = trainer.losses_and_gradients(data[0])
        if mode == "stock fp32":
            reference = first
        elif reference is not None:
            modes[mode]["difference"] = compare(
                reference,
                own=first,
                same=trainer.losses_and_gradients(data[0], proposals=reference["proposals"]),
            )
        steps[mode] = lambda i, trainer=trainer: trainer.step(data[i % len(data)])
        validations[mode] = lambda i, trainer=trainer: trainer.validate(data[i % len(data)])
    times, cpu = _common.interleave(steps, args.rounds, args.warmup)
    for mode, seconds in times.items():
        modes[mode]["seconds"] = _common.spread(seconds)
        stock = times.get("stock fp32", seconds)
        modes[mode]["times_stock_fp32"] = _common.ratio(stock, seconds)
        modes[mode]["cpu_seconds"] = _common.spread(cpu[mode])
        stock = cpu.get("stock fp32", cpu[mode])
        modes[mode]["times_stock_fp32_by_cpu_time"] = _common.ratio(stock, cpu[mode])
        if args.profile:
            modes[mode]["share_by_operator"] = profile(steps[mode])
    if args.validation:
        _, cpu = _common.interleave(validations, args.rounds, args.warmup)
        for mode, seconds in cpu.items():
            modes[mode]["validation_cpu_seconds"] = _common.spread(seconds)
    del steps, validations
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if not args.no_memory:
        for mode in times:
            modes[mode]["peak_memory_mb"] = memory_in_a_process(frozen_stages, mode)
    if args.torchvision:
        modes["torchvision"] = {"seconds": _common.spread(torchvision_seconds(args, frozen_stages))}
    return {"frozen_stages": frozen_stages, "modes": modes}


def make_images(args) -> list[tuple]:
    """Return (image, boxes, labels) of three batches."""
    from mmengine.config import Config

    from fzmm.detector_config.detector import number_of_classes

    count = 3 * args.batch_size
    classes = number_of_classes(Config.fromfile(args.config).model)
    if args.data:
        return _images.from_coco(args.data, count, *args.size, classes)
    return _images.scenes(args.seed, count, *args.size, classes)


def make_batches(args) -> list[dict]:
    """Return the batches that every mode sees, three of them."""
    return _images.batches(make_images(args), args.batch_size)


def torchvision_seconds(args, frozen_stages: int) -> list[float]:
    """Return the seconds of torchvision's own steps on the same images, in its environment."""
    import numpy as np

    images = make_images(args)
    rows = [
        [index, *box, label]
        for index, (_, boxes, labels) in enumerate(images)
        for box, label in zip(boxes, labels, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        rgb = np.stack([image[..., ::-1] for image, _, _ in images])
        np.savez(data, train_images=rgb, train_boxes=np.array(rows, np.float64))
        options = dict(
            trainable=4 - frozen_stages, batch_size=args.batch_size, size=args.size,
            rounds=args.rounds, warmup=args.warmup, threads=args.threads, data=str(data),
        )  # fmt: skip
        command = [args.torchvision, "-m", "benchmarks._torchvision", "step", json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: {args.torchvision} cannot time its step: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


class Trainer:
    """A model and its optimizer in one of the modes."""

    def __init__(self, args, mode: str, frozen_stages: int):
        import torch
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules
        from mmengine.config import Config
        from mmengine.optim import build_optim_wrapper

        register_all_modules()
        cfg = model_config(Config.fromfile(args.config), mode, frozen_stages)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(args.seed)
        self.model = MODELS.build(cfg.model)
        start(self.model, args)
        self.model.to(device).train()
        self.wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        if args.compile and mode.startswith("fzmm"):
            self.model.backbone.forward = torch.compile(self.model.backbone.forward, dynamic=True)
            self.model.neck.forward = torch.compile(self.model.neck.forward, dynamic=True)

    def step(self, batch: dict) -> None:
        """Train on a batch, as MMEngine's loop does, and wait until it is done."""
        import torch

        self.model.train()  # as the loop does before every step
        self.model.train_step(copy.deepcopy(batch), self.wrapper)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def validate(self, batch: dict) -> None:
        """Detect on a batch, as MMEngine's validation loop does, without the metric."""
        import torch

        self.model.eval()
        with torch.no_grad():
            self.model.val_step(copy.deepcopy(batch))

    def losses_and_gradients(self, batch: dict, proposals: list | None = None) -> dict:
        """Return what a step computes, without taking it.

        Args:
            batch: The step's batch.
            proposals: Take these in place of the RPN's own. Rounding may swap two proposals of
                nearly equal score; the sampler then draws other RoIs, and losses differ by what
                another draw would have changed, which says nothing about the arithmetic.
        """
        import torch

        torch.manual_seed(0)
        head, seen = self.model.rpn_head, []
        predict = head.predict_by_feat

        def record(*args, **kwargs):
            seen.extend(predict(*args, **kwargs))
            return copy.deepcopy(seen if proposals is None else proposals)

        with mock.patch.object(head, "predict_by_feat", record), full_precision():
            with self.wrapper.optim_context(self.model):
                data = self.model.data_preprocessor(copy.deepcopy(batch), True)
                loss, logs = self.model.parse_losses(self.model(**data, mode="loss"))
            loss.backward()
        gradients = {
            name: p.grad.detach().float().cpu()
            for name, p in self.model.named_parameters()
            if p.grad is not None
        }
        self.model.zero_grad()
        losses = {name: float(value.detach()) for name, value in logs.items() if "loss" in name}
        return {"losses": losses, "gradients": gradients, "proposals": seen}


@contextlib.contextmanager
def full_precision():
    """Compute float32 in float32: TensorFloat-32's rounding would drown what is compared."""
    import torch

    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


def model_config(cfg, mode: str, frozen_stages: int):
    """Return the config of a mode: MMDetection's own modules, or fzmm's."""
    from fzmm.engine.runner.fast import apply_fast
    from fzmm.models.faster_modules import use_faster_modules, use_stock_modules

    cfg.model.backbone.update(init_cfg=None, frozen_stages=frozen_stages)
    cfg.optim_wrapper.optimizer.lr = 1e-4  # random weights must not diverge within the rounds
    cfg.model = use_stock_modules(cfg.model)  # dumps of older configs name fzmm's
    if mode == "stock --amp":
        cfg.optim_wrapper.type = "AmpOptimWrapper"
    elif mode == "fzmm fp32":
        cfg.model = use_faster_modules(cfg.model)
    elif mode == "fzmm fast":
        cfg = apply_fast(cfg)
    return cfg


def start(model, args) -> None:
    """Give the model weights whose activations are of a trained network's size."""
    import torch
    from mmengine.runner import load_checkpoint

    if args.checkpoint:
        load_checkpoint(model, args.checkpoint, map_location="cpu")
        return
    model.init_weights()
    generator = torch.Generator().manual_seed(args.seed)
    for name, module in model.backbone.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            last = name.endswith(("bn3", "layer1.0.bn2", "layer1.1.bn2"))
            module.weight.data.uniform_(0.8, 1.2, generator=generator).mul_(0.3 if last else 1)
            module.bias.data.normal_(0, 0.1, generator=generator)
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)


def compare(reference: dict, own: dict, same: dict) -> dict:
    """Return the largest relative difference of a loss, and the gradients' cosine."""
    import torch

    def largest(losses):
        return max(abs(losses[k] - v) / abs(v) for k, v in reference["losses"].items() if v)

    names = list(reference["gradients"])
    ours, theirs = (
        torch.cat([result["gradients"][name].flatten().double() for name in names])
        for result in (same, reference)
    )
    return {
        "loss": largest(same["losses"]),
        "loss_own_proposals": largest(own["losses"]),
        "cosine": float(torch.cosine_similarity(ours, theirs, 0)),
        "smallest_cosine_of_a_parameter": min(
            float(
                torch.cosine_similarity(
                    same["gradients"][n].flatten().double(),
                    reference["gradients"][n].flatten().double(),
                    0,
                )
            )
            for n in names
            if reference["gradients"][n].norm() > 1e-8
        ),
    }


def profile(step) -> dict[str, float]:
    """Return the operators that take the most time, and the share of the step that each takes."""
    import torch

    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        step(0)
    key = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda e: -getattr(e, key))
    total = sum(getattr(e, key) for e in events)
    return {e.key: round(getattr(e, key) / total, 4) for e in events[:15]}


def memory_in_a_process(frozen_stages: int, mode: str) -> float | None:
    """Return a mode's peak memory in MB, measured in a process that does nothing else."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", mode]
    command += ["--frozen-stages", str(frozen_stages)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory(args, mode: str) -> float:
    """Return this process's peak in MB after two steps: of the GPU's memory, or resident."""
    from fzmm.engine.peak_memory import peak_memory_mb

    trainer = Trainer(args, mode, args.frozen_stages[-1])
    for batch in make_batches(args)[:2]:
        trainer.step(batch)
    return peak_memory_mb()


if __name__ == "__main__":
    main()
