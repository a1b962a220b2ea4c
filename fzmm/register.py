"""Import this to register fzmm's hooks, models and metrics with MMEngine's registries.

Configs name it: ``custom_imports = dict(imports=["fzmm.register"])``. It is not done by
``import fzmm`` itself, so that reading logs or cutting subsets never waits for torch.
"""

import fzmm.datasets.samplers.resumable_batch_sampler
import fzmm.engine.hooks
import fzmm.engine.optimizers.amp_optim_wrapper  # noqa: F401
import fzmm.engine.optimizers.scaled_rates  # noqa: F401
import fzmm.engine.runner.fast  # noqa: F401
import fzmm.engine.schedulers.best_metric_plateau_lr  # noqa: F401
import fzmm.evaluation.coco_metric  # noqa: F401
import fzmm.models.backbones.frozen_efficientnet_lite  # noqa: F401
import fzmm.models.backbones.frozen_mobilenet_v2  # noqa: F401
import fzmm.models.backbones.frozen_resnet  # noqa: F401
import fzmm.models.backbones.frozen_vgg  # noqa: F401
import fzmm.models.backbones.lite0_weights  # noqa: F401
import fzmm.models.cpu.gather_roi_extractor  # noqa: F401
import fzmm.models.cpu.onednn_bbox_head  # noqa: F401
import fzmm.models.dense_heads.first_map_rpn_head  # noqa: F401
import fzmm.models.dense_heads.sampled_rpn_head  # noqa: F401
import fzmm.models.detectors.rfcn  # noqa: F401
import fzmm.models.roi_heads.rfcn_bbox_head  # noqa: F401
import fzmm.models.roi_heads.rfcn_roi_head  # noqa: F401
import fzmm.models.task_modules.anchor_generator  # noqa: F401
import fzmm.models.task_modules.max_iou_assigner  # noqa: F401
from fzmm.datasets.missing_fields import fill_missing_fields
from fzmm.engine.compat import (
    patch_annotation_reading,
    patch_config_text,
    patch_torchvision_weights,
)
from fzmm.engine.runner.checkpoints import install_safe_loading
from fzmm.errors import end_in_one_line_anywhere

# Here, so that `mim train` and `mim test` have them, too; fzmm's own commands install safe loading
# anew with their option.
install_safe_loading()
patch_annotation_reading(fill_missing_fields)
patch_config_text()
patch_torchvision_weights()
end_in_one_line_anywhere()
