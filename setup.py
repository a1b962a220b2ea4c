"""What pyproject.toml cannot say: a .pth file beside the package, in editable installs too."""

import shutil
import zipfile
from pathlib import Path

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

# Read in the order of names: after __editable__*.pth, which makes an editable fzmm importable.
PTH = "zz_fzmm.pth"


class EditableWheel(editable_wheel):
    """setuptools' own, which leaves out files outside of packages; as in coverage's setup.py."""

    def run(self) -> None:
        """Build the wheel and add the file."""
        super().run()
        for wheel in Path(self.dist_dir).glob("*editable*.whl"):
            with zipfile.ZipFile(wheel, "a") as archive:
                archive.write(PTH, PTH)


# Else the wheel would also hold what an earlier build has left there, such as removed modules.
shutil.rmtree("build/lib", ignore_errors=True)
setup(cmdclass={"editable_wheel": EditableWheel})
