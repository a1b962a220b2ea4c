"""An image that cannot be read ends the training with its name."""

import pytest

from tests.engine.helpers import write_dataset


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:700]), "is truncated"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ],
)
def test_image_that_cannot_be_read(damage, message, config, train, tmp_path):
    write_dataset(tmp_path / "data", "train", 8, 0)
    write_dataset(tmp_path / "data", "val", 2, 1)
    damage(tmp_path / "data/train/003.jpg")
    out = train(config(data=tmp_path / "data"), "run", code=2)
    line = out.splitlines()[-1]
    assert line.startswith("error: training image ")
    assert f"train/003.jpg {message}" in line
    assert "continue with --resume" in line


def test_validation_image_that_is_missing(config, train, tmp_path):
    write_dataset(tmp_path / "data", "train", 8, 0)
    write_dataset(tmp_path / "data", "val", 2, 1)
    (tmp_path / "data/val/001.jpg").unlink()
    path = config("val_dataloader = dict(num_workers=1)", data=tmp_path / "data")
    out = train(path, "run", code=2)
    assert "val/001.jpg" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("error: ")
    assert (tmp_path / "run/iter_4.pth").exists()
