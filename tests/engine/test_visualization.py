"""What MMDetection's visualisers show of a training: TensorBoard's event file and any backend's."""

import importlib.util
import json
from collections import defaultdict

import numpy as np
import pytest

from tests.engine.conftest import write_config
from tests.engine.helpers import Training, rows

HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None
SHOWN = {"coco/bbox_mAP", "train_split/bbox_mAP", "val/loss", "train_time"}


@pytest.fixture(scope="module")
def watched(training_server, tiny, tmp_path_factory):
    """A training with the backends and the visualisation hook of docs/training.md."""
    folder = tmp_path_factory.mktemp("watched")
    backends = ["LocalVisBackend", "NotingBackend"]
    backends += ["TensorboardVisBackend"] if HAS_TENSORBOARD else []
    listed = ", ".join(f'dict(type="{name}")' for name in backends)
    path = write_config(
        folder,
        tiny,
        'custom_imports = dict(imports=["fzmm.register", "noting_backend"])',
        f'visualizer = dict(type="DetLocalVisualizer", vis_backends=[{listed}])',
        'visualization = dict(type="DetVisualizationHook", draw=True, interval=1, score_thr=0.0)',
        'val_loss = dict(type="ValidationLossHook")',
        "default_hooks = dict(visualization=visualization, val_loss=val_loss)",
    )
    Training(training_server, path, folder / "run").wait()
    return folder / "run"


def test_every_backend_gets_what_the_json_log_has(watched):
    (path,) = watched.glob("*/vis_data/noted.json")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    noted = defaultdict(set)
    for line in lines:
        noted[line["step"]] |= set(line.get("names", ()))
    for row in rows(watched):
        assert set(row) - {"step"} <= noted[row["step"]]
    assert noted[6] >= SHOWN and noted[12] >= SHOWN
    images = [line for line in lines if "image" in line]
    assert {line["image"] for line in images} == {"val_img"}
    # the ground truth and the prediction of an image stand side by side
    assert {tuple(line["shape"]) for line in images} <= {(48, 128, 3), (64, 96, 3)}
    assert len(images) == 8  # four batches of the two evaluations each


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="TensorBoard is not installed")
def test_tensorboards_file_holds_the_log(watched):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (path,) = watched.glob("*/vis_data/events.out.tfevents.*")
    events = EventAccumulator(str(path))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= SHOWN | {"loss", "lr"}
    for name in SHOWN:
        logged = {row["step"]: row[name] for row in rows(watched) if name in row}
        shown = {event.step: event.value for event in events.Scalars(name)}
        assert shown.keys() == logged.keys()
        np.testing.assert_allclose([shown[s] for s in logged], list(logged.values()), rtol=1e-6)
    assert events.Tags()["images"] == ["val_img"]
