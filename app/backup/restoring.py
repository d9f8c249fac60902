"""Restore a backup into an empty set-up."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from app.backup.errors import BackupError, NotAnEmptySetup
from app.backup.making import FOLDERS
from app.backup.manifest import NAME, Manifest, read
from app.catalogue import Database
from app.catalogue.snapshot import NotEmpty, load, refuse_rows, revision, running
from app.jobs import Lease, LeaseLost, release
from app.store import OBJECTS, Entry, Store, digest_of

MARKER = "restoring"  # in the data root: files are there, and perhaps no rows yet


def restore(database: Database, store: Store, data_root: Path, directory: Path) -> Manifest:
    """Put back everything that a backup holds; jobs that ran are queued.

    Files first, then the rows in one transaction: a restoration that was cut off has no rows, and the same one may be
    begun again. Nothing is written before every file of the backup has been verified.

    Raises:
        NoBackup, DamagedBackup: the directory is not what it should be.
        NotAnEmptySetup: there are rows, or files that this restoration did not bring.
        BackupError: the tables here are of another revision.
    """
    manifest = read(directory)
    here = revision(database)
    if here != manifest.revision:
        raise BackupError(
            f"the backup in {directory} has tables of revision {manifest.revision}, and here they are of {here}: "
            f"restore it with the version that made it, {manifest.code_version}, and let this one migrate them"
        )
    _refuse_unless_empty(database, store, data_root, digest_of(directory / NAME))
    manifest.verify(directory)
    data_root.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker = data_root / MARKER
    marker.write_text(digest_of(directory / NAME))
    for stored in manifest.stored:
        store.restore(stored, directory / "store" / stored.path)
    for file in manifest.data:
        _copy(directory / "data" / file.path, data_root / file.path)
    try:
        load(
            database,
            tuple((table, directory / "tables" / f"{table.name}.copy") for table in manifest.tables),
            without=manifest.without,
        )
    except NotEmpty as error:
        raise NotAnEmptySetup(f"somebody wrote here meanwhile: {error}") from error
    marker.unlink()
    _release_all(database)
    return manifest


def _refuse_unless_empty(database: Database, store: Store, data_root: Path, digest: str) -> None:
    try:
        refuse_rows(database)
    except NotEmpty as error:
        raise NotAnEmptySetup(f"a backup is restored into an empty set-up only, and {error}") from error
    marker = data_root / MARKER
    if marker.exists():
        if marker.read_text() != digest:
            raise NotAnEmptySetup(
                f"another backup was being restored into {data_root}: end that one, or begin with an empty data root"
            )
        return
    there = [data_root / folder for folder in FOLDERS if any((data_root / folder).glob("**/*"))]
    there += [entry.path for folder in (OBJECTS, "jobs") for entry in _first(store, folder)]
    if there:
        raise NotAnEmptySetup(f"a backup is restored into an empty set-up only, and there is {there[0]}")


def _first(store: Store, folder: str) -> tuple[Entry, ...]:
    for entry in store.entries(folder):
        return (entry,)
    return ()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.chmod(0o600)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(target)


def _release_all(database: Database) -> None:
    """Queue the jobs that ran; the attempt does not count. Should this be cut off, their leases run out."""
    for job_id, fence in running(database):
        with suppress(LeaseLost), database.transaction() as session:  # the reconciler may have been first
            release(session, Lease(job_id, fence))
