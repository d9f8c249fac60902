"""The file of a registered data set: safetensors, called by its own SHA-256, and checked whenever it is read.

<data root>/images/<digest>.safetensors
    pixels   uint8 (N, C, H, W), split after split
    labels   int64 (N,)
    record   splits (sizes, in order), levels, classes

Two data sets with the same content are one file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from app.experiment import SPLITS, Dataset, DatasetRequest, Split, StoredImages
from app.experiment.split import drawn
from app.space import ImageInput
from workers.ingest.errors import DataError
from workers.ingest.part import MAX_CLASSES, Array, Heed, Part, Read

SHARES: Mapping[Split, int] = {"weights": 40, "architecture": 30, "selection": 10, "test": 20}
"""Of images that are to be divided, hundredths; shares of splits that are given fall to the others in proportion."""

BLOCK = 1 << 20  # bytes


def keep(data_root: Path, read: Read, request: DatasetRequest, heed: Heed) -> Dataset:
    """Divide what was read, write its file, and describe it. Raises DataError where it is no whole data set."""
    parts = divided(read.parts, request)
    pixels = np.concatenate([parts[split].pixels for split in SPLITS])
    labels = np.concatenate([parts[split].labels for split in SPLITS])
    sizes: dict[Split, int] = {split: len(parts[split].labels) for split in SPLITS}
    heed()
    classes = classes_of(labels, read.classes)
    mean, deviation = measured(pixels[: sizes["weights"] + sizes["architecture"]], request.levels)
    record = {"splits": sizes, "levels": request.levels, "classes": list(read.classes)}
    digest, size = written(data_root, pixels, labels, record)
    heed()
    _, c, h, w = pixels.shape
    return Dataset(
        name=request.name,
        title=request.title or request.name,
        input=ImageInput(channels=c, height=h, width=w),
        num_classes=classes,
        splits=sizes,
        licence=request.licence,
        source=request.source,
        packaged=False,
        notes=request.notes,
        stored=StoredImages(
            digest=digest,
            pixels_digest=hashlib.sha256(pixels.data).hexdigest(),
            bytes=size,
            levels=request.levels,
            mean=mean,
            deviation=deviation,
            classes=read.classes,
        ),
    )


def divided(parts: tuple[Part, ...], request: DatasetRequest) -> dict[Split, Part]:
    """The four splits: those that were given, and what is left drawn into the others."""
    shapes = {part.pixels.shape[1:]: part.place for part in parts}
    if len(shapes) > 1:
        found = "; ".join(f"{place}: {shape}" for shape, place in shapes.items())
        raise DataError(f"all images have one shape, these have more: {found}")
    given: dict[Split, Part] = {}
    loose: list[Part] = []
    for part in parts:
        if part.split is None:
            loose.append(part)
        elif part.split in given:
            raise DataError(f"there are two parts for the split {part.split}", part.place)
        else:
            given[part.split] = part
    wanted: tuple[Split, ...] = tuple(split for split in SPLITS if split not in given)
    if not loose:
        if wanted:
            raise DataError(f"no images for {', '.join(wanted)}: give all four splits, or a part `train` to divide")
        return given
    if not wanted:
        raise DataError("all four splits are given, so that nothing is left to divide this into", loose[0].place)
    pool = Part(
        split=None,
        pixels=np.concatenate([part.pixels for part in loose]),
        labels=np.concatenate([part.labels for part in loose]),
        place=loose[0].place,
    )
    sizes = sizes_of(len(pool.labels), wanted, request.sizes)
    indices = drawn(f"seed {request.seed}", pool.labels.tolist(), sizes)
    for split, chosen in indices.items():
        given[split] = replace(pool, split=split, pixels=pool.pixels[chosen], labels=pool.labels[chosen])
    return given


def sizes_of(count: int, wanted: tuple[Split, ...], asked: Mapping[Split, int] | None) -> dict[Split, int]:
    """Images of each split that is drawn: as asked, else by share."""
    if asked is not None:
        if set(asked) != set(wanted) or sum(asked.values()) != count or min(asked.values()) < 1:
            raise DataError(
                f"the sizes {dict(asked)} do not divide {count} images among {', '.join(wanted)}, at least one in each"
            )
        return {split: asked[split] for split in wanted}
    total, sizes, taken, passed = sum(SHARES[split] for split in wanted), dict[Split, int](), 0, 0
    for split in wanted:
        passed += SHARES[split]
        sizes[split] = count * passed // total - taken
        taken += sizes[split]
    if min(sizes.values()) < 1:
        raise DataError(f"{count} images are too few to divide among {', '.join(wanted)}")
    return sizes


def classes_of(labels: Array, names: tuple[str, ...]) -> int:
    """The number of classes: every label has a name where there are names, and every class has an image."""
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= (len(names) or MAX_CLASSES):
        raise DataError(f"labels run from {lowest} to {highest}, not within 0..{(len(names) or MAX_CLASSES) - 1}")
    count = len(names) or highest + 1
    missing = np.flatnonzero(np.bincount(labels, minlength=count) == 0)
    if len(missing):
        raise DataError(f"no image has the label {missing[0]}: labels count from 0, and every class has an image")
    if count < 2:
        raise DataError("all images have one label: there is nothing to tell apart")
    return count


def measured(pixels: Array, levels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel on the scale [0, 1], from counts of each value: exact sums."""
    means: list[float] = []
    deviations: list[float] = []
    for channel in range(pixels.shape[1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(pixels), 1024):
            counts += np.bincount(pixels[start : start + 1024, channel].ravel(), minlength=256)
        values, n = np.arange(256, dtype=np.int64), int(counts.sum())
        first, second = int((counts * values).sum()), int((counts * values**2).sum())
        means.append(first / n / levels)
        deviations.append((max(0, second * n - first * first) ** 0.5) / n / levels)
    return tuple(means), tuple(deviations)


def written(data_root: Path, pixels: Array, labels: Array, record: Mapping[str, object]) -> tuple[str, int]:
    """Write the file under its digest, whole or not at all. Returns the digest and the size in bytes."""
    folder = data_root / "images"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{token_hex(8)}.partial"
    try:
        # One entry of metadata: of several, the order in the file is not fixed.
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        save_file({"labels": labels, "pixels": np.ascontiguousarray(pixels)}, partial, {"cellar": text})
        digest, size = sha256(partial), partial.stat().st_size
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(folder / f"{digest}.safetensors")
    finally:
        partial.unlink(missing_ok=True)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return digest, size


def opened(data_root: Path, stored: StoredImages) -> tuple[Array, Array]:
    """Pixels and labels of a registered data set. Raises DataError where its file is not as it was written."""
    path = data_root / "images" / f"{stored.digest}.safetensors"
    try:
        found = sha256(path)
        if found != stored.digest:
            raise DataError(f"SHA-256 {found}, expected {stored.digest}; the file is damaged", str(path))
        with safe_open(path, "np") as file:
            tensors: Any = file
            return tensors.get_tensor("pixels"), tensors.get_tensor("labels")
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot be read: {error}", str(path)) from error


def sha256(path: Path) -> str:
    """The digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
