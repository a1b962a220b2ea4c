"""Train in the small with torchvision and with the study's recipe, side by side.

    make test-torchvision                       # once: the environment with torchvision
    python benchmarks/pretrain_digits.py --out data/toy/resnet18_digits.pth
    python benchmarks/torchvision_training.py data/bccd --figure losses.png

A narrow detector on a ResNet-18, from the same initial weights, on the same images at 320 pixels in
the same order with the same flips; the seeds are those of the samplers and of the order. Every
training is a process of its own; both sides' detections go through one evaluator.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _common
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SIDES = ("torchvision", "fzmm")


def main() -> None:
    """Train, evaluate and print."""
    args = parse()
    if args.train_here is not None:
        train_here(args.data, args.train_here)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(args, folder)
        torchvision = [args.torchvision, "-m", "benchmarks._torchvision"]
        call([*torchvision, "start", folder])
        commands = {}
        for seed in args.seeds:
            commands["torchvision", seed] = [*torchvision, "train", folder, seed]
            commands["fzmm", seed] = [sys.executable, __file__, folder, "--train-here", seed]
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(call, commands.values()))
        results = collect(args, folder)
    if args.figure:
        draw(results, args.figure)
    _common.report("torchvision_training", args, table(results), results)


def parse():
    """Return the command line's options."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/, val/ and annotations/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--size", type=int, default=320, help="longer side of the images")
    parser.add_argument("--pretrained", default=str(ROOT / "data/toy/resnet18_digits.pth"))
    parser.add_argument(
        "--torchvision",
        default=str(ROOT / ".venv-torchvision/bin/python"),
        help="Python of the environment with torchvision",
    )
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, one thread each")
    parser.add_argument("--figure", type=Path, help="file for the loss curves")
    parser.add_argument("--train-here", type=int, metavar="SEED", help="(internal) one training")
    return parser.parse_args()


def call(command: list) -> None:
    """Run a command with one thread; its errors are ours."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"error: {' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    print(f"done: {command[-3:]}", file=sys.stderr, flush=True)


def write_data(args, folder: Path) -> None:
    """Write images and boxes of one size, the order of the images, and the options of a run."""
    arrays, classes = {}, 0
    for split in ("train", "val"):
        images, boxes, classes, size = read_split(args.data, split, args.size)
        arrays[f"{split}_images"], arrays[f"{split}_boxes"] = images, boxes
    count = args.iterations * args.batch_size
    for seed in args.seeds:
        rng = np.random.default_rng(seed)
        passes = -(-count // len(arrays["train_images"]))
        order = [rng.permutation(len(arrays["train_images"])) for _ in range(passes)]
        order = np.stack([np.concatenate(order)[:count], rng.integers(0, 2, count)], 1)
        arrays[f"order{seed}"] = order.reshape(args.iterations, args.batch_size, 2)
    np.savez(folder / "data.npz", **arrays)
    options = dict(
        channels=32, hidden=128, classes=classes, trainable=2, size=size, rois=128, proposals=500,
        lr=args.lr,
        warmup=args.iterations // 4, pretrained=os.path.abspath(args.pretrained),
    )  # fmt: skip
    (folder / "options.json").write_text(json.dumps(options))


def read_split(data: Path, split: str, longer_side: int):
    """Return RGB images of one size, rows (image, x1, y1, x2, y2, label), classes and the size."""
    coco = json.loads((data / "annotations" / f"instances_{split}.json").read_text())
    labels = {c["id"]: i for i, c in enumerate(sorted(coco["categories"], key=lambda c: c["id"]))}
    scale = longer_side / max(coco["images"][0]["width"], coco["images"][0]["height"])
    width, height = (round(coco["images"][0][side] * scale) for side in ("width", "height"))
    images, rows = [], []
    for index, info in enumerate(coco["images"]):
        image = cv2.imread(str(data / split / info["file_name"]))
        images.append(cv2.resize(image, (width, height))[..., ::-1])
        factor = np.tile([width / info["width"], height / info["height"]], 2)
        for annotation in coco["annotations"]:
            if annotation["image_id"] == info["id"] and not annotation.get("iscrowd"):
                x, y, w, h = annotation["bbox"]
                box = np.array([x, y, x + w, y + h]) * factor
                rows.append([index, *box, labels[annotation["category_id"]]])
    return np.stack(images), np.array(rows), len(labels), (height, width)


def study_config(options: dict):
    """Return the study's config with a ResNet-18 and fewer channels and proposals."""
    from mmengine.config import Config

    cfg = Config.fromfile(ROOT / "configs/_base_/coco100.py")
    model = cfg.model
    model.backbone.update(depth=18, init_cfg=None, frozen_stages=4 - options["trainable"])
    model.neck.update(in_channels=[64, 128, 256, 512], out_channels=options["channels"])
    model.rpn_head.update(in_channels=options["channels"], feat_channels=options["channels"])
    model.roi_head.bbox_roi_extractor.out_channels = options["channels"]
    model.roi_head.bbox_head.update(
        in_channels=options["channels"],
        fc_out_channels=options["hidden"],
        num_classes=options["classes"],
    )
    proposals = dict(nms_pre=options["proposals"], max_per_img=options["proposals"])
    model.train_cfg.rpn_proposal.update(proposals)
    model.test_cfg.rpn.update(proposals)
    model.train_cfg.rcnn.sampler.num = options["rois"]
    return cfg


def train_here(folder: Path, seed: int) -> None:
    """Train on the batches of ``folder`` and write losses and detections beside them."""
    import torch
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.optim import LinearLR, build_optim_wrapper

    from fzmm.models.faster_modules import use_faster_modules
    from fzmm.models.torchvision_weights import from_torchvision

    register_all_modules()
    options = json.loads((folder / "options.json").read_text())
    data = np.load(folder / "data.npz")
    data = {name: data[name] for name in data.files}
    cfg = study_config(options)
    torch.manual_seed(seed)
    model = MODELS.build(use_faster_modules(cfg.model, "cpu"))
    weights = torch.load(folder / "start.pth", weights_only=True)
    missing, unexpected = model.load_state_dict(from_torchvision(weights), strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing)
    cfg.optim_wrapper.optimizer.lr = options["lr"]
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    # MMEngine's end=n takes n - 1 steps
    warmup = LinearLR(wrapper, 1e-3, by_epoch=False, begin=0, end=options["warmup"] + 1)
    model.train()
    losses = []
    for batch in data[f"order{seed}"]:
        samples = [sample(data, "train", *place) for place in batch]
        logs = model.train_step(collate(samples), wrapper)
        warmup.step()
        losses.append(float(logs["loss"]))
    np.savez(folder / f"fzmm{seed}.npz", losses=losses, detections=detect(model, data))


def sample(data: dict, split: str, index: int, flip: int = 0):
    """Return an image (3, H, W) of bytes, BGR, and its data sample; mirrored if ``flip``."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    image = data[f"{split}_images"][index][..., ::-1]
    height, width = image.shape[:2]
    rows = data[f"{split}_boxes"]
    rows = torch.from_numpy(rows[rows[:, 0] == index])
    boxes, labels = rows[:, 1:5].float(), rows[:, 5].long()
    if flip:
        image = image[:, ::-1]
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    info = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0))
    data_sample = DetDataSample(metainfo=info)
    data_sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return torch.from_numpy(image.transpose(2, 0, 1).copy()), data_sample


def collate(samples: list) -> dict:
    """Return a batch as MMDetection's data loader makes it."""
    inputs, data_samples = zip(*samples, strict=True)
    return dict(inputs=list(inputs), data_samples=list(data_samples))


def detect(model, data: dict) -> np.ndarray:
    """Return the detections of all validation images: image, box, score and label."""
    import torch

    model.eval()
    rows = []
    with torch.no_grad():
        for index in range(len(data["val_images"])):
            output = model.test_step(collate([sample(data, "val", index)]))[0].pred_instances
            image = torch.full_like(output.scores, index)
            columns = [image[:, None], output.bboxes, output.scores[:, None]]
            rows.append(torch.cat([*columns, output.labels[:, None].float()], 1).numpy())
    return np.concatenate(rows)


def collect(args, folder: Path) -> dict:
    """Return losses and mAP of every training, by side and in the order of the seeds."""
    data = np.load(folder / "data.npz")
    truth = data["val_boxes"]
    results = {side: {"losses": [], "mAP": [], "mAP_50": []} for side in SIDES}
    for side in SIDES:
        for seed in args.seeds:
            run = np.load(folder / f"{side}{seed}.npz")
            results[side]["losses"].append(run["losses"].tolist())
            mean, at_50 = evaluate(truth, run["detections"])
            results[side]["mAP"].append(mean)
            results[side]["mAP_50"].append(at_50)
    return results


def evaluate(truth: np.ndarray, detections: np.ndarray) -> tuple[float, float]:
    """Return COCO's mAP and AP at IoU 0.5 of rows (image, box, score, label)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(
            images=[dict(id=int(index)) for index in np.unique(truth[:, 0])],
            categories=[dict(id=int(label)) for label in np.unique(truth[:, 5])],
            annotations=[
                dict(record(row[0], row[1:5], row[5]), id=number + 1, iscrowd=0)
                for number, row in enumerate(truth)
            ],
        )
        coco.createIndex()
        predicted = [dict(record(r[0], r[1:5], r[6]), score=float(r[5])) for r in detections]
        evaluation = COCOeval(coco, coco.loadRes(predicted), "bbox")
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def record(image: float, box: np.ndarray, label: float) -> dict:
    """Return an annotation of COCO's format."""
    x1, y1, x2, y2 = map(float, box)
    bbox = [x1, y1, x2 - x1, y2 - y1]
    return dict(image_id=int(image), category_id=int(label), bbox=bbox, area=bbox[2] * bbox[3])


def table(results: dict) -> str:
    """Return the mAP of both sides, and how the losses of the same batches differ."""
    rows = []
    for side in SIDES:
        for name in ("mAP", "mAP_50"):
            values = results[side][name]
            cells = [", ".join(f"{v:.3f}" for v in values), f"{statistics.mean(values):.3f}"]
            rows.append([side, name, *cells, f"{max(values) - min(values):.3f}"])
    curves = {side: np.array(results[side]["losses"]) for side in SIDES}
    ratio = curves["fzmm"] / curves["torchvision"]
    last = {side: curve[:, -50:].mean(1) for side, curve in curves.items()}
    lines = [_common.table(["side", "metric", "of each seed", "mean", "spread"], rows), ""]
    lines.append(
        f"first loss, fzmm / torchvision: {ratio[:, 0].min():.4f} to {ratio[:, 0].max():.4f}"
    )
    for side, values in last.items():
        lines.append(f"mean loss of the last 50, {side}: " + ", ".join(f"{v:.3f}" for v in values))
    return "\n".join(lines)


def draw(results: dict, path: Path) -> None:
    """Draw the loss curves of both sides over each other, means of 10 iterations."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for side, color in zip(SIDES, ("#b35806", "#2166ac"), strict=True):
        for number, losses in enumerate(results[side]["losses"]):
            smooth = np.convolve(losses, np.ones(10) / 10, "valid")
            style = ("-", "--", ":")[number % 3]
            label = f"{side}, {len(results[side]['losses'])} seeds" if number == 0 else None
            axes.plot(np.arange(len(smooth)) + 10, smooth, style, color=color, lw=1.2, label=label)
    axes.set(xlabel="iteration", ylabel="loss, mean of 10 iterations", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
