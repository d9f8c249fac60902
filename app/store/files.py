"""What a stored file is, and what a place that holds them must be able to do."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from app.store.errors import DamagedObject

BLOCK = 1 << 20  # bytes read at a time
OBJECTS = "objects"  # what is named by its content lies below
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that was written and has its name."""

    path: str  # its name in the store
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as a listing shows it."""

    path: str
    bytes: int
    modified: float  # seconds since 1970, on the store's clock


class Place(Protocol):
    """Where files are kept under names like `objects/ab/cdef`: a folder, or a bucket.

    Every method raises StoreDown or StoreUnusable where the place cannot be reached or refuses.
    """

    def put(self, file: Path, path: str) -> None:
        """Give a file its name, all of it or nothing; the file may be gone afterwards."""
        ...

    def local(self, path: str) -> Path | None:
        """Where the file lies on this machine; None for a place that must be asked for a copy."""
        ...

    def fetch(self, path: str, target: Path) -> None:
        """Copy the file to this machine. Raises MissingObject."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of the file, None where there is none."""
        ...

    def entries(self, directory: str) -> Iterator[Entry]:
        """Every file below a directory."""
        ...

    def remove(self, path: str) -> None:
        """Remove the file if it is there."""
        ...

    def clear_unfinished(self, older_than_seconds: float) -> int:
        """Forget uploads that were never ended and are older; says how many."""
        ...


def object_path(sha256: str) -> str:
    """The name of the content with this digest. Raises ValueError for what is no digest."""
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not 64 hexadecimal digits")
    return f"{OBJECTS}/{sha256[:2]}/{sha256[2:]}"


def object_digest(path: str) -> str | None:
    """The digest that a name says, None for a name that says none."""
    directory, _, rest = path.partition("/")
    digest = rest.replace("/", "", 1)
    named = directory == OBJECTS and SHA256.fullmatch(digest) is not None and object_path(digest) == path
    return digest if named else None


def plain(path: str) -> str:
    """The name itself. Raises ValueError for one that could lead elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise ValueError(f"{path!r} is not the name of a stored file")
    return path


def digest_of(file: Path) -> str:
    """sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def verify(file: Path, expected: StoredFile) -> None:
    """Read a file to the end. Raises DamagedObject unless it is what was written, and OSError."""
    size = file.stat().st_size
    if size != expected.bytes:
        raise DamagedObject(expected.path, f"{size} bytes, not {expected.bytes}")
    digest = digest_of(file)
    if digest != expected.sha256:
        raise DamagedObject(expected.path, f"its sha256 is {digest}, not {expected.sha256}")
