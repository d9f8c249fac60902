"""Drop path (Larsson et al., 2017), as DARTS trains its discrete cells: (B, ...) to the same."""

import torch
from torch import Tensor


def drop_path(
    x: Tensor, probability: float, generator: torch.Generator | None = None, place: tuple[int, int] | None = None
) -> Tensor:
    """Each sample is zero with this probability, the others are scaled so that the expectation stays.

    `place`: which of the samples is the first one here, of how many for which it is drawn.
    """
    if probability <= 0.0:
        return x
    first, samples = place or (0, len(x))
    drawn = torch.rand((samples, *[1] * (x.ndim - 1)), generator=generator, device=x.device)
    kept = drawn[first : first + len(x)] >= probability
    # a probability of one drops everything, and nothing is left to scale
    return x * (kept / max(1.0 - probability, torch.finfo(torch.float32).tiny)).to(x.dtype)
