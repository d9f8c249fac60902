"""Channels of values: where they stand, which of them there are, and zeros in place of those that there are not.

Channels stand before height and width, features of tokens and vectors last.
"""

from itertools import accumulate

from torch import Tensor

from app.architecture import FALSE, Axis, Guard, all_of


def channel_dimension(like: Tensor) -> int:
    """The dimension of the channels of maps, of the features of tokens and vectors."""
    return -3 if like.ndim == 4 else -1


def zeros(like: Tensor, width: int, size: tuple[int, ...]) -> Tensor:
    """Zeros of a node's width and extents, for the samples of another value."""
    shape = (*size, width) if len(size) == 1 else (width, *size)
    return like.new_zeros(len(like), *shape)


def runs(axis: Axis, guard: Guard) -> list[tuple[int, int]]:
    """(start, number) of the channels of a part that ever go with it: all of them, but for rare cases."""
    there = [all_of(guard, g) is not FALSE for _, g in axis.segments]
    if all(there):
        return [(0, len(axis))]
    starts = accumulate((n for n, _ in axis.segments), initial=0)
    return [(start, n) for start, (n, _), kept in zip(starts, axis.segments, there, strict=False) if kept]


def narrowed(part: Tensor, dim: int, start: int, n: int) -> Tensor:
    """Some channels of a value; itself where those are all."""
    return part if part.shape[dim] == n else part.narrow(dim, start, n)
