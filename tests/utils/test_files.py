"""Files that a user keeps."""

import os

import pytest

from fzmm.errors import UserError
from fzmm.utils.files import atomic_write


def test_a_file_does_not_replace_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: is a pipe or a device; choose another file"):
        with atomic_write(tmp_path / "pipe") as file:
            file.write("x")
    assert os.listdir(tmp_path) == ["pipe"] and (tmp_path / "pipe").is_fifo()
