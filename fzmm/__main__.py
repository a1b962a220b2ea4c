"""``python -m fzmm`` is the command ``fzmm``."""

from fzmm.commands.main import run

run()
