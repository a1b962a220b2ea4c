"""What fzmm changes in modules of OpenMMLab's, whoever imports them first.

- ``mmcv._ext``, MMCV's compiled operators, does not exist where ``onedl-mmcv`` was installed
  without a compiler. ``fzmm.ops.mmcv_ext`` then takes its place.
- ``mmengine.config.utils`` has a fixed list of the packages whose configs can be named as
  ``package::config`` (https://github.com/open-mmlab/mmengine/issues/1410). ``fzmm`` is put on it.
- ``mmdet.datasets`` prints twice, in each process, that a package ``onedl``, which nobody needs, is
  not installed. These lines are left out.
- ``mim.utils`` takes the first file that a package has installed for its folder, and with a command
  in ``bin/`` that is wrong. It is told where fzmm is.
- ``mim.cli`` shows a traceback of its own under each error of a script. With fzmm's scripts, and
  where MMDetection's end with one of fzmm's exit codes, it ends as the script ended, which has told
  why in a line.

All must hold also where MMDetection's scripts run first: ``mim test`` imports ``mmcv.ops`` before
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

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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


class WrappingFinder:
    """Finds the modules of ``WRAPPERS`` where they are, and runs each through its wrapper."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return the module's own spec, with a loader that does one thing more."""
        if name not in WRAPPERS:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        if spec is not None:
            run, wrapper = spec.loader.exec_module, WRAPPERS[name]
            spec.loader.exec_module = lambda module: wrapper(run, module)
        return spec


def _list_fzmm(run, module) -> None:
    run(module)
    _add_to_list(module)


def _without_onedl_notice(run, module) -> None:
    """Run a module, and show what it prints except that the package ``onedl`` is not there."""
    import contextlib
    import io

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            run(module)
    finally:
        for line in printed.getvalue().splitlines():
            if "Could not import OneDL" not in line:
                print(line)


def _place_fzmm(run, module) -> None:
    """Run a module and tell it where fzmm is, which it takes from the first file of its record."""
    run(module)
    installed_path = module.get_installed_path
    module.get_installed_path = lambda package: (
        PACKAGE if package == "fzmm" else installed_path(package)
    )


def _end_as_the_script(run, module) -> None:
    """Run a module and let its command line end as a script of fzmm's ended."""
    run(module)
    invoke = module.MIM.invoke

    def invoke_script(self, context):
        from subprocess import CalledProcessError

        from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR

        try:
            return invoke(self, context)
        except CalledProcessError as error:
            ours = any(str(word).startswith(PACKAGE) for word in error.cmd)
            if not ours and error.returncode not in (USER_ERROR, PREEMPTED_EXIT_CODE):
                raise
            raise SystemExit(error.returncode) from None

    module.MIM.invoke = invoke_script


WRAPPERS = {
    PACKAGE_LIST: _list_fzmm,
    "mmdet.datasets": _without_onedl_notice,
    "mmdet.datasets.transforms": _without_onedl_notice,
    "mim.utils.utils": _place_fzmm,
    "mim.cli": _end_as_the_script,
}


def install() -> None:
    """Install both finders, once for each interpreter."""
    if OperatorsFinder in sys.meta_path:
        return
    sys.meta_path.append(OperatorsFinder)
    sys.meta_path.insert(0, WrappingFinder)
    if PACKAGE_LIST in sys.modules:  # a program that runs from a checkout, without the .pth file
        _add_to_list(sys.modules[PACKAGE_LIST])


def _add_to_list(module) -> None:
    module.MODULE2PACKAGE.setdefault("fzmm", "fzmm")
