"""What is read before it is divided: images with labels, and the split they were given for.

Shapes: N images, C channels, H × W pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.experiment import Split
from workers.ingest.errors import DataError

Array = NDArray[Any]
Heed = Callable[[], None]  # called between two pieces of work; raises where the job is to stop

MAX_IMAGES = 2_000_000
MAX_SIDE = 1024  # pixels
MAX_CHANNELS = 16
MAX_CLASSES = 10_000

SPLIT_NAMES: Mapping[str, Split | None] = MappingProxyType(
    {
        "weights": "weights",
        "architecture": "architecture",
        "selection": "selection",
        "test": "test",
        "train": None,
        "training": None,
        "valid": "selection",
        "val": "selection",
        "validation": "selection",
    }
)
"""What the names of given parts stand for; None: it is to be divided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Images that were given together."""

    split: Split | None  # None: to be divided
    pixels: Array  # uint8 (N, C, H, W)
    labels: Array  # int64 (N,)
    place: str  # where they come from, for messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """All that was read."""

    parts: tuple[Part, ...]
    classes: tuple[str, ...] = ()  # names in the order of the labels


def whole_numbers(values: Array, largest: int, place: str) -> Array:
    """The same numbers as integers. Raises DataError at the first that is not one of 0..largest."""
    if values.dtype.kind not in "biuf":
        raise DataError(f"{values.dtype} is no number; give integers from 0 to {largest}", place)
    if values.dtype == np.uint8 and largest >= 255:  # cannot be anything else
        return values
    for start in range(0, len(values), 1 << 14):  # a block at a time: comparisons take memory too
        block = values[start : start + (1 << 14)]
        wrong = ~((block >= 0) & (block <= largest))
        if values.dtype.kind == "f":
            wrong |= block != np.floor(block)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = ", ".join(str(i) for i in (at[0] + start, *at[1:]))
            raise DataError(f"{block[at]} is not a whole number from 0 to {largest}", f"{place}[{where}]")
    return values


def checked_shape(count: int, channels: int, height: int, width: int, largest_bytes: int, place: str) -> None:
    """Raises DataError where images of this shape are too many, too large, or none."""
    if not 1 <= count <= MAX_IMAGES:
        raise DataError(f"{count} images; a data set has 1 to {MAX_IMAGES}", place)
    if not 1 <= channels <= MAX_CHANNELS:
        raise DataError(f"{channels} channels; an image has 1 to {MAX_CHANNELS}", place)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise DataError(f"{height} × {width} pixels; a side has 1 to {MAX_SIDE}", place)
    size = count * channels * height * width
    if size > largest_bytes:
        raise DataError(f"{size} bytes of pixels, at most {largest_bytes} are accepted", place)


def labels_of(values: Array, count: int, place: str) -> Array:
    """Labels int64 (N,). Raises DataError where they are not one whole number an image."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (count,):
        raise DataError(f"labels of shape {values.shape} for {count} images; give one an image", place)
    return whole_numbers(values, MAX_CLASSES - 1, place).astype(np.int64)


def named_labels(names: list[str], place: str) -> tuple[Array, tuple[str, ...]]:
    """Labels of names, numbered in the order of the names."""
    classes = tuple(sorted(set(names)))
    if len(classes) > MAX_CLASSES:
        raise DataError(f"{len(classes)} classes, at most {MAX_CLASSES} are accepted", place)
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[name] for name in names], dtype=np.int64), classes
