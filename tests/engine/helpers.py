"""A tiny dataset of real files, and trainings on it in their own processes."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import cv2
import numpy as np
import torch

CLASSES = ("square", "bar", "dot")


def write_dataset(root, name, images, seed):
    """Write ``images`` JPEGs of bright rectangles, and their COCO file; every eighth has no box."""
    rng = np.random.default_rng(seed)
    folder = root / name
    folder.mkdir(parents=True)
    coco = {"images": [], "annotations": [], "categories": []}
    coco["categories"] = [{"id": i + 1, "name": c} for i, c in enumerate(CLASSES)]
    for image in range(images):
        height, width = ((48, 64), (64, 48))[image % 3 == 0]
        pixels = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
        for _ in range(0 if image % 8 == 7 else rng.integers(1, 4)):
            category = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
            w, h = ((20, 20), (28, 10), (9, 9))[category]
            x, y = (int(rng.integers(0, limit)) for limit in (width - w, height - h))
            pixels[y : y + h, x : x + w] = (200, 120 + 60 * category, 80 * category)
            coco["annotations"].append(
                dict(id=len(coco["annotations"]) + 1, image_id=image, category_id=category + 1)
                | dict(bbox=[x, y, w, h], area=w * h, iscrowd=0)
            )
        cv2.imwrite(str(folder / f"{image:03}.jpg"), pixels)
        coco["images"].append(
            dict(id=image, file_name=f"{image:03}.jpg", height=height, width=width)
        )
    (root / f"{name}.json").write_text(json.dumps(coco))


class Training:
    """One training in one or more processes; it has a log and can be waited for and killed."""

    def __init__(self, server, config, work_dir, *options, processes=1, environment=None):
        self.server, self.work_dir, self.log = server, work_dir, work_dir.with_suffix(".log")
        arguments = [str(config), str(work_dir), *(str(option) for option in options)]
        common = dict(WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port())
        environment = environment or {}
        self.pids = []
        for rank in range(processes):
            ranks = common | dict(RANK=str(rank), LOCAL_RANK=str(rank)) if processes > 1 else {}
            self.pids.append(server([arguments, environment | ranks, str(self.log)]))

    def kill(self, number=signal.SIGKILL, ranks=None):
        """Send a signal to the training's processes and to all that they have started."""
        for rank in range(len(self.pids)) if ranks is None else ranks:
            os.killpg(self.pids[rank], number)

    def wait(self, code=0):
        """Wait for the end, check the exit code and return what was printed."""
        codes = [self.server(pid) for pid in self.pids]
        out = self.log.read_text()
        assert codes == [code] * len(codes), f"{codes}: {out[-4000:]}"
        return out

    def wait_for(self, name, seconds=60):
        """Wait until a file of the work directory exists."""
        end = time.time() + seconds
        while not list(self.work_dir.glob(name)):
            assert time.time() < end, self.log.read_text()[-4000:]
            time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def rows(work_dir):
    """The JSON rows of all starts of a run, in order."""
    return [
        json.loads(line)
        for path in sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
        for line in path.read_text().splitlines()
    ]


def losses(work_dir):
    """The loss of each iteration; a later start's wins."""
    return {row["step"]: row["loss"] for row in rows(work_dir) if "loss" in row}


def weights(path):
    """The model's weights in a checkpoint."""
    return torch.load(path, weights_only=False)["state_dict"]


def assert_same_weights(first, second):
    """Check that two checkpoints hold bitwise the same weights."""
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
