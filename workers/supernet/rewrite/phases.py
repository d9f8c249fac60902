"""A convolution of dilation 2 is a dense one on each of the four phases of its input.

    split   (B, C, H, W) -> (4·B, C, H / 2, W / 2)      phase (i, j) has the places (2·a + i, 2·b + j)
    join    the inverse

What looks at every place for itself, or at all of a batch at once, may be done on phases as well: a pointwise
convolution, batch normalisation.
"""

import torch
from torch import Tensor


def split(x: Tensor) -> Tensor:
    """The four phases, one after the other in the batch. Height and width are even."""
    return torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)])


def join(phases: Tensor) -> Tensor:
    """The places of the phases in order."""
    four, channels, height, width = phases.shape
    apart = phases.reshape(2, 2, four // 4, channels, height, width)
    if phases.is_contiguous(memory_format=torch.channels_last) and channels > 1:
        places = apart.permute(2, 4, 0, 5, 1, 3).reshape(four // 4, 2 * height, 2 * width, channels)
        return places.permute(0, 3, 1, 2)
    return apart.permute(2, 3, 4, 0, 5, 1).reshape(four // 4, channels, 2 * height, 2 * width)
