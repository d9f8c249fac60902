"""CIFAR-10 and CIFAR-100 in their binary version, and nothing of their Python version, which is pickles.

CIFAR-10    data_batch_1.bin … data_batch_5.bin, test_batch.bin: <label> <3,072 pixels>, 10,000 records a file
CIFAR-100   train.bin, test.bin: <coarse label> <fine label> <3,072 pixels>; the fine label counts

Pixels are 32 × 32 bytes of red, then of green, then of blue. The files are in a folder, or in the archive as it is
published, cifar-10-binary.tar.gz. Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workers.ingest.errors import DataError
from workers.ingest.part import Part, Read

PIXELS = 3 * 32 * 32
TEN = ("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin")
TEN_TEST, TEN_NAMES = "test_batch.bin", "batches.meta.txt"
HUNDRED, HUNDRED_TEST, HUNDRED_NAMES = "train.bin", "test.bin", "fine_label_names.txt"
FILES = (*TEN, TEN_TEST, TEN_NAMES, HUNDRED, HUNDRED_TEST, HUNDRED_NAMES)
FILE_BYTES = 50_000 * (PIXELS + 2)  # of the largest file, CIFAR-100's train.bin
ARCHIVE_BYTES, ARCHIVE_MEMBERS = 1 << 30, 64  # unpacked, far above what is published


def read_cifar(path: Path) -> Read:
    """The parts `train` and `test` of a folder or an archive. Raises DataError."""
    files = of_archive(path) if path.is_file() else of_folder(path)
    if TEN_TEST in files:
        train = [records(name, wanted(files, name), 1) for name in TEN]
        test, names = records(TEN_TEST, files[TEN_TEST], 1), files.get(TEN_NAMES, b"")
    else:
        train = [records(HUNDRED, wanted(files, HUNDRED), 2)]
        test, names = records(HUNDRED_TEST, wanted(files, HUNDRED_TEST), 2), files.get(HUNDRED_NAMES, b"")
    return Read(
        parts=(
            Part(
                split=None,
                pixels=np.concatenate([pixels for pixels, _ in train]),
                labels=np.concatenate([labels for _, labels in train]),
                place="train",
            ),
            Part(split="test", pixels=test[0], labels=test[1], place="test"),
        ),
        classes=tuple(line.strip() for line in names.decode(errors="replace").splitlines() if line.strip()),
    )


def records(name: str, content: bytes, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3, 32, 32) and labels int64 (N,); the last of the labels counts."""
    if not content or len(content) % (labels + PIXELS):
        raise DataError(f"{len(content)} bytes are no whole number of records of {labels + PIXELS}", name)
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, labels + PIXELS)
    return rows[:, labels:].reshape(-1, 3, 32, 32), rows[:, labels - 1].astype(np.int64)


def wanted(files: Mapping[str, bytes], name: str) -> bytes:
    """A file that has to be there."""
    if name not in files:
        raise DataError("is missing; of CIFAR, the binary version is read, never the Python version's pickles", name)
    return files[name]


def of_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are CIFAR's."""
    return {name: limited(folder / name) for name in FILES if (folder / name).is_file()}


def limited(path: Path) -> bytes:
    """A file's bytes, if they are not too many."""
    if path.stat().st_size > FILE_BYTES:
        raise DataError(f"more than {FILE_BYTES} bytes", path.name)
    return path.read_bytes()


def of_archive(path: Path) -> dict[str, bytes]:
    """The files of a tar archive that are CIFAR's, read one after another; nothing is unpacked onto the disk."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            for number, member in enumerate(archive):
                total += member.size
                if number >= ARCHIVE_MEMBERS or total > ARCHIVE_BYTES:
                    raise DataError(f"more than {ARCHIVE_MEMBERS} members or {ARCHIVE_BYTES} bytes", path.name)
                name = member.name.rpartition("/")[2]
                if member.isreg() and name in FILES and name not in found and member.size <= FILE_BYTES:
                    file = archive.extractfile(member)
                    found[name] = b"" if file is None else file.read(member.size)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read: {error}", path.name) from error
    return found
