"""What is written into a config is what MMEngine reads from it, and none of it runs."""

import os
import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from fzmm.errors import UserError
from fzmm.study.config_code import assignments, code, comment, format_code

TEMPLATES = [
    "{{$FZMM_NONE:__import__('os').mkdir('ran')}}",
    "{{ fileDirname }}",
    "{{_base_.model}}",
    "{{{{$HOME:x}}}}",
    '"]); import os; os.mkdir("ran")  #',
    "\n__import__('os').mkdir('ran')\n",
    "\\",
    "\\{{$HOME:x}}",
    "\ud800",
    "\x1b[2J\x00\x7f\u2028\x85",
    "# -*- coding: utf-7 -*-",
]
# Any character, and often what means something to Python or MMEngine.
TEXT = st.one_of(
    st.text(st.characters(codec=None), max_size=30),
    st.text("{}$:_\\\"'#\n\r\t " + string.ascii_letters, max_size=40),
    st.sampled_from(TEMPLATES),
    st.builds(lambda a, b: a + b, st.text(max_size=10), st.sampled_from(TEMPLATES)),
)
FILES = dict(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load(folder, text):
    path = folder / "config.py"
    path.write_text(text, encoding="utf-8")
    before = set(os.listdir(folder))
    cfg = Config.fromfile(path)
    assert set(os.listdir(folder)) == before
    return cfg


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@settings(**FILES)
@given(names=st.lists(TEXT, min_size=1, max_size=4), note=TEXT)
@example(names=TEMPLATES, note="\n".join(TEMPLATES))
def test_any_name_comes_back_as_it_is_and_nothing_else_happens(names, note, folder):
    values = dict(classes=tuple(names), paths=list(names), nested=[dict(name=names[0])])
    text = f"# {comment(note)}\n" + assignments(list(values.items()))
    for written in (text, format_code(text)):
        cfg = load(folder, written)
        assert cfg.to_dict() == values


@settings(**FILES)
@given(keys=st.lists(TEXT.filter(lambda key: not key.startswith("_")), max_size=3, unique=True))
def test_any_key_comes_back_as_it_is(keys, folder):
    cfg = load(folder, assignments([("table", dict.fromkeys(keys, 1) or 0)]))
    assert dict(cfg.to_dict()["table"] or {}) == dict.fromkeys(keys, 1)


@pytest.mark.parametrize(
    "value", [float("inf"), -2.5, None, True, (1,), (), [], {"class": 1, "a b": [{}]}, {1: 2}]
)
def test_other_values_are_written_as_python_reads_them(value):
    assert eval(code(value)) == value


def test_a_value_that_is_no_text_is_refused():
    with pytest.raises(UserError, match="a set, which cannot be written"):
        code({"a": {1}})


def test_ordinary_names_stay_readable():
    written = code(dict(classes=("red cell", "Größe", "it's"), path="data/train/{a}"))
    assert written == 'dict(classes=("red cell", "Größe", "it\'s"), path="data/train/{a}")'
