"""Learning rates of modules, times a factor, whatever rules the optimizer has beside that."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ScaledRatesConstructor(DefaultOptimWrapperConstructor):
    """Multiply the rates that MMEngine's constructor gives to the parameters of some modules.

    A key of its ``custom_keys`` replaces every other rule for the parameters that it matches, such
    as Swin's and RTMDet's to decay no norm; here these stay.

    ``paramwise_cfg`` has MMEngine's options and ``rate_factors``: the factor by the beginning of
    the parameters' names, such as ``{"backbone.": 0.1}``. Of several the longest counts.
    """

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = "", is_dcn_module: Any = None
    ) -> None:
        """Fill ``params`` with a group for each parameter; calls itself for each child."""
        super().add_params(params, module, prefix, is_dcn_module)
        if prefix:
            return
        factors = self.paramwise_cfg["rate_factors"]
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        for group in params:
            name = names[id(group["params"][0])]
            beginning = max(filter(name.startswith, factors), key=len, default=None)
            if beginning is not None:
                group["lr"] = group.get("lr", self.base_lr) * factors[beginning]
