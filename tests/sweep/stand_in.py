"""A training without a detector: what a sweep sees of one, at 30 iterations a second.

It keeps tools/train.py's promises: resumes from its newest readable checkpoint, on SIGTERM saves
one and ends with 75, writes logs and provenance as MMEngine and fzmm do. Each iteration that it
really makes is appended to ``iterations.txt``.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("config", type=Path)
parser.add_argument("--work-dir", type=Path)
parser.add_argument("--seed", type=int)
parser.add_argument("--resume", action="store_true")
parser.add_argument("--budget", type=float, default=1)
parser.add_argument("--cfg-options", nargs="+", default=[])
args = parser.parse_args()
cfg = {}
exec(args.config.read_text(), cfg)
max_iters = round(cfg["train_cfg"]["max_iters"] * args.budget)
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))


def save(iteration):
    path = args.work_dir / f"iter_{iteration}.pth"
    path.write_text(f"{iteration}" + " " * cfg.get("checkpoint_bytes", 0))
    (args.work_dir / "last_checkpoint").write_text(str(path))


def provenance(finished, stop_reason=None):
    record = dict(finished=finished, stop_reason=stop_reason)
    if "maps" in cfg:  # a study that a report can read
        frozen = cfg["model"]["backbone"]["frozen_stages"]
        study = dict(dataset="cells", data_amount="cells100", fraction=1.0)
        study.update(cfg.get("study", {}))
        for option in args.cfg_options:
            study[option.partition("=")[0].removeprefix("study.")] = float(option.partition("=")[2])
        record.update(config=str(args.config), frozen_stages=frozen, seed=args.seed, study=study)
        record.update({key: dict(ann_file=key, sha256=key * 8) for key in ("train", "val")})
        record["train"]["sha256"] += study["data_amount"]
    (args.work_dir / "provenance.json").write_text(json.dumps(record))


saved = [p for p in args.work_dir.glob("iter_*.pth") if p.read_text().strip().isdigit()]
start = max((int(path.stem[5:]) for path in saved), default=0)
starts = len(list(args.work_dir.glob("20260101_*")))
logs = args.work_dir / f"20260101_{starts:06d}" / "vis_data"
logs.mkdir(parents=True)
(args.work_dir / "gpus.txt").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
(args.work_dir / "threads.txt").write_text(os.environ.get("OMP_NUM_THREADS", "all"))
dump = args.config.read_text() if "maps" in cfg else ""
(logs / "config.py").write_text(f"{dump}train_cfg = dict(max_iters={max_iters})")
provenance(False)
for iteration in range(start + 1, max_iters + 1):
    image = cfg.get("image")
    if iteration == cfg.get("needs_image_at") and not os.path.exists(image):
        sys.exit(f"FileNotFoundError: {image}")
    if iteration == cfg.get("fails_at"):
        raise RuntimeError("boom")
    if iteration == cfg.get("diverges_at"):
        reason = f"the loss is nan at iteration {iteration} (loss_cls)"
        provenance(False, reason)
        sys.stderr.write(f"error: {reason}\n")
        sys.exit(2)
    if iteration == cfg.get("leaves_at"):
        sys.exit(0)
    time.sleep(cfg.get("seconds", 0.03))
    with open(args.work_dir / "iterations.txt", "a") as file:
        file.write(f"{iteration}\n")
    with open(logs / "scalars.json", "a") as file:
        file.write(json.dumps(dict(loss=1.0, iter=iteration, step=iteration)) + "\n")
    if told or iteration % 5 == 0:
        save(iteration)
    if told:
        sys.exit(75)
best = cfg["maps"][args.seed] if "maps" in cfg else 0.25 + args.seed / 100
with open(logs / "scalars.json", "a") as file:
    step = max_iters if "maps" in cfg else 0
    file.write(json.dumps({"coco/bbox_mAP": best, "step": step}) + "\n")
provenance(True)
