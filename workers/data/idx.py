"""IDX, the format of MNIST's files: two zero bytes, a type byte, a rank byte, big-endian extents, then the data.

Only unsigned bytes (type 0x08) are read. A file may be gzip-compressed; which it is, its first two bytes say.
Source of the format: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from workers.data.images import DataError

UNSIGNED_BYTE = 0x08
LARGEST = 1 << 30  # bytes of content; far above any data set of this kind, far below what exhausts a machine


def read_idx(path: Path, rank: int) -> Tensor:
    """The uint8 tensor of `rank` dimensions in an IDX file. Raises DataError for anything that is not exactly that."""
    content = _content(path)
    if len(content) < 4:
        raise DataError(f"{path}: {len(content)} bytes are too few for an IDX header")
    zero, kind, found_rank = struct.unpack(">HBB", content[:4])
    if zero != 0:
        raise DataError(f"{path}: not an IDX file: its first bytes are {content[:2].hex()}, expected 0000")
    if kind != UNSIGNED_BYTE:
        raise DataError(f"{path}: IDX type 0x{kind:02x}, only unsigned bytes (0x08) are read")
    if found_rank != rank:
        raise DataError(f"{path}: {found_rank} dimensions, expected {rank}")
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"{path}: cut off within its header, after {len(content)} of {start} bytes")
    extents = struct.unpack(f">{rank}I", content[4:start])
    if len(content) - start != prod(extents):
        raise DataError(f"{path}: {len(content) - start} bytes of data, expected {prod(extents)} for {extents}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[start:].reshape(extents).clone()


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) > LARGEST:
        raise DataError(f"{path}: more than {LARGEST} bytes of content")
    return content
