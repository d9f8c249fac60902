"""Which arithmetic a recipe gets on a device."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from app.experiment import Precision


def autocast(
    precision: Precision, device: torch.device, note: Callable[[str], None]
) -> Callable[[], AbstractContextManager]:
    """A maker of contexts for forward passes.

    bfloat16 where the device computes it natively; otherwise float32, and `note` is told. CPUs are not asked: those
    without bfloat16 units are slower with it.
    """
    wanted = precision == "bfloat16"
    native = wanted and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted and not native:
        note(f"bfloat16 is not native on {device}: computing in float32")
    return lambda: torch.autocast(device.type, torch.bfloat16, enabled=native)
