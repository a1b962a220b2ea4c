"""Write what torchvision computes for ``cases.py``; needs torch and torchvision, nothing else.

    python -m tests.parity.measure_torchvision tests/parity/torchvision.npz

``make test-torchvision`` makes an environment for it and compares.
"""

import sys
from unittest import mock

import numpy as np
import torch
import torchvision
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList

from fzmm.models.torchvision_weights import mmdet_name
from tests.parity import cases


def main(path):
    """Measure everything and write it to ``path``, an ``.npz``."""
    arrays = {
        "versions": np.array([torch.__version__, torchvision.__version__]),
        **anchors_and_targets(),
        **training(),
        **trained_parameters(),
        "learning_rates": learning_rates(),
        "resized": resized_shapes(),
        "normalised": normalised(),
        "zero_init": np.array(zero_initialised()),
    }
    np.savez_compressed(path, **arrays)


def detector(trainable=3, **kwargs):
    """Return the detector that ``fasterrcnn_resnet50_fpn`` makes of pretrained weights."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, trainable_layers=trainable
    )
    return FasterRCNN(backbone, num_classes=cases.CLASSES + 1, **kwargs)


def set_weights(model):
    """Give the model the weights of ``cases.py``."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(torch.from_numpy(cases.weight(name, tuple(value.shape))))


def anchors_and_targets():
    """Return anchors, labels and box targets of images of odd sizes in one padding."""
    rpn = detector().rpn
    height, width = cases.PADDED
    images = ImageList(torch.zeros(2, 3, height, width), list(cases.IMAGE_SIZES))
    sizes = [(height // s, width // s) for s in (4, 8, 16, 32)]
    sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))  # max pooling with stride 2
    anchors = rpn.anchor_generator(images, [torch.zeros(2, 1, *size) for size in sizes])
    boxes = [torch.from_numpy(b) for b in cases.image_boxes()]
    labels, matched = rpn.assign_targets_to_anchors(anchors, [{"boxes": b} for b in boxes])
    targets = rpn.box_coder.encode(matched, anchors)
    result = {
        "map_sizes": np.array(sizes),
        "anchors": anchors[0].numpy().astype(np.int16),  # whole pixels, as the test shows
    }
    assert (anchors[0] == anchors[0].round()).all()
    for i in range(2):
        positive = labels[i] == 1
        result[f"labels{i}"] = labels[i].numpy().astype(np.int8)
        result[f"targets{i}"] = targets[i][positive].numpy().astype(np.float32)
        box = (matched[i][:, None] == boxes[i]).all(2).float().argmax(1)
        result[f"positives_of_box{i}"] = np.bincount(box[positive], minlength=len(boxes[i]))
    return result


def training():
    """Return losses and gradients' norms of SGD steps in float64."""
    model = detector(
        rpn_post_nms_top_n_train=cases.PROPOSALS, rpn_pre_nms_top_n_train=2000
    ).double()
    set_weights(model)
    model.train()
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(parameters.values(), **cases.OPTIMIZER)
    arrays, boxes, labels = cases.training_batch()
    batch = model.transform.batch_images([torch.from_numpy(image) for image in arrays])
    assert tuple(batch.shape[-2:]) == cases.TRAINED_PADDED
    images = ImageList(batch, list(cases.TRAINED_SIZES))
    targets = [
        {"boxes": torch.from_numpy(b), "labels": torch.from_numpy(x) + 1}
        for b, x in zip(boxes, labels, strict=True)
    ]
    losses, norms = [], []
    for _ in range(cases.STEPS):
        with mock.patch("torch.randperm", fixed_permutation):
            features = model.backbone(images.tensors)
            proposals, rpn_losses = model.rpn(images, features, targets)
            _, losses_of_rois = model.roi_heads(features, proposals, images.image_sizes, targets)
        step = {**rpn_losses, **losses_of_rois}
        optimizer.zero_grad()
        sum(step.values()).backward()
        norms.append([float(p.grad.norm()) for p in parameters.values()])
        losses.append([float(step[name].detach()) for name in LOSSES])
        optimizer.step()
    return {
        "losses": np.array(losses),
        "gradient_norms": np.array(norms),
        "parameters": np.array([mmdet_name(name) for name in parameters]),
    }


LOSSES = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")


def fixed_permutation(n, **kwargs):
    """Stand for ``torch.randperm``."""
    return torch.from_numpy(cases.permutation(n))


def trained_parameters():
    """Return the names of the parameters that are trained, for each number of frozen stages."""
    names = {}
    for trainable in range(6):
        model = detector(trainable)
        trained = [mmdet_name(n) for n, p in model.named_parameters() if p.requires_grad]
        names[f"trained_frozen{4 - trainable}"] = np.array(sorted(trained))
    return names


def learning_rates():
    """Return the rate of every iteration, as torchvision's reference script schedules it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    epoch = cases.MAX_ITERS // 26
    decay = torch.optim.lr_scheduler.MultiStepLR(optimizer, [16, 22], 0.1)
    warmup = torch.optim.lr_scheduler.LinearLR(
        optimizer, start_factor=1 / 1000, total_iters=min(cases.WARMUP, epoch - 1)
    )
    rates = []
    for number in range(26):
        for _ in range(epoch):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if number == 0:
                warmup.step()
        decay.step()
    return np.array(rates)


def resized_shapes():
    """Return height and width that the detector's transform gives images of 1,000 sizes."""
    transform = detector().transform
    sizes = [transform.resize(torch.zeros(1, *size))[0].shape[1:] for size in original_sizes()]
    return np.array(sizes, np.int16)


def original_sizes():
    """Return the images' sizes as ints."""
    return [tuple(int(side) for side in size) for size in cases.original_sizes()]


def normalised():
    """Return a photograph as the detector's transform normalises and pads it."""
    transform = detector().transform
    image = torch.from_numpy(cases.photograph()).permute(2, 0, 1).float() / 255
    return transform.batch_images([transform.normalize(image)])[0].numpy()


def zero_initialised():
    """Return how many last norms of a block start at 0 when a ResNet-50 is made from scratch."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5
    )
    return sum(bool((m.bn3.weight == 0).all()) for m in backbone.modules() if hasattr(m, "bn3"))


if __name__ == "__main__":
    main(sys.argv[1])
