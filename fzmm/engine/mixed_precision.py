"""Mixed precision in whatever type the device computes in."""

from __future__ import annotations

from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS


def best_dtype(device_type: str) -> torch.dtype | None:
    """Return the 16-bit type in which a device multiplies faster than in float32.

    bfloat16 has float32's range and needs no loss scaling, so it comes first: CUDA from compute
    capability 8 on (A100, RTX 30), CPUs with AVX512-BF16 or AMX. Older CUDA devices (T4, V100) have
    float16 only. Emulated bfloat16 is slower than float32 and does not count.

    Args:
        device_type: ``"cuda"``, ``"cpu"`` and so on.

    Returns:
        torch.dtype or None: None where float32 is as fast as it gets.
    """
    if device_type == "cuda":
        native = torch.cuda.get_device_capability() >= (8, 0) or torch.version.hip is not None
        return torch.bfloat16 if native else torch.float16
    if device_type == "cpu" and torch.backends.mkldnn.is_available():
        checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if any(getattr(torch.cpu, check, bool)() for check in checks):
            return torch.bfloat16
    return None


@OPTIM_WRAPPERS.register_module()
class AutoAmpOptimWrapper(OptimWrapper):
    """``AmpOptimWrapper`` for any device: picks the type, and scales losses only in float16.

    MMEngine's own refuses to work without a GPU, and scales losses in bfloat16 too, which costs a
    host-device synchronisation a step (the check for infinities) and gains nothing. Weights,
    gradients and the optimizer stay in float32. Where no 16-bit type is faster, it trains in
    float32 and says so.

    Args:
        dtype (str): ``"auto"``, ``"bfloat16"`` or ``"float16"``. Default: ``"auto"``.
        loss_scale (str, float or dict): As for ``AmpOptimWrapper``; used in float16 only: dynamic,
            an initial scale, or arguments of ``torch.amp.GradScaler``. Default: ``"dynamic"``.
        **kwargs: As for ``OptimWrapper``.
    """

    def __init__(self, *args, dtype: str = "auto", loss_scale="dynamic", **kwargs):
        super().__init__(*args, **kwargs)
        self.device_type = self.optimizer.param_groups[0]["params"][0].device.type
        if dtype not in ("auto", "bfloat16", "float16"):
            raise ValueError(f'dtype must be "auto", "bfloat16" or "float16", not {dtype!r}')
        if dtype == "auto":
            self.cast_dtype = best_dtype(self.device_type)
        else:
            self.cast_dtype = getattr(torch, dtype)
        name = str(self.cast_dtype or torch.float32).removeprefix("torch.")
        print_log(f"Mixed precision on {self.device_type}: {name}", logger="current")
        scaled = self.cast_dtype == torch.float16
        options = loss_scale if isinstance(loss_scale, dict) else {}
        if isinstance(loss_scale, (int, float)):
            options = dict(init_scale=float(loss_scale))
        self.loss_scaler = torch.amp.GradScaler(self.device_type, enabled=scaled, **options)

    @contextmanager
    def optim_context(self, model):
        """Compute in the chosen type, and accumulate gradients as ``OptimWrapper`` does."""
        enabled = self.cast_dtype is not None
        autocast = torch.autocast(self.device_type, self.cast_dtype, enabled=enabled)
        with super().optim_context(model), autocast:
            yield

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        """Compute gradients of the scaled loss."""
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs) -> None:
        """Update the parameters; in float16, skip a step whose gradients have overflowed."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()

    def state_dict(self) -> dict:
        """Return the optimizer's state, and in float16 the loss scaler's under its own key."""
        state = super().state_dict()
        if self.loss_scaler.is_enabled():
            state["loss_scaler"] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, also one that was saved in another precision."""
        state_dict = dict(state_dict)
        scaler = state_dict.pop("loss_scaler", None)
        if scaler and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)
