"""Parquet files: a column of images (bytes of PNG or JPEG, or of pixels) and a column of labels.

image   binary, or {bytes, path} as Hugging Face writes them: a file; list of numbers: pixels of a grey square image
label   integers or names; names of a Hugging Face ClassLabel are taken from the schema
split   optional: which part the row is of; a folder's file names say it otherwise, `train-00000-of-00001.parquet`
"""

import json
from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workers.ingest.errors import DataError
from workers.ingest.part import MAX_IMAGES, SPLIT_NAMES, Array, Heed, Part, Read, checked_shape, whole_numbers
from workers.ingest.pictures import FILE_BYTES, common_header, decoded

IMAGE_COLUMNS = ("image", "img", "image_bytes", "pixels")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class")
BATCH = 256  # rows read at a time
OVERHEAD = 4096  # bytes of an image's file beside its pixels


def read_parquet(files: Mapping[str, Path], levels: int, largest_bytes: int, heed: Heed) -> Read:
    """The rows of files; each name begins with a part's or says nothing of parts. Raises DataError."""
    labels: dict[str, list[Any]] = {}
    images: dict[str, list[Any]] = {}
    classes: tuple[str, ...] = ()
    rows = seen = held = 0
    for name, path in sorted(files.items()):
        part = name.split("-")[0].removesuffix(".parquet") if len(files) > 1 else ""
        if len(files) > 1 and part not in SPLIT_NAMES:
            raise DataError(f"the name says no part: it begins with one of {', '.join(SPLIT_NAMES)} and -", repr(name))
        try:
            with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
                rows += file.metadata.num_rows
                if rows > MAX_IMAGES:
                    raise DataError(f"{rows} rows, at most {MAX_IMAGES} are accepted", repr(name))
                columns, found = columns_of(file.schema_arrow, name)
                classes = classes or found
                for batch in file.iter_batches(batch_size=BATCH, columns=list(columns), use_threads=False):
                    heed()
                    held, seen = held + batch.nbytes, seen + batch.num_rows
                    if held > largest_bytes + OVERHEAD * seen:
                        raise DataError(f"more than {held} bytes unpacked, which is too much", repr(name))
                    take(batch, columns, part, name, images, labels)
        except MemoryError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"not a Parquet file that can be read: {error}", repr(name)) from error
    if not images:
        raise DataError("the table has no rows")
    numbers, classes = numbered(labels, classes)
    return Read(
        parts=tuple(
            Part(
                split=SPLIT_NAMES[part] if part else None,
                pixels=pixels,
                labels=numbers[part],
                place=part or "the table",
            )
            for part, pixels in pixels_of(images, levels, largest_bytes, heed).items()
        ),
        classes=classes,
    )


def columns_of(schema: pa.Schema, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of images, of labels and, if there is one, of parts; and the names of classes."""
    chosen: list[str] = []
    for what, known in (("images", IMAGE_COLUMNS), ("labels", LABEL_COLUMNS)):
        found = [column for column in known if column in schema.names]
        if not found:
            needed = f"no column of {what}; it is called one of {', '.join(known)}, not {schema.names[:20]}"
            raise DataError(needed, repr(name))
        chosen.append(found[0])
    if "split" in schema.names:
        chosen.append("split")
    try:
        features: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = features["info"]["features"][chosen[1]]["names"]
    except (ValueError, LookupError, TypeError):
        names = []
    well = isinstance(names, list) and all(isinstance(n, str) for n in cast("list[object]", names))
    return tuple(chosen), tuple(names) if well else ()


def take(
    batch: pa.RecordBatch,
    columns: Sequence[str],
    part: str,
    name: str,
    images: dict[str, list[Any]],
    labels: dict[str, list[Any]],
) -> None:
    """Put rows where their parts are."""
    rows = [batch.column(column).to_pylist() for column in columns]
    parts = rows[2] if len(rows) > 2 else [part] * batch.num_rows
    for image, label, of in zip(rows[0], rows[1], parts, strict=True):
        at = sum(map(len, images.values()))
        if isinstance(image, dict):
            image = cast("dict[str, object]", image).get("bytes")
        if of and of not in SPLIT_NAMES:
            raise DataError(f"no part is called {of!r}; there are {', '.join(SPLIT_NAMES)}", f"{name!r}, row {at}")
        if not isinstance(image, bytes | list):
            raise DataError(f"no image but {type(image).__name__}; give its bytes, not a path", f"{name!r}, row {at}")
        if not isinstance(label, int | str) or isinstance(label, bool):
            raise DataError(f"the label is {label!r}; labels are integers or names", f"{name!r}, row {at}")
        if isinstance(image, bytes) and len(image) > FILE_BYTES:
            raise DataError(f"{len(image)} bytes, at most {FILE_BYTES} are accepted", f"{name!r}, row {at}")
        images.setdefault(of or "", []).append(image)
        labels.setdefault(of or "", []).append(label)


def numbered(labels: Mapping[str, list[Any]], classes: tuple[str, ...]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Labels as numbers, and the names of the classes."""
    kinds = {type(label) for given in labels.values() for label in given}
    if len(kinds) > 1:
        raise DataError("some labels are integers and some are names: give one or the other")
    if kinds == {str}:
        classes = tuple(sorted({label for given in labels.values() for label in given}))
        number = {name: i for i, name in enumerate(classes)}
        labels = {part: [number[label] for label in given] for part, given in labels.items()}
    for part, given in labels.items():
        for row, label in enumerate(given):
            if not 0 <= label < MAX_IMAGES:
                raise DataError(f"label {label}; labels count from 0", f"{part or 'the table'}, row {row}")
    return {part: np.array(given, dtype=np.int64) for part, given in labels.items()}, classes


def pixels_of(images: Mapping[str, list[Any]], levels: int, largest_bytes: int, heed: Heed) -> dict[str, Array]:
    """Pixels uint8 (N, C, H, W) of each part."""
    count = sum(map(len, images.values()))
    kinds = {type(image) for given in images.values() for image in given}
    if len(kinds) > 1:
        raise DataError("some images are bytes and some are lists: give one or the other")
    if kinds == {list}:
        return {part: grey_squares(given, levels, count, largest_bytes, part) for part, given in images.items()}
    files = {f"{part or 'the table'}, row {i}": im for part, given in images.items() for i, im in enumerate(given)}
    size, channels = common_header({name: lambda image=image: image for name, image in files.items()}, heed)
    checked_shape(count, channels, size[1], size[0], largest_bytes, "the table")
    return {
        part: decoded(
            [f"{part or 'the table'}, row {i}" for i in range(len(given))],
            [lambda image=image: image for image in given],
            size,
            channels,
            heed,
        )
        for part, given in images.items()
    }


def grey_squares(given: list[list[Any]], levels: int, count: int, largest_bytes: int, part: str) -> Array:
    """Lists of H · H numbers as uint8 (N, 1, H, H)."""
    place, side = part or "the table", isqrt(len(given[0]))
    for row, image in enumerate(given):
        if len(image) != side * side or not image:
            raise DataError(f"{len(image)} pixels; lists are of grey squares, all of one size", f"{place}, row {row}")
    checked_shape(count, 1, side, side, largest_bytes, place)
    try:
        values = np.array(given)
    except (ValueError, OverflowError) as error:
        raise DataError(f"pixels are not numbers: {error}", place) from error
    return whole_numbers(values, levels, place).astype(np.uint8).reshape(len(given), 1, side, side)
