"""PNG and JPEG files in folders that are classes, `cat/1.png`, or `test/cat/1.png` where they are divided already.

All images have one size; where some are grey and some coloured, all become coloured. An image's header is looked at
before anything of it is decoded.
"""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from workers.ingest.archive import archive, content
from workers.ingest.errors import DataError
from workers.ingest.part import MAX_SIDE, SPLIT_NAMES, Heed, Part, Read, checked_shape, named_labels

FILE_BYTES = 32 << 20  # of one image as it is given
SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = {"L": 1, "RGB": 3, "P": 3}  # channels by what Pillow calls a mode
Content = Callable[[], bytes]


def read_zipped(path: Path, largest_bytes: int, heed: Heed) -> Read:
    """The images of an archive. Raises DataError."""
    # Images hardly shrink when they are packed, so that their files take no more than their pixels and their headers.
    with archive(path, largest_bytes + (1 << 30)) as opened:
        names = [m.filename for m in opened.infolist() if not m.is_dir() and not is_litter(m.filename)]
        return read_images(
            {name: lambda name=name: content(opened, name, FILE_BYTES) for name in names}, largest_bytes, heed
        )


def read_folder(folder: Path, largest_bytes: int, heed: Heed) -> Read:
    """The images below a folder. Raises DataError."""
    found: dict[str, Content] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise DataError("a link; only files and folders are read", name)
        if path.is_file() and not is_litter(name):
            found[name] = lambda path=path: file_content(path)
    return read_images(found, largest_bytes, heed)


def file_content(path: Path) -> bytes:
    """A file's bytes, if they are not too many."""
    with path.open("rb") as file:
        found = file.read(FILE_BYTES + 1)
    if len(found) > FILE_BYTES:
        raise DataError(f"more than {FILE_BYTES} bytes", path.name)
    return found


def is_litter(name: str) -> bool:
    """Whether a file is what file managers leave behind."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in (".DS_Store", "Thumbs.db", "desktop.ini")


def read_images(files: Mapping[str, Content], largest_bytes: int, heed: Heed) -> Read:
    """All images with the classes and the splits that their folders name."""
    if not files:
        raise DataError("there are no images: put PNG or JPEG files in a folder for each class")
    places = {name: folders_of(name, files) for name in sorted(files)}
    labels, classes = named_labels([label for _, label in places.values()], "the folders")
    label_of = dict(zip(places, labels, strict=True))
    parts: dict[str, list[str]] = {}
    for name, (part, _) in places.items():
        parts.setdefault(part, []).append(name)
    size, channels = common_header(files, heed)
    checked_shape(len(files), channels, size[1], size[0], largest_bytes, "the images")
    return Read(
        parts=tuple(
            Part(
                split=SPLIT_NAMES[part] if part else None,
                pixels=decoded(names, [files[name] for name in names], size, channels, heed),
                labels=np.array([label_of[name] for name in names], dtype=np.int64),
                place=part or "the images",
            )
            for part, names in parts.items()
        ),
        classes=classes,
    )


def folders_of(name: str, files: Mapping[str, Content]) -> tuple[str, str]:
    """The part, or nothing, and the class of a file, by its folders."""
    if not name.lower().endswith(SUFFIXES):
        raise DataError(f"not an image; files end in {', '.join(SUFFIXES)}", f"{name[:200]!r}")
    match name.split("/"):
        case [label, _]:
            return "", label
        case [part, label, _] if part in SPLIT_NAMES:
            return part, label
        case [_, label, _] if len({other.split("/")[0] for other in files}) == 1:
            return "", label  # one folder around them all
        case [_, part, label, _] if part in SPLIT_NAMES:
            return part, label
        case _:
            allowed = f"files are in <class>/ or in <split>/<class>/, a split being one of {', '.join(SPLIT_NAMES)}"
            raise DataError(allowed, f"{name[:200]!r}")


def common_header(files: Mapping[str, Content], heed: Heed) -> tuple[tuple[int, int], int]:
    """Width and height of all images, and the channels that the richest of them has."""
    first, size, channels = "", (0, 0), 1
    for name, read in files.items():
        heed()
        with opened(name, read()) as image:
            if image.mode not in MODES:
                raise DataError(f"mode {image.mode}; images are grey (8 bits) or RGB, without transparency", repr(name))
            if not first:
                first, size = name, image.size
            if image.size != size:
                found, wanted = "{} × {}".format(*image.size), "{} × {}".format(*size)
                raise DataError(f"{found} pixels, but {first!r} has {wanted}; all images have one size", repr(name))
            channels = max(channels, MODES[image.mode])
    return size, channels


def decoded(names: Sequence[str], files: Sequence[Content], size: tuple[int, int], channels: int, heed: Heed) -> Any:
    """Pixels uint8 (N, C, H, W)."""
    pixels = np.empty((len(files), channels, size[1], size[0]), dtype=np.uint8)
    for i, (name, read) in enumerate(zip(names, files, strict=True)):
        heed()
        pixels[i] = decode(name, read(), channels)
    return pixels


def decode(name: str, file: bytes, channels: int) -> Any:
    """Pixels uint8 (C, H, W) of one image. Raises DataError where its file is damaged."""
    with opened(name, file) as image:
        try:
            values = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        except Exception as error:  # Pillow's decoders raise many kinds at bytes that are wrong
            raise DataError(f"cannot be decoded: {error}", repr(name)) from error
    return values[None] if channels == 1 else values.transpose(2, 0, 1)


def opened(name: str, file: bytes) -> Image.Image:
    """An image of which the header was read. Raises DataError where it is none, or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of bombs
            image = Image.open(io.BytesIO(file), formats=("PNG", "JPEG"))
    except Exception as error:
        raise DataError(f"not a PNG or JPEG image that can be read: {error}", repr(name)) from error
    if max(image.size) > MAX_SIDE:
        raise DataError(f"{image.size[0]} × {image.size[1]} pixels; a side has 1 to {MAX_SIDE}", repr(name))
    return image
