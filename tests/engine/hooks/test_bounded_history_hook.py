"""Log buffers that do not grow with the training."""

import torch


def test_history_stays_short(config, train, tmp_path):
    lines = ["train_cfg = dict(max_iters=12, val_interval=50)"]
    lines.append("default_hooks = dict(bounded_history=dict(length=7, interval=1))")
    train(config(*lines), "run")
    checkpoint = torch.load(tmp_path / "run/iter_12.pth", weights_only=False)
    scalars = checkpoint["message_hub"]["log_scalars"]
    assert len(scalars["train/loss"].data[0]) == 7
