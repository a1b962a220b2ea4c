"""How many backbone stages to freeze, and is more data worth it: measured, on MMDetection.

Importing this package is cheap and does not import torch; ``fzmm.register`` is what configs name in
``custom_imports`` to register the hooks, models and metrics with MMEngine.
"""

from fzmm.ops import import_hooks
from fzmm.version import __version__

__all__ = ["__version__"]

# Not in fzmm.register: MMDetection's scripts import mmcv.ops before they read a config.
import_hooks.install()
