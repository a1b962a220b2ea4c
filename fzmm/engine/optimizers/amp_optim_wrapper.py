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
        dtype (str or torch.dtype, optional): ``bfloat16``, ``float16``, or ``float32`` for none of
            them; ``"auto"`` or None for the best. Default: ``"auto"``.
        loss_scale (str, float or dict): As for ``AmpOptimWrapper``; used in float16 only: dynamic,
            a constant, or arguments of ``torch.amp.GradScaler``. Default: ``"dynamic"``.
        **kwargs: As for ``OptimWrapper``.
    """

    def __init__(self, *args, dtype="auto", loss_scale="dynamic", **kwargs):
        super().__init__(*args, **kwargs)
        self.device_type = self.optimizer.param_groups[0]["params"][0].device.type
        choices = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": None}
        if dtype in ("auto", None):
            self.cast_dtype = best_dtype(self.device_type)
        elif (name := str(dtype).removeprefix("torch.")) in choices:
            self.cast_dtype = choices[name]
        else:
            raise ValueError(f'dtype must be "auto" or one of {", ".join(choices)}, not {dtype!r}')

        name = str(self.cast_dtype or torch.float32).removeprefix("torch.")
        print_log(f"Mixed precision on {self.device_type}: {name}", logger="current")
        scaled = self.cast_dtype == torch.float16
        options = loss_scale if isinstance(loss_scale, dict) else {}
        self._constant_scale = None
        if isinstance(loss_scale, (int, float)):
            self._constant_scale = float(loss_scale)
            options = dict(init_scale=self._constant_scale)

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
        self.loss_scaler.update(self._constant_scale)

    def state_dict(self) -> dict:
        """Return the optimizer's state, and in float16 the loss scaler's under its own key.

        Whoever goes on from it may have another model class, device or recipe. So it does not say
        ``fused``, and its buffers are in the plain order of memory: fused kernels take a buffer's
        order for the parameter's.
        """
        state = super().state_dict()
        state["param_groups"] = [
            {key: None if key == "fused" else value for key, value in group.items()}
            for group in state["param_groups"]
        ]
        state["state"] = {
            index: {
                key: value.contiguous() if torch.is_tensor(value) else value
                for key, value in buffers.items()
            }
            for index, buffers in state["state"].items()
        }

        if self.loss_scaler.is_enabled():
            state["loss_scaler"] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, also one that was saved in another precision or by another optimizer step.

        How the update is computed (``fused``, ``foreach``) stays this optimizer's.
        """
        state_dict = dict(state_dict)
        scaler = state_dict.pop("loss_scaler", None)
        if scaler and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler)
        groups = self.optimizer.param_groups
        own = [{key: group.get(key) for key in ("fused", "foreach")} for group in groups]
        super().load_state_dict(state_dict)
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)

        for parameter, buffers in self.optimizer.state.items():
            for key, value in buffers.items():
                if torch.is_tensor(value) and value.shape == parameter.shape:
                    ordered = torch.empty_like(parameter, dtype=value.dtype)
                    buffers[key] = ordered.copy_(value)
