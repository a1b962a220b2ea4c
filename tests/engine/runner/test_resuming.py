"""What can be resumed, and as what."""

import shutil

import torch

from tests.engine.helpers import weights


def test_two_processes_train_as_one_that_accumulates(config, train, tmp_path):
    all_samples = dict(num=10**6, neg_pos_ub=-1)  # draws nothing at random
    lines = [
        "param_scheduler = []",
        "train_cfg = dict(max_iters=3, val_interval=100)",
        f"model = dict(train_cfg=dict(rpn=dict(sampler=dict({all_samples})), "
        f"rcnn=dict(sampler=dict({all_samples}))))",
    ]
    train(config(*lines, name="two"), "two", processes=2)
    lines[1] = "train_cfg = dict(max_iters=6, val_interval=100)"
    train(config(*lines, "optim_wrapper = dict(accumulative_counts=2)", name="one"), "one")
    two, one = (weights(tmp_path / name) for name in ("two/iter_3.pth", "one/iter_6.pth"))
    start = torch.load(tmp_path / "one/iter_4.pth", weights_only=False)["state_dict"]
    for name, value in two.items():
        torch.testing.assert_close(value, one[name], rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(start[name], value) for name, value in one.items())


def test_no_checkpoint_can_be_read(config, train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/iter_4.pth").write_bytes(b"rubbish")
    out = train(config(), "run", "--resume", code=2)
    assert "none of its 1 checkpoints can be read" in out
    assert "Traceback" not in out
    assert (tmp_path / "run/iter_4.pth").exists()


def test_resuming_another_run_is_refused(finished_run, config, train, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    before = (tmp_path / "run/provenance.json").read_bytes()
    out = train(config("model = dict(backbone=dict(frozen_stages=3))"), "run", "--resume", code=2)
    assert out.splitlines()[-1].startswith("error: the run in ")
    assert "with frozen_stages 1, this config has 3" in out.splitlines()[-1]
    assert (tmp_path / "run/provenance.json").read_bytes() == before
    # other data, and a checkpoint without a record beside it
    shutil.copy(finished_run / "iter_4.pth", tmp_path / "elsewhere.pth")
    path = config('train_dataloader = dict(dataset=dict(ann_file="val.json"))')
    out = train(path, "other", "--resume", tmp_path / "elsewhere.pth", code=2)
    assert "elsewhere.pth was trained with training annotations" in out.splitlines()[-1]
