"""The losses on the validation images: their values, and a training that does not notice them."""

import json
import shutil

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint

import fzmm.register  # noqa: F401
from fzmm.datasets.samplers.seeding import mix, seed_everything
from fzmm.detector_config.freezing import register_modules
from tests.engine.conftest import write_config
from tests.engine.helpers import Training, assert_same_weights, losses, rows

# Larger than the images are; norms that learn; random numbers that go on from a validation.
LINES = (
    "test_pipeline = [*_base_.test_pipeline]",
    "test_pipeline[1] = dict(type='Resize', scale=(96, 96), keep_ratio=True)",
    "val_dataloader = dict(batch_size=3, dataset=dict(pipeline=test_pipeline))",
    "model = dict(backbone=dict(norm_eval=False))",
    "train_cfg = dict(max_iters=16, val_interval=8)",
    "optim_wrapper = dict(optimizer=dict(lr=0.05))",
)
HOOKS = "exact_resume=dict(reseed=False), train_split=None, checkpoint=dict(interval=16)"


@pytest.fixture(scope="module")
def crowded(tiny, tmp_path_factory):
    """The tiny dataset with a crowd in its validation; one of its 7 images holds no box."""
    folder = tmp_path_factory.mktemp("crowded")
    shutil.copytree(tiny, folder, dirs_exist_ok=True)
    coco = json.loads((folder / "val.json").read_text())
    coco["images"] = coco["images"][1:]
    coco["annotations"] = [each for each in coco["annotations"] if each["image_id"] > 0]
    coco["annotations"][2]["iscrowd"] = 1
    (folder / "val.json").write_text(json.dumps(coco))
    return folder


@pytest.fixture(scope="module")
def trained(training_server, crowded, tmp_path_factory):
    """A training with the hook and one without it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "runs").mkdir()
    for name, hook in (("with", "val_loss=dict(type='ValidationLossHook'), "), ("without", "")):
        path = write_config(
            folder, crowded, *LINES, f"default_hooks = dict({hook}{HOOKS})", name=name
        )
        Training(training_server, path, folder / "runs" / name).wait()
    return folder


def by_hand(cfg, checkpoint, batches):
    """Means over the images of the losses of batches, each of (rank, number, counted images)."""
    register_modules()
    model = MODELS.build(cfg.model)
    load_checkpoint(model, str(checkpoint))
    model.eval()
    dataset = cfg.val_dataloader.dataset.copy()
    load, resize, truth, pack = dataset.pipeline
    dataset.pipeline = [load, truth, resize, pack]  # as in training
    dataset = DATASETS.build(dataset)
    sums, images = {}, 0
    for rank, number, indices in batches:
        data = model.data_preprocessor(pseudo_collate([dataset[i] for i in indices]), False)
        seed_everything(mix(number, rank))
        with torch.no_grad():
            values = model.parse_losses(model(**data, mode="loss"))[1]
        for name, value in values.items():
            sums[name] = sums.get(name, 0) + float(value) * len(indices)
        images += len(indices)
    return {f"val/{name}": value / images for name, value in sums.items()}


def logged(row):
    return {name: value for name, value in row.items() if name.startswith("val/")}


def validations(work_dir):
    return [row for row in rows(work_dir) if "coco/bbox_mAP" in row]


def test_its_row_has_the_losses_that_one_computes_by_hand(trained):
    cfg = Config.fromfile(trained / "with.py")
    checkpoint = trained / "runs/with/iter_16.pth"
    expected = by_hand(cfg, checkpoint, [(0, 0, [0, 1, 2]), (0, 1, [3, 4, 5]), (0, 2, [6])])
    before, last = validations(trained / "runs/with")
    assert logged(last) == pytest.approx(expected, rel=1e-4)
    assert {"val/loss", "val/loss_cls", "val/loss_rpn_bbox", "val/acc"} <= logged(last).keys()
    assert logged(before) != logged(last)


def test_training_and_map_are_the_same_without_it(trained):
    on, off = (trained / "runs" / name for name in ("with", "without"))
    assert losses(on) == losses(off) and len(losses(on)) == 16
    for first, second in zip(validations(on), validations(off), strict=True):
        keys = [key for key in second if "time" not in key]
        assert {key: first[key] for key in keys} == {key: second[key] for key in keys}
        assert not logged(second)
    assert_same_weights(on / "iter_16.pth", off / "iter_16.pth")
    first, second = (torch.load(run / "iter_16.pth", weights_only=False) for run in (on, off))
    momenta = [each["optimizer"]["state"] for each in (first, second)]
    for number, state in momenta[0].items():
        assert torch.equal(state["momentum_buffer"], momenta[1][number]["momentum_buffer"])
    hubs = [each["message_hub"] for each in (first, second)]
    for part in ("log_scalars", "runtime_info", "resumed_keys"):
        assert hubs[0][part].keys() == hubs[1][part].keys()


def test_two_processes_count_each_image_once(crowded, train, tmp_path):
    lines = [line.replace("batch_size=3", "batch_size=1") for line in LINES]
    lines.remove("model = dict(backbone=dict(norm_eval=False))")  # each process has its own norms
    hook = f"default_hooks = dict(val_loss=dict(type='ValidationLossHook'), {HOOKS})"
    path = write_config(tmp_path, crowded, *lines, hook)
    train(path, "two", processes=2)
    batches = [(index % 2, index // 2, [index]) for index in range(7)]
    expected = by_hand(Config.fromfile(path), tmp_path / "two/iter_16.pth", batches)
    assert logged(validations(tmp_path / "two")[-1]) == pytest.approx(expected, rel=1e-4)


def test_where_it_cannot_work_the_log_says_so_and_training_goes_on(config, train, tmp_path):
    path = config(
        "test_pipeline = [_base_.test_pipeline[0], _base_.test_pipeline[1]]",
        "test_pipeline.append(_base_.test_pipeline[3])",
        "val_dataloader = dict(dataset=dict(pipeline=test_pipeline))",
        "train_cfg = dict(max_iters=2, val_interval=2)",
        "default_hooks = dict(train_split=None, val_loss=dict(type='ValidationLossHook'))",
    )
    out = train(path, "run")
    assert "no validation loss is logged: its pipeline loads no annotations" in out
    assert not any(logged(row) for row in validations(tmp_path / "run"))
