"""What fzmm adds to two modules of OpenMMLab's, whoever imports them first.

- ``mmcv._ext``, MMCV's compiled operators, does not exist where ``onedl-mmcv`` was installed
  without a compiler. ``fzmm.ops.mmcv_ext`` then takes its place.
- ``mmengine.config.utils`` has a fixed list of the packages whose configs can be named as
  ``package::config`` (https://github.com/open-mmlab/mmengine/issues/1410). ``fzmm`` is put on it.

Both must hold also where MMDetection's scripts run first: ``mim test`` imports ``mmcv.ops`` before
it reads a config, and with it the name of anything of fzmm's. So the hooks are there from the
start of the interpreter: ``zz_fzmm.pth`` in site-packages imports ``fzmm``, as setuptools' editable
installs and coverage do, and ``import fzmm`` calls :func:`install`. Nothing but this file is
imported by that. A file ``mmcv/_ext.py`` in MMCV's own folder would do as well, but belongs to
another package, and an editable install cannot place it.

The finder of the operators is the last on ``sys.meta_path``. It is asked when everybody else has
found nothing, so compiled operators always win. ``pip uninstall fzmm`` removes everything.
"""

from __future__ import annotations

import os
import sys

OPERATORS = "mmcv._ext"
PACKAGE_LIST = "mmengine.config.utils"


class OperatorsFinder:
    """Finds ``mmcv._ext`` in this package; to be asked last."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return where the operators' module is, None for any other name."""
        if name != OPERATORS:
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, os.path.join(os.path.dirname(__file__), "mmcv_ext.py"))


class PackageListFinder:
    """Finds MMEngine's list of packages where it is, and adds fzmm when it has been run."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return the module's own spec, with a loader that does one thing more."""
        if name != PACKAGE_LIST:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            _add_to_list(module)

        spec.loader.exec_module = exec_module
        return spec


def install() -> None:
    """Install both finders, once for each interpreter."""
    if OperatorsFinder in sys.meta_path:
        return
    sys.meta_path.append(OperatorsFinder)
    sys.meta_path.insert(0, PackageListFinder)
    if PACKAGE_LIST in sys.modules:  # a program that runs from a checkout, without the .pth file
        _add_to_list(sys.modules[PACKAGE_LIST])


def _add_to_list(module) -> None:
    module.MODULE2PACKAGE.setdefault("fzmm", "fzmm")
