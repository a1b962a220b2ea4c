"""torchvision's side of the comparisons: runs where torch and torchvision are, without OpenMMLab.

python -m benchmarks._torchvision train FOLDER SEED     # called by torchvision_training.py
python -m benchmarks._torchvision step OPTIONS          # called by train_step.py
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torchvision.models import resnet
from torchvision.models.detection import FasterRCNN, faster_rcnn
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d


def narrow_detector(options: dict) -> FasterRCNN:
    """Return ``fasterrcnn_resnet50_fpn`` with a ResNet-18 and fewer channels and proposals.

    Args:
        options: ``channels``, ``hidden``, ``classes``, ``trainable``, ``size`` (height, width),
            ``rois`` and ``proposals`` of an image.
    """
    body = resnet.resnet18(weights=None, norm_layer=FrozenBatchNorm2d)
    trained = ["layer4", "layer3", "layer2", "layer1", "conv1"][: options["trainable"]]
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(trained)))
    layers = {f"layer{k}": str(k - 1) for k in range(1, 5)}
    backbone = BackboneWithFPN(body, layers, [64, 128, 256, 512], options["channels"])
    classes = options["classes"] + 1
    return FasterRCNN(
        backbone,
        min_size=min(options["size"]),
        max_size=max(options["size"]),
        box_batch_size_per_image=options["rois"],
        rpn_pre_nms_top_n_train=options["proposals"],
        rpn_post_nms_top_n_train=options["proposals"],
        rpn_pre_nms_top_n_test=options["proposals"],
        rpn_post_nms_top_n_test=options["proposals"],
        box_head=faster_rcnn.TwoMLPHead(options["channels"] * 7**2, options["hidden"]),
        box_predictor=faster_rcnn.FastRCNNPredictor(options["hidden"], classes),
    )


def train(folder: Path, seed: int) -> None:
    """Train on the batches of ``folder`` and write losses and detections beside them."""
    options = json.loads((folder / "options.json").read_text())
    data = np.load(folder / "data.npz")
    data = {name: data[name] for name in data.files}  # an archive reads an array at every access
    torch.manual_seed(seed)
    model = narrow_detector(options)
    model.load_state_dict(torch.load(folder / "start.pth", weights_only=True))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, options["lr"], momentum=0.9, weight_decay=1e-4)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, total_iters=options["warmup"])
    model.train()
    losses = []
    for batch in data[f"order{seed}"]:
        images, targets = zip(*(sample(data, "train", *place) for place in batch), strict=True)
        parts = model(list(images), list(targets))
        loss = sum(parts.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warmup.step()
        losses.append(float(loss.detach()))
    detections = detect(model, data)
    np.savez(folder / f"torchvision{seed}.npz", losses=losses, **detections)


def sample(data, split: str, index: int, flip: int = 0):
    """Return an image (3, H, W), 0 to 1, RGB, and its target; mirrored if ``flip``."""
    image = torch.from_numpy(data[f"{split}_images"][index]).permute(2, 0, 1).float() / 255
    rows = data[f"{split}_boxes"]
    rows = torch.from_numpy(rows[rows[:, 0] == index])
    boxes, labels = rows[:, 1:5].float(), rows[:, 5].long() + 1
    if flip:
        image = image.flip(-1)
        boxes[:, [0, 2]] = image.shape[-1] - boxes[:, [2, 0]]
    return image, {"boxes": boxes, "labels": labels}


def detect(model: FasterRCNN, data) -> dict[str, np.ndarray]:
    """Return the detections of all validation images: image, box, score and label."""
    model.eval()
    rows = []
    with torch.no_grad():
        for index in range(len(data["val_images"])):
            output = model([sample(data, "val", index)[0]])[0]
            image = torch.full_like(output["scores"], index)
            columns = [image[:, None], output["boxes"], output["scores"][:, None]]
            rows.append(torch.cat([*columns, output["labels"][:, None] - 1.0], 1).numpy())
    return {"detections": np.concatenate(rows)}


def start(folder: Path) -> None:
    """Write the weights from which every training starts: heads at random, a pretrained body."""
    options = json.loads((folder / "options.json").read_text())
    torch.manual_seed(0)
    model = narrow_detector(options)
    body = torch.load(options["pretrained"], weights_only=True, map_location="cpu")["state_dict"]
    body = {name: value for name, value in body.items() if "num_batches_tracked" not in name}
    model.backbone.body.load_state_dict(body)
    torch.save(model.state_dict(), folder / "start.pth")


def step(options: dict) -> None:
    """Time training steps of ``fasterrcnn_resnet50_fpn`` and print their seconds as JSON.

    Args:
        options: ``trainable`` stages, ``batch_size``, ``size`` (height, width), ``rounds``,
            ``warmup`` and ``threads`` (None for PyTorch's choice).
    """
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    torch.manual_seed(0)
    height, width = options["size"]
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, trainable_layers=options["trainable"]
    )
    model = FasterRCNN(backbone, num_classes=91, min_size=min(height, width), max_size=2000)
    for name, buffer in model.named_buffers():
        if name.endswith("bn3.weight"):
            buffer.fill_(0.3)  # activations of a trained network's size, as in the other modes
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, 1e-5, momentum=0.9, weight_decay=1e-4)
    data = np.load(options["data"])
    data = {name: data[name] for name in data.files}
    seconds = []
    for number in range(options["warmup"] + options["rounds"]):
        first = number * options["batch_size"]
        places = [(first + i) % len(data["train_images"]) for i in range(options["batch_size"])]
        batch = [sample(data, "train", place) for place in places]
        images = [image.to(device) for image, _ in batch]
        targets = [{k: v.to(device) for k, v in target.items()} for _, target in batch]
        begin = time.perf_counter()
        loss = sum(model(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps(seconds[options["warmup"] :]))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "train":
        train(Path(arguments[0]), int(arguments[1]))
    elif command == "start":
        start(Path(arguments[0]))
    else:
        step(json.loads(arguments[0]))
