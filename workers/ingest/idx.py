"""IDX, the format of MNIST's files: two zero bytes, a type byte, a rank byte, big-endian extents, then the data.

Only unsigned bytes (type 0x08) are read. A file may be gzip-compressed; which it is, its first two bytes say.
Source of the format: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from workers.ingest.errors import DataError
from workers.ingest.part import Array, Part, Read

UNSIGNED_BYTE = 0x08
LARGEST = 1 << 30  # bytes of content; far above any data set of this kind, far below what exhausts a machine


PARTS = (("train", "train"), ("t10k", "test"))  # what MNIST's files begin with, and the part that they are


def read_pairs(folder: Path) -> Read:
    """The parts `train` and `test` of four files that are called as MNIST's. Raises DataError."""
    parts: list[Part] = []
    for prefix, name in PARTS:
        pixels = read_idx(file_in(folder, f"{prefix}-images-idx3-ubyte"), 3)
        labels = read_idx(file_in(folder, f"{prefix}-labels-idx1-ubyte"), 1).astype(np.int64)
        parts.append(Part(split="test" if name == "test" else None, pixels=pixels[:, None], labels=labels, place=name))
    return Read(parts=tuple(parts))


def file_in(folder: Path, name: str) -> Path:
    """The file of this name, plain or compressed."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"neither {name} nor {name}.gz is in {folder}")


def read_idx(path: Path, rank: int) -> Array:
    """The uint8 array of `rank` dimensions in an IDX file. Raises DataError for anything that is not exactly that."""
    content = _content(path)
    if len(content) < 4:
        raise DataError(f"{len(content)} bytes are too few for an IDX header", str(path))
    zero, kind, found_rank = struct.unpack(">HBB", content[:4])
    if zero != 0:
        raise DataError(f"not an IDX file: its first bytes are {content[:2].hex()}, expected 0000", str(path))
    if kind != UNSIGNED_BYTE:
        raise DataError(f"IDX type 0x{kind:02x}, only unsigned bytes (0x08) are read", str(path))
    if found_rank != rank:
        raise DataError(f"{found_rank} dimensions, expected {rank}", str(path))
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"cut off within its header, after {len(content)} of {start} bytes", str(path))
    extents = struct.unpack(f">{rank}I", content[4:start])
    if len(content) - start != prod(extents):
        raise DataError(f"{len(content) - start} bytes of data, expected {prod(extents)} for {extents}", str(path))
    return np.frombuffer(content, dtype=np.uint8)[start:].reshape(extents)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DataError("no such file", str(path)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read: {error}", str(path)) from error
    if len(content) > LARGEST:
        raise DataError(f"more than {LARGEST} bytes of content", str(path))
    return content
