"""Kill a training and continue it: the same batches, losses and weights."""

import json

import torch

from tests.engine.helpers import assert_same_weights, losses, rows


def test_kill_and_resume_is_exact(config, start, train, tmp_path):
    path = config()
    train(path, "whole")
    whole = tmp_path / "whole"
    killed = start(path, "killed")
    killed.wait_for("iter_8.pth")
    killed.kill()
    killed.wait(-9)
    # what a kill in the middle of a save leaves, and what a broken disk does
    (tmp_path / "killed/.iter_9.pth.tmp").write_bytes(b"half")
    (tmp_path / "killed/iter_9.pth").write_bytes((whole / "iter_8.pth").read_bytes()[:100_000])
    out = train(path, "killed", "--resume")
    assert "iter_9.pth: not a readable checkpoint" in out
    assert "resumed epoch: 0, iter: 8" in out
    assert not list((tmp_path / "killed").glob("*.tmp"))
    assert losses(tmp_path / "killed") == losses(whole)
    assert len(losses(whole)) == 12
    assert_same_weights(whole / "iter_12.pth", tmp_path / "killed/iter_12.pth")

    rates, times = (
        {r["step"]: r[k] for r in rows(whole) if "lr" in r} for k in ("lr", "train_time")
    )
    again = {r["step"]: r for r in rows(tmp_path / "killed") if "lr" in r}
    assert rates == {step: row["lr"] for step, row in again.items()}
    assert len(set(rates.values())) >= 6  # the warm-up and both decays
    assert sorted(times.values()) == list(times.values())
    for clock in ("train_time", "train_cpu_time"):
        resumed = [again[step][clock] for step in sorted(again)]
        assert sorted(resumed) == resumed  # the sum goes on where it was

    record = json.loads((tmp_path / "killed/provenance.json").read_text())
    assert record["finished"] is True
    assert [session["from_iteration"] for session in record["sessions"]] == [0, 8]


def test_a_validation_that_was_due_is_made_up_for(config, train, tmp_path):
    path = config("train_cfg = dict(max_iters=7, val_interval=6)")
    train(path, "whole")
    checkpoint = torch.load(tmp_path / "whole/iter_6.pth", weights_only=False)
    state = checkpoint["message_hub"]["runtime_info"]
    assert state.pop("fzmm_validated_iter") == 6  # as if killed before the validation's end
    (tmp_path / "again").mkdir()
    torch.save(checkpoint, tmp_path / "again/iter_6.pth")
    out = train(path, "again", "--resume")
    assert "making up for the validation at iteration 6" in out
    before, after = (
        {r["step"]: r["coco/bbox_mAP"] for r in rows(tmp_path / name) if "coco/bbox_mAP" in r}
        for name in ("whole", "again")
    )
    assert before == after
    assert set(after) == {6, 7}
