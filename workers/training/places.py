"""Places: where a detector answers, what it says there, and which box each place is responsible for.

Anchor-free, after FCOS (Tian, Shen, Chen and He, 2019, arXiv:1904.01355, section 3): a place inside a box regresses to
its four sides, boxes go to levels by their size, and of several boxes a place takes the smallest. Otherwise than there:
a level of stride s takes distances up to 2 s and not 8 s, as images are small; a box in which no place lies takes the
nearest one of the level for its longest side; no place says how far it is from the middle of its box.

Shapes: B images, L places of all levels, C classes, K boxes of an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.training.loss import wide

REACH = 2.0  # strides of a level from a place to the furthest side of a box
LARGEST = 8.0  # logarithm of the largest distance, in strides


@dataclass(frozen=True, slots=True)
class Places:
    """Every place of every level, and what the network says there."""

    logits: Tensor  # (B, L, C)
    boxes: Tensor  # (B, L, 4), of the same numbers' type
    centres: Tensor  # (L, 2), x and y in pixels
    largest: Tensor  # (L,), the furthest side that a place regresses to, in pixels


def strides(extents: Sequence[tuple[int, int]], size: tuple[int, int]) -> list[int]:
    """The stride of each level, finest first: the least power of two that gives its extents and was not there yet.

    Raises ValueError where the image's extents, halved and rounded up, never give them.
    """
    found: list[int] = []
    for height, width in extents:
        stride = 2 * found[-1] if found else 1
        while -(-size[0] // stride) > height or -(-size[1] // stride) > width:
            stride *= 2
        if (-(-size[0] // stride), -(-size[1] // stride)) != (height, width):
            raise ValueError(f"maps of {height} x {width} are no level of an image of {size[0]} x {size[1]}")
        found.append(stride)
    return found


def read(output: Sequence[Tensor], classes: int, size: tuple[int, int]) -> Places:
    """Maps of class logits (B, A C, h, w), one a level, then maps of offsets (B, A 4, h, w), as they are lowered.

    The A predictors of a place share the sizes of its level among them. A box reaches exp(offset) strides from its
    place to the left, up, to the right and down.
    """
    levels = len(output) // 2
    found = strides([(x.shape[2], x.shape[3]) for x in output[:levels]], size)
    logits: list[Tensor] = []
    boxes: list[Tensor] = []
    centres: list[Tensor] = []
    largest: list[Tensor] = []
    for stride, said, offsets in zip(found, output[:levels], output[levels:], strict=True):
        batch, channels, height, width = said.shape
        anchors = channels // classes
        y, x = (
            (torch.arange(n, device=said.device) + 0.5) * whole / n
            for n, whole in ((height, size[0]), (width, size[1]))
        )
        centre = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).reshape(-1, 2).repeat(anchors, 1)
        reach = offsets.unflatten(1, (anchors, 4)).movedim(2, -1).reshape(batch, -1, 4)
        reach = wide(reach).clamp_max(LARGEST).exp() * stride
        centre = centre.to(reach.dtype)
        logits.append(wide(said.unflatten(1, (anchors, classes)).movedim(2, -1).reshape(batch, -1, classes)))
        boxes.append(torch.cat((centre - reach[..., :2], centre + reach[..., 2:]), -1))
        centres.append(centre)
        shares = (torch.arange(anchors, device=said.device, dtype=reach.dtype) + 1) / anchors - 1
        largest.append((REACH * stride * 2.0**shares).repeat_interleave(height * width))
    return Places(torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres), torch.cat(largest))


@torch.no_grad()
def assigned(places: Places, labels: Tensor) -> Tensor:
    """int64 (B, L): the number of the box that each place is responsible for, -1 for none. `labels` (B, K, 5)."""
    there, boxes = labels[..., 0] >= 0, labels[..., 1:].to(places.centres.dtype)
    to_near = places.centres[:, None] - boxes[:, None, :, :2]  # (B, L, K, 2)
    to_far = boxes[:, None, :, 2:] - places.centres[:, None]
    inside = (to_near >= 0).all(-1) & (to_far > 0).all(-1)
    furthest = torch.maximum(to_near, to_far).amax(-1)
    takes = inside & taken(furthest, places.largest) & there[:, None]
    takes |= nearest(places, boxes) & (there & ~takes.any(1))[:, None]
    sides = boxes[..., 2:] - boxes[..., :2]
    areas = torch.where(takes, sides.prod(-1)[:, None], torch.inf)
    return torch.where(takes.any(2), areas.argmin(2), -1)


def taken(sizes: Tensor, largest: Tensor) -> Tensor:
    """bool (B, L, K): which places take a box of a size (B, L, K), by what they reach (L,)."""
    steps = largest.unique()
    number = torch.searchsorted(steps, sizes.contiguous()).clamp_max(len(steps) - 1)
    return steps[number] == largest[:, None]


def nearest(places: Places, boxes: Tensor) -> Tensor:
    """bool (B, L, K): of the places that take a box's longest side the one nearest to its middle."""
    longest = (boxes[..., 2:] - boxes[..., :2]).amax(-1)[:, None].expand(-1, len(places.centres), -1)
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    apart = (places.centres[:, None] - middles[:, None]).square().sum(-1)
    closest = torch.where(taken(longest, places.largest), apart, torch.inf).argmin(1)
    return torch.arange(len(places.centres), device=boxes.device)[:, None] == closest[:, None]
