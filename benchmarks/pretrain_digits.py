"""Pretrain a ResNet-18 on crops of digits: weights for ``torchvision_training.py``, no download.

    python benchmarks/pretrain_digits.py --out data/toy/resnet18_digits.pth

The scans are those that the images of the toy study leave out.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.models.backbones import ResNet
from torch import nn

from fzmm.errors import UserError, run_cli
from fzmm.toy.dataset import CLASSES, make_crops
from fzmm.utils.files import atomic_write

# ImageNet's statistics, as the detector's data_preprocessor applies them
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1)
CROP_SIZE = 32
BATCH_SIZE = 64


class Classifier(nn.Module):
    """MMDetection's ResNet-18 with global average pooling and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet(depth=18, out_indices=(3,), norm_eval=False)
        for module in self.backbone.modules():  # as ResNet.init_weights, without its log
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.fc = nn.Linear(512, len(CLASSES))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Return the (n, 10) logits of (n, 3, s, s) crops with pixel values 0 to 255."""
        crops = ((crops - MEAN) / STD).to(memory_format=torch.channels_last)
        return self.fc(self.backbone(crops)[0].mean(dim=(2, 3)))


def _tensors(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    crops, labels = make_crops(count, CROP_SIZE, seed)
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float(), torch.from_numpy(labels).long()


def pretrain(out: Path, iterations: int = 600, seed: int = 0, crops: int = 8000) -> float:
    """Train the classifier and save its backbone under MMDetection's parameter names.

    Args:
        out: File to write: a checkpoint with ``state_dict`` and ``meta``.
        iterations: Steps of 64 crops of 32 x 32 pixels.
        seed: Of the weights, the crops and their order.
        crops: How many are painted; a sixteenth of them is kept for measuring.

    Returns:
        Accuracy, 0 to 1, on crops that training has not drawn.
    """
    from rich.progress import track

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    inputs, labels = _tensors(crops, seed)
    held_out = crops // 16
    inputs, test_inputs = inputs[held_out:], inputs[:held_out]
    labels, test_labels = labels[held_out:], labels[:held_out]
    model = Classifier().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)

    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=iterations)
    model.train()
    for _ in track(range(iterations), description="pretraining on digit crops", transient=True):
        index = torch.from_numpy(rng.integers(0, len(inputs), BATCH_SIZE))
        loss = F.cross_entropy(model(inputs[index]), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    model.eval()
    with torch.no_grad():
        accuracy = (model(test_inputs).argmax(1) == test_labels).float().mean().item()
    state = OrderedDict(
        (key, value.contiguous()) for key, value in model.backbone.state_dict().items()
    )
    meta = dict(accuracy=accuracy, iterations=iterations, seed=seed, classes=list(CLASSES))
    out.parent.mkdir(parents=True, exist_ok=True)

    try:
        with atomic_write(out, "wb") as file:
            torch.save(dict(state_dict=state, meta=meta), file)
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}; free space or choose another file") from None

    return accuracy


def main() -> None:
    """Pretrain and say how well."""
    parser = argparse.ArgumentParser(description="Pretrain a ResNet-18 on digits.")
    parser.add_argument("--out", type=Path, default=Path("data/toy/resnet18_digits.pth"))
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crops", type=int, default=8000, help="digit crops to paint")
    args = parser.parse_args()
    accuracy = pretrain(args.out, args.iterations, args.seed, args.crops)
    print(f"{args.out}: {100 * accuracy:.1f}% of unseen digit crops are classified rightly")


if __name__ == "__main__":
    run_cli(main)
