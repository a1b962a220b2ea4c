"""Import this to register fzmm's hooks, models and metrics with MMEngine's registries.

Configs name it: ``custom_imports = dict(imports=["fzmm.register"])``. It is not done by
``import fzmm`` itself, so that reading logs or cutting subsets never waits for torch.
"""

import fzmm.engine.fast  # noqa: F401
import fzmm.engine.hooks
import fzmm.engine.mixed_precision  # noqa: F401
import fzmm.engine.samplers
import fzmm.engine.schedulers  # noqa: F401
import fzmm.evaluation.coco_metric  # noqa: F401
import fzmm.models.frozen_resnet  # noqa: F401
import fzmm.models.gather_roi_extractor  # noqa: F401
import fzmm.models.onednn_bbox_head  # noqa: F401
import fzmm.models.sampled_rpn_head  # noqa: F401
from fzmm.engine.checkpoints import install_safe_loading

# Here, so that `mim train` and `mim test` have it, too; tools/ install it anew with their option.
install_safe_loading()
