"""A store in a folder of this machine, or of one that several machines mount."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.store.errors import MissingObject, StoreUnusable
from app.store.files import Entry, plain


class Folder:
    """Files below a directory. A file has its name once it is complete and on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def put(self, file: Path, path: str) -> None:
        """Sync the file and move it to its name; it must lie on the same file system."""
        target = self.local(path)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        while True:
            fresh = [parent for parent in (target.parent, *target.parent.parents) if not parent.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                file.replace(target)
                break
            except FileNotFoundError:
                if not file.exists():
                    raise
                # Whoever cleared the directory up thought it empty: once more.
        for directory in (target.parent, *(parent.parent for parent in fresh)):
            _sync(directory)

    def local(self, path: str) -> Path:
        """The file itself."""
        return self.root / plain(path)

    def fetch(self, path: str, target: Path) -> None:
        """Copy the file. Raises MissingObject."""
        try:
            shutil.copyfile(self.local(path), target)
        except FileNotFoundError as error:
            raise MissingObject(path) from error

    def size(self, path: str) -> int | None:
        """Bytes of the file, None where there is none."""
        try:
            return self.local(path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreUnusable(f"{path} in {self} cannot be read: {error}") from error

    def entries(self, directory: str) -> Iterator[Entry]:
        """Every file below a directory, in order; what disappears meanwhile is passed over."""
        for parent, directories, names in os.walk(self.local(directory)):
            directories.sort()
            for name in sorted(names):
                file = Path(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat(follow_symlinks=False)
                    yield Entry(
                        path=file.relative_to(self.root).as_posix(), bytes=status.st_size, modified=status.st_mtime
                    )

    def remove(self, path: str) -> None:
        """Remove the file if it is there, and directories that are empty then."""
        file = self.local(path)
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or gone
            for parent in file.relative_to(self.root).parents[:-1]:
                (self.root / parent).rmdir()

    def clear_unfinished(self, older_than_seconds: float) -> int:
        """Nothing: what is not finished lies among the incoming files of its writer."""
        return 0


def _sync(directory: Path) -> None:
    """Put the names in a directory on the disk."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
