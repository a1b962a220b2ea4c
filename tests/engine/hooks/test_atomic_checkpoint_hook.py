"""Checkpoints of which none is half written."""


def test_no_room_for_a_checkpoint(config, train, tmp_path):
    out = train(config(), "run", "--max-file-mb", 2, code=2)
    assert "iter_4.pth cannot be written (File too large" in out.splitlines()[-1]
    assert not list((tmp_path / "run").glob("**/*.pth*"))
