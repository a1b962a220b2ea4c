"""What ``mim search fzmm`` shows is what the configs say."""

from pathlib import Path

import yaml
from mmengine.config import Config

ROOT = Path(__file__).parents[2]


def test_the_metafile_lists_every_config_with_its_values():
    models = yaml.safe_load((ROOT / "configs" / "fz" / "metafile.yml").read_text())["Models"]
    configs = {f"configs/fz/{path.name}" for path in (ROOT / "configs" / "fz").glob("*.py")}
    assert {model["Config"] for model in models} == configs

    for model in models:
        cfg, shown = (
            Config.fromfile(ROOT / model["Config"], import_custom_modules=False),
            model["Metadata"],
        )
        assert shown["Frozen Stages"] == cfg.model.backbone.frozen_stages
        assert shown["Iterations"] == cfg.train_cfg.max_iters
        assert shown["Batch Size"] == cfg.auto_scale_lr.base_batch_size
        assert shown["Training Images"] == round(118_287 * cfg.study.fraction)
