"""Every command of docs/your-data.md that makes a study makes one."""

import re
import shlex
import shutil

import pytest
from mmengine.config import Config

from fzmm.commands.new_study import main
from fzmm.paths import ROOT

PAGE = (ROOT / "docs" / "your-data.md").read_text()
FOLDER = re.compile(r"data/\w+")
HALVES = {
    "--train-ann": "annotations/instances_train.json",
    "--train-images": "train",
    "--val-ann": "annotations/instances_val.json",
    "--val-images": "val",
}


def commands():
    """The arguments of each call of new_study, also of those that make makes."""
    text = PAGE.replace("\\\n", " ")
    for line in re.findall(r"^(?:python tools/new_study.py|fzmm new-study) .*", text, re.M):
        yield shlex.split(line.split(" #")[0])[2:]
    for line in re.findall(r"make study .*?(?=`|\n)", text):
        words = dict(word.split("=", 1) for word in shlex.split(line)[2:])
        folder = words["DATA"]
        halves = [part for key, path in HALVES.items() for part in (key, f"{folder}/{path}")]
        yield ["--name", words["NAME"], *halves, *shlex.split(words.get("STUDY", ""))]


COMMANDS = list(commands())


@pytest.fixture
def folder(tiny_data, tmp_path, monkeypatch):
    """A folder in which each of the page's datasets is the tiny one."""
    monkeypatch.chdir(tmp_path)
    for path in set(FOLDER.findall(PAGE)):
        shutil.copytree(tiny_data["train_ann"].parents[1], path, dirs_exist_ok=True)
    for name in ("_base_", "toy", "fz"):
        (tmp_path / "configs").mkdir(exist_ok=True)
        (tmp_path / "configs" / name).symlink_to(ROOT / "configs" / name)
    return tmp_path


def test_the_page_has_commands():
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("arguments", COMMANDS, ids=range(len(COMMANDS)))
def test_a_command_of_the_page_makes_a_study(arguments, folder, capsys):
    arguments = [word for word in arguments if word != "..."]
    given = set(arguments)
    for option, path in HALVES.items():  # which the page has said once
        if option not in given and "--data" not in given:
            arguments += [option, f"data/toy/{path}"]
    main([*arguments, "--cost-steps", "0"])
    name = arguments[arguments.index("--name") + 1]
    cfg = Config.fromfile(folder / f"configs/{name}/_base_/{name}100.py")
    assert "written:" in capsys.readouterr().out
    if "--scale" not in given and "configs/toy/toy100_unfrozen.py" in given:
        assert cfg.train_dataloader.dataset.pipeline[2].scale == (128, 128)  # the images' own
