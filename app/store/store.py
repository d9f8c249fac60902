"""Files by their content: written once, found by their sha256, verified whenever they are opened."""

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from app.store.errors import DamagedObject, MissingObject, StoreDown, StoreUnusable
from app.store.files import OBJECTS, Entry, Place, StoredFile, digest_of, object_digest, object_path, verify
from app.store.folder import Folder

FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))  # writers in other languages keep these words alone
INCOMING = "incoming"  # files that somebody writes now; they have no name yet
FETCHED = "fetched"  # verified copies of what lies elsewhere
TRIAL = "trial/written"  # comes and goes, to see whether anything can be written
TRIAL_BYTES = 4096


class Store:
    """One installation's files. Safe to share between threads and processes.

        stored = store.put(file)                             # StoredFile(path="objects/ab/cd...", bytes, sha256)
        with database.transaction() as session:
            secure(session, store, stored)                   # app.jobs: it stays, or MissingObject: put it again
            ...                                              # the row that names it
        file = store.open(stored)                            # a path on this machine, verified just now

    A file that no row names is removed after a grace period, so it is a row that makes it last.
    """

    def __init__(self, place: Place, data_root: Path) -> None:
        """
        Args:
            place: where files are kept.
            data_root: for files on their way; also where versions before this one kept theirs.
        """
        self.place = place
        self._data_root = data_root
        self._scratch = place.root if isinstance(place, Folder) else data_root

    @classmethod
    def in_folder(cls, root: Path) -> "Store":
        """A store in a folder, the data root of an installation."""
        return cls(Folder(root), root)

    def put(self, file: Path) -> StoredFile:
        """Keep a copy of a file by its content. Raises StoreError, OSError."""
        return self.write(lambda partial: shutil.copyfile(file, partial) and None)

    def write(self, write: Callable[[Path], None], *, suffix: str = "") -> StoredFile:
        """Let `write` make a file, whose name will end in `suffix`, and keep it by its content.

        What is there already is not written again, unless it is damaged. Raises StoreError, OSError and what `write`
        raises, a full disk as StoreDown; nothing is left then.
        """
        with self._incoming(suffix) as partial:
            write(partial)
            digest = digest_of(partial)
            stored = StoredFile(path=object_path(digest), bytes=partial.stat().st_size, sha256=digest)
            if not self._whole(stored):
                self.place.put(partial, stored.path)
            return stored

    def write_as(self, path: str, write: Callable[[Path], None]) -> StoredFile:
        """Let `write` make a file and keep it under a name of the caller's, which nobody else uses."""
        with self._incoming(Path(path).suffix) as partial:
            write(partial)
            stored = StoredFile(path=path, bytes=partial.stat().st_size, sha256=digest_of(partial))
            self.place.put(partial, path)
            return stored

    def restore(self, stored: StoredFile, file: Path) -> None:
        """Keep a copy of a file under the name that it had. Raises DamagedObject where it is another file."""
        with self._incoming("") as partial:
            shutil.copyfile(file, partial)
            verify(partial, stored)
            self.place.put(partial, stored.path)

    def try_writing(self) -> None:
        """Write a small file where files are kept, and remove it. Raises StoreError, OSError."""
        with self._incoming("") as partial:
            partial.write_bytes(bytes(TRIAL_BYTES))
            self.place.put(partial, TRIAL)
        self.remove(TRIAL)

    def has(self, stored: StoredFile) -> bool:
        """Whether a file is there, and as long as it should be. Raises StoreDown, StoreUnusable."""
        return self.place.size(stored.path) == stored.bytes

    def open(self, stored: StoredFile) -> Path:
        """The file on this machine, read to the end just now and found to be what was written.

        It is for reading; where the store lies elsewhere it is a copy, which goes when nobody has asked for a while.
        Raises MissingObject, DamagedObject, StoreDown, StoreUnusable.
        """
        try:
            found = self.place.local(stored.path)
        except ValueError as error:
            raise MissingObject(stored.path) from error
        if found is None:
            found = self._fetched(stored)
            if found is not None:
                return found
        if not found or not found.is_file():
            found = Folder(self._data_root).local(stored.path)  # kept before the store was moved
        try:
            verify(found, stored)
        except FileNotFoundError as error:
            raise MissingObject(stored.path) from error
        except OSError as error:
            raise DamagedObject(stored.path, f"it cannot be read: {error}") from error
        return found

    def entries(self, directory: str) -> Iterator[Entry]:
        """Every file below a directory of the store."""
        return self.place.entries(directory)

    def objects(self) -> Iterator[tuple[str, Entry]]:
        """Every object with its digest."""
        for entry in self.place.entries(OBJECTS):
            digest = object_digest(entry.path)
            if digest is not None:
                yield digest, entry

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        self.place.remove(path)

    def clear(self, older_than_seconds: float, *, dry_run: bool = False) -> int:
        """Remove what dead writers left and copies that nobody asked for lately; says how many there were."""
        before, cleared = time.time() - older_than_seconds, 0
        local = Folder(self._scratch)
        for directory in (INCOMING, FETCHED):
            for entry in local.entries(directory):
                if entry.modified < before:
                    cleared += 1
                    if not dry_run:  # the directory stays: a writer may be about to use it
                        local.local(entry.path).unlink(missing_ok=True)
        return cleared if dry_run else cleared + self.place.clear_unfinished(older_than_seconds)

    def _whole(self, stored: StoredFile) -> bool:
        """Whether the object is there already; on this machine it is read, elsewhere its length must do."""
        file = self.place.local(stored.path)
        if file is None:
            return self.has(stored)
        try:
            verify(file, stored)
            os.utime(file)  # its grace period begins anew
        except (OSError, DamagedObject):
            return False
        return True

    def _fetched(self, stored: StoredFile) -> Path | None:
        """A verified copy of what lies elsewhere; None where it is not there."""
        copy = self._data_root / FETCHED / stored.sha256[:2] / stored.sha256[2:]
        try:
            verify(copy, stored)
            os.utime(copy)
            return copy
        except (OSError, DamagedObject):
            pass  # not there yet, or damaged here
        with self._incoming("") as partial:
            try:
                self.place.fetch(stored.path, partial)
            except MissingObject:
                return None
            verify(partial, stored)
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(copy)
        return copy

    @contextlib.contextmanager
    def _incoming(self, suffix: str) -> Generator[Path]:
        """A name for a file that is being written; what is left of it at the end goes."""
        partial = self._scratch / INCOMING / f"{os.getpid()}-{secrets.token_hex(8)}{suffix}"
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnusable(f"{partial.parent} cannot be made: {error}") from error
        try:
            yield partial
        except Exception as error:
            if any(full in str(error) for full in FULL):
                raise StoreDown(f"there is no room in {partial.parent}: {error}") from error
            raise
        finally:
            partial.unlink(missing_ok=True)
