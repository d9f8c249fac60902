"""Make a backup beside a running service."""

import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.backup.errors import BackupError
from app.backup.manifest import FORMAT, Manifest
from app.catalogue import Database
from app.catalogue.snapshot import NamedFile, Snapshot, TableRows, snapshot
from app.store import DamagedObject, MissingObject, Store, StoredFile, digest_of

SECRET = "api/secret"  # a path  # nosec B105
FOLDERS = ("images", "datasets", "uploads")  # of the data root: data sets added, put there by hand, and on their way


def back_up(database: Database, store: Store, data_root: Path, directory: Path, *, code_version: str) -> Manifest:
    """Write rows, stored files, data sets and the secret as they are at one moment to a directory that is new or empty.

    Jobs go on meanwhile. A checkpoint that its job has replaced before it was copied is left out: the job will start
    over. Raises BackupError, StoreError, OSError; the directory is no backup then.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise BackupError(f"{directory} is not empty: a backup goes to a directory of its own")
    (directory / "tables").mkdir()
    with snapshot(database) as taken:
        files = taken.files()
        stored = tuple(_stored(store, files, directory / "store"))
        held = {file.path for file in stored}
        manifest = Manifest(
            format=FORMAT,
            code_version=code_version,
            revision=taken.revision,
            made_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            tables=tuple(_tables(taken, directory / "tables")),
            stored=stored,
            data=tuple(_data(data_root, directory / "data")),
            without=tuple(sorted({file.path for file in files} - held)),
        )
    _sync(directory)
    manifest.write(directory)
    return manifest


def _tables(taken: Snapshot, directory: Path) -> Iterator[TableRows]:
    for name in taken.tables():
        yield taken.write(name, directory / f"{name}.copy")


def _stored(store: Store, files: tuple[NamedFile, ...], directory: Path) -> Iterator[StoredFile]:
    done: set[str] = set()
    for file in files:
        if file.path in done:
            continue
        stored = StoredFile(path=file.path, bytes=file.bytes, sha256=file.sha256)
        try:
            target = directory / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.open(stored), target)
        except (MissingObject, DamagedObject, FileNotFoundError) as error:
            if file.lasting:
                raise BackupError(f"{error}; `cellar verify` names everything of this kind") from error
            continue
        done.add(file.path)
        yield stored


def _data(data_root: Path, directory: Path) -> Iterator[StoredFile]:
    for path in (SECRET, *_below(data_root)):
        source, target = data_root / path, directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, target)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            continue  # an upload whose job has ended; or no API ever ran here, and there is no secret yet
        target.chmod(0o600)
        yield StoredFile(path=path, bytes=target.stat().st_size, sha256=digest_of(target))


def _below(data_root: Path) -> Iterator[str]:
    """The files of the data sets; links to directories elsewhere are not followed."""
    for folder in FOLDERS:
        for parent, directories, names in os.walk(data_root / folder):
            directories.sort()
            yield from (
                str(Path(parent, name).relative_to(data_root))
                for name in sorted(names)
                if not name.endswith(".partial")
            )


def _sync(directory: Path) -> None:
    """Put every file on the disk before the manifest says that it is there."""
    for parent, _, names in os.walk(directory):
        for path in (*(Path(parent, name) for name in names), Path(parent)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
