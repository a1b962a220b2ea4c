"""A visualisation backend of a user's own: it notes what W&B and others would be given."""

import json
from pathlib import Path

from mmengine.registry import VISBACKENDS
from mmengine.visualization import BaseVisBackend
from mmengine.visualization.vis_backend import force_init_env


@VISBACKENDS.register_module()
class NotingBackend(BaseVisBackend):
    def _init_env(self):
        self._path = Path(self._save_dir, "noted.json")
        self._path.parent.mkdir(parents=True, exist_ok=True)

    @property
    @force_init_env
    def experiment(self):
        return self

    @force_init_env
    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self._note(step=step, names=sorted(scalar_dict))

    @force_init_env
    def add_image(self, name, image, step=0, **kwargs):
        self._note(step=step, image=name, shape=image.shape)

    def _note(self, **line):
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
