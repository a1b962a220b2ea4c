"""Modules frozen by name and released later, in real steps."""

import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from fzmm.errors import UserError
from tests.engine.conftest import write_config
from tests.engine.helpers import Training, weights

STEPS = 6
RATES = (
    f"train_cfg = dict(max_iters={STEPS}, val_interval={STEPS})",
    "train_dataloader = dict(num_workers=0, persistent_workers=False)",
    "default_hooks = dict(train_split=dict(num_images=2), freeze_modules=dict(@FREEZE@))",
    "optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.': dict(lr_mult=0.1)}))",
)


class Recorder(Hook):
    """Copies the state and the rates after each iteration."""

    def __init__(self):
        self.states, self.rates, self.names = [], [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.states.append({k: v.clone() for k, v in runner.model.state_dict().items()})
        named = {id(p): name for name, p in runner.model.named_parameters()}
        groups = runner.optim_wrapper.optimizer.param_groups
        self.rates.append({named[id(p)]: g["lr"] for g in groups for p in g["params"]})


@pytest.fixture
def run(config, tmp_path):
    """Train the tiny detector with a FreezeHook: ``run("a", "type='FreezeHook', ...")``."""

    def train(work_dir, freeze, resume=None):
        lines = [line.replace("@FREEZE@", f"type='FreezeHook', {freeze}") for line in RATES]
        cfg = Config.fromfile(config(*lines))
        cfg.work_dir = str(tmp_path / work_dir)
        if resume:
            cfg.load_from, cfg.resume = str(resume), True
        runner, recorder = Runner.from_cfg(cfg), Recorder()
        before = {k: v.clone() for k, v in runner.model.state_dict().items()}
        runner.register_hook(recorder)
        runner.train()
        return before, recorder

    return train


def moved(first, second):
    """Return the names of the modules whose weights or statistics differ, as ``backbone``."""
    return {name.split(".")[0] for name in first if not torch.equal(first[name], second[name])}


def test_what_the_patterns_name_stays_bit_for_bit(run, tmp_path):
    _, recorder = run("a", "patterns=['neck', 'backbone.layer?']")
    first, last = recorder.states[0], recorder.states[-1]
    changed = {name for name in first if not torch.equal(first[name], last[name])}
    assert changed and not [name for name in changed if name.startswith(("neck", "backbone.layer"))]
    assert {name.split(".")[0] for name in changed} >= {"rpn_head", "roi_head"}
    log = next((tmp_path / "a").glob("*/*.log")).read_text()
    assert "neck, backbone.layer? are frozen: " in log


def test_a_released_backbone_moves_at_its_own_rate_over_a_resume_too(run, tmp_path):
    freeze = "patterns=['backbone'], until=0.5"
    before, whole = run("whole", freeze)
    assert "backbone" not in moved(whole.states[0], whole.states[2])
    assert "backbone" in moved(whole.states[2], whole.states[3])
    log = next((tmp_path / "whole").glob("*/*.log")).read_text()
    assert "backbone are frozen until iteration 3 of 6" in log
    assert "backbone are released after iteration 3" in log
    for rates in whole.rates:
        head, body = rates["rpn_head.rpn_conv.weight"], rates["backbone.layer4.0.conv1.weight"]
        assert body == pytest.approx(0.1 * head)
    warm = [rates["rpn_head.rpn_conv.weight"] for rates in whole.rates]
    assert warm == sorted(warm) and warm[0] < warm[3] <= 0.02

    shutil.copytree(tmp_path / "whole", tmp_path / "rest")
    record = parameters_in(tmp_path / "whole")
    assert record["parameters"]["trainable"] > 100_000 and "backbone" not in record["modules"]
    _, rest = run("rest", freeze, resume=tmp_path / "whole/iter_4.pth")
    assert parameters_in(tmp_path / "rest") == record
    assert rest.rates == whole.rates[4:]
    assert moved(rest.states[-1], whole.states[-1]) == set()


def parameters_in(work_dir):
    record = json.loads((work_dir / "provenance.json").read_text())
    return {"parameters": record["parameters"], "modules": record["frozen_modules"]}


@pytest.mark.parametrize(
    ("freeze", "reason"),
    [
        ("patterns=['nick']", "no parameter of FasterRCNN is in nick"),
        ("patterns=['*']", "leave nothing to train"),
        ("patterns='neck'", "give a list of module names"),
        ("patterns=['neck'], until=1.5", "until is 1.5"),
    ],
)
def test_what_cannot_be_frozen_is_one_clear_line(run, freeze, reason):
    with pytest.raises(UserError, match=reason) as refused:
        run("bad", freeze)
    assert "\n" not in str(refused.value)


ARM = (
    "train_cfg = dict(max_iters=4, val_interval=4)",
    "find_unused_parameters = True",  # as an arm's config has it
    "default_hooks = dict(train_split=None, checkpoint=dict(interval=1), "
    "freeze_modules=dict(type='FreezeHook', patterns=['backbone'], until=0.5))",
    "study = dict(arm='release05', arm_does='freezing the backbone for half of the schedule')",
)


def test_two_processes_freeze_and_release_together(config, train, tmp_path):
    train(config(*ARM), "two", processes=2)
    states = [weights(tmp_path / f"two/iter_{step}.pth") for step in range(1, 5)]
    whole = {"backbone", "neck", "rpn_head", "roi_head"}
    assert moved(states[0], states[1]) == whole - {"backbone"}
    assert moved(states[1], states[2]) == moved(states[2], states[3]) == whole


RATE = "optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=0.1))))"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("release05", "lr01", "was trained with arm release05, this config has lr01"),
        ("until=0.5", "until=0.25", "default_hooks.freeze_modules.until 0.5, this start has 0.25"),
        ("study", f"{RATE}\nstudy", "with optim_wrapper.paramwise_cfg None, this start has"),
    ],
)
def test_a_resume_with_another_arm_is_refused(old, new, message, config, train, arm_run, tmp_path):
    shutil.copytree(arm_run, tmp_path / "run")
    out = train(config(*(line.replace(old, new) for line in ARM)), "run", "--resume", code=2)
    assert message in out.splitlines()[-1] and "Traceback" not in out


@pytest.fixture(scope="module")
def arm_run(training_server, tiny, tmp_path_factory):
    """A finished training of an arm; no test changes it."""
    folder = tmp_path_factory.mktemp("arm")
    path = write_config(folder, tiny, *ARM)
    Training(training_server, path, folder / "run").wait()
    return folder / "run"
