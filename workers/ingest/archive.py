"""ZIP archives that nobody vouches for: what they list is checked before any of it is read, and nothing is unpacked.

Refused are: more members or bytes than a data set may have, members that share bytes of the archive (the bombs of
D. Fifield, A better zip bomb, WOOT 2019), expansion beyond what images reach, encryption, links, and names that lead
out of a folder. A member is read up to the size that was announced and no further.
"""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from workers.ingest.errors import DataError

MAX_MEMBERS = 2_100_000  # images and the folders they are in
DIRECTORY_BYTES = 400 << 20  # of the list of members
RATIO, RATIO_FROM = 200, 64 << 20  # so many times its size may an archive grow, from so many bytes on
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LISTED_SIZE, LISTED_COUNT = 5, 4  # places in what zipfile says of the end of an archive


@contextmanager
def archive(path: Path, largest_bytes: int) -> Iterator[zipfile.ZipFile]:
    """An archive whose list of members has been checked. Raises DataError."""
    try:
        with path.open("rb") as file:
            # What zipfile itself is about to trust: it reads the whole list before it answers how long it is.
            end = cast("Any", zipfile)._EndRecData(file)
        if end is None:
            raise DataError("not a ZIP file, or cut off", "the archive")
        if end[LISTED_SIZE] > DIRECTORY_BYTES or end[LISTED_COUNT] > MAX_MEMBERS:
            raise DataError(f"lists {end[LISTED_COUNT]} members, at most {MAX_MEMBERS} are accepted", "the archive")
        with zipfile.ZipFile(path) as opened:
            check(opened.infolist(), path.stat().st_size, largest_bytes)
            yield opened
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError, EOFError) as error:
        raise DataError(f"cannot be read: {error}", "the archive") from error


def check(members: list[zipfile.ZipInfo], archive_bytes: int, largest_bytes: int) -> None:
    """Raises DataError at the first member that is refused."""
    if len(members) > MAX_MEMBERS:
        raise DataError(f"lists {len(members)} members, at most {MAX_MEMBERS} are accepted", "the archive")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if fault := fault_of(member):
            raise DataError(fault, f"{name[:200]!r} in the archive")
        if name in seen:
            raise DataError("is there twice", f"{name[:200]!r} in the archive")
        seen.add(name)
    packed, unpacked = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if packed > archive_bytes:
        raise DataError(f"its members take {packed} bytes of {archive_bytes}, so that they overlap", "the archive")
    if unpacked > largest_bytes:
        raise DataError(f"{unpacked} bytes unpacked, at most {largest_bytes} are accepted", "the archive")
    if unpacked > RATIO_FROM and unpacked > RATIO * archive_bytes:
        times = unpacked // max(1, archive_bytes)
        raise DataError(f"grows to {times} times its size, at most {RATIO} times are accepted", "the archive")


def fault_of(member: zipfile.ZipInfo) -> str | None:
    """What is wrong with a member by what the archive says of it."""
    name = member.filename
    parts = name.rstrip("/").split("/")
    if "\\" in name or ":" in name or any(ord(character) < 32 for character in name):
        return "a name has no backslash, colon or control character"
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "the name leads out of its folder"
    if len(name) > 400:
        return "the name is longer than 400 characters"
    if member.flag_bits & 1:
        return "it is encrypted"
    if member.compress_type not in METHODS:
        return "it is neither stored nor deflated"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device, not a file"
    return None


def content(opened: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """A member's bytes. Raises DataError where they are not what was announced."""
    member = opened.getinfo(name)
    if member.file_size > largest:
        raise DataError(f"{member.file_size} bytes, at most {largest} are accepted", f"{name!r} in the archive")
    try:
        with opened.open(member) as file:
            found = file.read(largest + 1)
    except Exception as error:  # zlib and zipfile raise many kinds at bytes that are wrong
        raise DataError(f"cannot be read: {error}", f"{name!r} in the archive") from error
    if len(found) != member.file_size:
        raise DataError(f"{len(found)} bytes, {member.file_size} were announced", f"{name!r} in the archive")
    return found
