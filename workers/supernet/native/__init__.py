"""Kernels in C++ for processors: the sums and separable convolutions of supernets, with equal results.

    auto      compiled and used where a compiler is there and no GPU is; else nothing happens, and a note says why
    off       never
    require   used, or BuildError

The operations are those of `torch.ops.cellar`; gradients of them may be differentiated again.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from workers.supernet.native.build import BuildError, built

Native = Literal["auto", "off", "require"]


def kernels(native: Native, folder: Path, note: Callable[[str], None] = lambda text: None) -> bool:
    """Whether there are kernels to use; they are kept in `folder`. Raises BuildError where they are required."""
    if native == "off" or (native == "auto" and torch.cuda.is_available()):
        return False
    try:
        _load(built(folder, note))
    except (BuildError, OSError) as error:
        if native == "require":
            raise
        note(f"without kernels: {error}")
        return False
    return True


@cache
def _load(library: Path) -> None:
    if not loaded():
        torch.ops.load_library(str(library))


def loaded() -> bool:
    """Whether this process has the operations."""
    return hasattr(torch.ops.cellar, "branches")


def usable(*tensors: Tensor) -> bool:
    """Whether the kernels take these: on the CPU, all of one type, float32 or float64, and nothing casts by itself."""
    first = tensors[0]
    return (
        first.dtype in (torch.float32, torch.float64)
        and all(x.device.type == "cpu" and x.dtype == first.dtype for x in tensors)
        and not torch.is_autocast_enabled("cpu")
    )


__all__ = ["BuildError", "Native", "built", "kernels", "loaded", "usable"]
