"""SIGTERM saves a checkpoint and ends the training, in all its processes."""

import json
import signal

from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from tests.engine.helpers import assert_same_weights, losses


def test_two_processes_stop_together_and_resume_exactly(config, start, train, tmp_path):
    path = config()
    train(path, "whole", processes=2)
    training = start(path, "stopped", processes=2)
    training.wait_for("iter_4.pth")
    training.kill(signal.SIGTERM, ranks=[1])  # one process and its data workers
    out = training.wait(PREEMPTED_EXIT_CODE)
    assert "continue with --resume" in out
    record = json.loads((tmp_path / "stopped/provenance.json").read_text())
    assert record["finished"] is False
    stopped_at = int((tmp_path / "stopped/last_checkpoint").read_text().split("_")[-1][:-4])
    assert f"after iteration {stopped_at};" in record["stop_reason"]
    if stopped_at < 12:
        training = start(path, "stopped", "--resume", processes=2)
        training.wait_for("iter_8.pth")
        training.kill()
        training.wait(-9)
        out = train(path, "stopped", "--resume", processes=2)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    assert_same_weights(tmp_path / "whole/iter_12.pth", tmp_path / "stopped/iter_12.pth")
    assert json.loads((tmp_path / "stopped/provenance.json").read_text())["finished"] is True
