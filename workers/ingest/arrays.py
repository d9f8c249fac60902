"""NumPy archives (.npz): `x` and `y`, or a pair for each part, `x_train y_train x_test y_test` or `x_weights` …

`images` and `labels` are other names of x and y. Pixels are (N, H, W), (N, H, W, C) or (N, C, H, W), whole numbers
from 0 to the data set's levels; labels are (N,). An array's header is checked against its bytes before it is read, and
arrays of objects, which are pickles, never are.
"""

import re
import zipfile
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np

from app.experiment import Layout
from workers.ingest.archive import archive
from workers.ingest.errors import DataError
from workers.ingest.part import SPLIT_NAMES, Array, Heed, Part, Read, checked_shape, labels_of, whole_numbers

MEMBER = re.compile(r"(x|y|images|labels)(?:_([a-z]+))?\.npy")
KINDS = {"x": "pixels", "images": "pixels", "y": "labels", "labels": "labels"}
WIDEST = 8  # bytes of a number: what is given may take so many times its bytes of pixels
FEW_CHANNELS = (1, 3)  # by which the axis of channels is recognised


def read_npz(path: Path, levels: int, layout: Layout, largest_bytes: int, heed: Heed) -> Read:
    """The parts of an archive of arrays. Raises DataError."""
    with archive(path, largest_bytes * WIDEST) as opened:
        pairs: dict[str, dict[str, Array]] = {}
        for name in opened.namelist():
            found = MEMBER.fullmatch(name)
            part = "" if found is None else found[2] or ""
            if found is None or (part and part not in SPLIT_NAMES):
                allowed = f"arrays are x and y, alone or followed by _ and one of {', '.join(SPLIT_NAMES)}"
                raise DataError(allowed, f"{name[:200]!r} in the archive")
            kind = KINDS[found[1]]
            if kind in pairs.setdefault(part, {}):
                raise DataError(f"there are two arrays of {kind} of {part or 'all'}", f"{name!r} in the archive")
            heed()
            pairs[part][kind] = array(opened, name, largest_bytes * (WIDEST if kind == "pixels" else 1))
    if not pairs:
        raise DataError("the archive has no arrays: give x and y")
    if "" in pairs and len(pairs) > 1:
        raise DataError("the archive has x or y beside arrays of parts: give one or the other")
    return Read(parts=tuple(part_of(part, pair, levels, layout, largest_bytes) for part, pair in pairs.items()))


def part_of(part: str, pair: dict[str, Array], levels: int, layout: Layout, largest_bytes: int) -> Part:
    """A pair of arrays, checked."""
    suffix = f"_{part}" if part else ""
    for kind, name in (("pixels", "x"), ("labels", "y")):
        if kind not in pair:
            raise DataError(f"the archive has no {name}{suffix}, the {kind} of {part or 'all images'}")
    whole_numbers(pair["pixels"], levels, f"x{suffix}")
    given = channels_first(pair["pixels"], layout, f"x{suffix}")
    n, c, h, w = given.shape
    checked_shape(n, c, h, w, largest_bytes, f"x{suffix}")
    pixels = np.ascontiguousarray(given.astype(np.uint8))
    labels = labels_of(pair["labels"], n, f"y{suffix}")
    return Part(split=SPLIT_NAMES[part] if part else None, pixels=pixels, labels=labels, place=f"x{suffix}")


def channels_first(pixels: Array, layout: Layout, place: str) -> Array:
    """The same as (N, C, H, W)."""
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim != 4:
        raise DataError(f"shape {pixels.shape}; give (N, H, W), (N, H, W, C) or (N, C, H, W)", place)
    if layout == "auto":
        first, last = pixels.shape[1] in FEW_CHANNELS, pixels.shape[3] in FEW_CHANNELS
        if first == last:
            raise DataError(f"which axis of {pixels.shape} has the channels cannot be told; say `layout`", place)
        layout = "channels-first" if first else "channels-last"
    return pixels if layout == "channels-first" else pixels.transpose(0, 3, 1, 2)


def array(opened: zipfile.ZipFile, name: str, largest: int) -> Array:
    """One array of numbers, no more of it in memory than its header and its bytes agree on."""
    try:
        with opened.open(name) as file:
            shape, dtype = header(file, name)
            size, start = prod(shape) * dtype.itemsize, file.tell()
            if dtype.hasobject or dtype.kind not in "biuf":
                raise DataError(f"an array of {dtype} is not read, only numbers are", f"{name!r} in the archive")
            if size > largest:
                raise DataError(f"{size} bytes, at most {largest} are accepted", f"{name!r} in the archive")
            if start + size != opened.getinfo(name).file_size:
                differ = f"{size} bytes by its shape {shape}, another number by its size"
                raise DataError(differ, f"{name!r} in the archive")
        with opened.open(name) as file:
            return np.lib.format.read_array(cast("Any", file), allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # zlib, zipfile and numpy raise many kinds at bytes that are wrong
        raise DataError(f"cannot be read: {error}", f"{name!r} in the archive") from error


def header(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, from its first bytes."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise DataError(f"version {version} of the format; 1.0 and 2.0 are read", f"{name!r} in the archive")
    if any(extent < 0 for extent in shape):
        raise DataError(f"a negative extent in {shape}", f"{name!r} in the archive")
    return shape, dtype
