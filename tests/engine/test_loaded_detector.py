"""A training that starts from a whole detector: its record, and which checkpoint it insists on."""

import json

import pytest
import torch

from fzmm.utils.files import file_sha256
from tests.engine.helpers import losses, weights


@pytest.fixture(scope="module")
def detector(finished_run, tmp_path_factory):
    """A trained detector whose head is for five classes, not three."""
    state = weights(finished_run / "iter_5.pth")
    head = "roi_head.bbox_head"
    state[f"{head}.fc_cls.weight"] = torch.zeros(6, 32)
    state[f"{head}.fc_cls.bias"] = torch.zeros(6)
    state[f"{head}.fc_reg.weight"] = torch.zeros(20, 32)
    state[f"{head}.fc_reg.bias"] = torch.zeros(20)
    state["mask_head.conv.weight"] = torch.zeros(1)
    path = tmp_path_factory.mktemp("detector") / "detector.pth"
    torch.save(dict(state_dict=state), path)
    return path


def lines(path, sha256=None, iterations=2):
    start = dict(load_from=path.name, load_from_sha256=sha256 or file_sha256(path))
    return (
        f"load_from = {str(path)!r}",
        f"study = dict({', '.join(f'{key}={value!r}' for key, value in start.items())})",
        f"train_cfg = dict(max_iters={iterations}, val_interval=2)",
        "default_hooks = dict(train_split=None, checkpoint=dict(interval=2))",
    )


def record(run):
    return json.loads((run / "provenance.json").read_text())


def test_the_record_says_what_was_loaded_and_a_resume_keeps_it(
    detector, config, train, tmp_path, finished_run
):
    path = config(*lines(detector))
    train(path, "run", "--resume")  # as a sweep starts every run
    first = record(tmp_path / "run")
    assert first["initialisation"] == f"detector.pth (sha256 {file_sha256(detector)[:8]})"
    loaded = first["loaded"]
    assert (loaded["checkpoint"], loaded["sha256"]) == ("detector.pth", file_sha256(detector))
    assert loaded["other_shape"]["roi_head.bbox_head.fc_cls.weight"] == [[6, 32], [4, 32]]
    assert len(loaded["other_shape"]) == 4 and loaded["only_in_checkpoint"] == {"mask_head.conv": 1}
    assert loaded["loaded_tensors"] == loaded["tensors"] - 4 and not loaded["only_in_detector"]
    # frozen parts stay as the checkpoint had them
    name = "backbone.layer1.0.conv1.weight"
    state = weights(tmp_path / "run/iter_2.pth")
    assert torch.equal(state[name], weights(detector)[name])
    train(path, "plain")
    assert losses(tmp_path / "plain") == losses(tmp_path / "run")
    # the next start takes the run's own checkpoint, whatever became of the detector's file
    train(config(*lines(detector, iterations=4)), "run", "--resume")
    assert record(tmp_path / "run")["loaded"] == loaded
    assert [start["from_iteration"] for start in record(tmp_path / "run")["sessions"]] == [0, 2]


def test_a_resume_from_another_detector_is_refused(detector, config, train, tmp_path):
    train(config(*lines(detector)), "run")
    before = (tmp_path / "run/provenance.json").read_bytes()
    other = tmp_path / "other.pth"
    torch.save(dict(state_dict=weights(detector), extra=1), other)
    for start in (lines(other), ("study = dict(load_from=None)",)):
        out = train(config(*start), "run", "--resume", code=2)
        assert "started from detector.pth (sha256 " in out.splitlines()[-1]
        assert "Traceback" not in out
        assert (tmp_path / "run/provenance.json").read_bytes() == before


def test_another_file_in_its_place_is_refused(detector, config, train, tmp_path):
    out = train(config(*lines(detector, sha256="0" * 64)), "run", code=2)
    assert "is not the checkpoint that this study starts from" in out.splitlines()[-1]
    assert "Traceback" not in out
    path = config(*lines(detector)[1:], f"load_from = {str(tmp_path / 'gone.pth')!r}")
    out = train(path, "run", code=2)
    assert out.splitlines()[-1].endswith(
        "gone.pth: no such checkpoint; a run keeps iter_*.pth and best_*.pth"
    )
    out = train(config(*lines(detector)[1:]), "run", code=2)
    assert "this study starts from detector.pth, and nothing was loaded" in out.splitlines()[-1]
