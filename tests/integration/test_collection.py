"""What no row names is collected, beside writers that name it a moment later, and never what a row names."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from app.catalogue import Database, artefacts
from app.catalogue.snapshot import snapshot
from app.jobs import Lease, StoredFile, claim, collect, record_artefact, secure, submit
from app.store import MissingObject, Store, StoreDown
from workers import fenced
from workers.fenced import FencedProgress, Stop
from workers.files import JobFiles

DAY = 86_400.0


def claimed(database: Database) -> Lease:
    with database.transaction() as session:
        submit(session, kind="training", request={}, owner="ada", queue="cpu")
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
    assert taken is not None
    return taken.lease


def put(store: Store, content: bytes, *, age: float = 2 * DAY) -> StoredFile:
    """An object that was written so many seconds ago."""
    stored = store.write(lambda file: file.write_bytes(content) and None)
    aged = store.place.local(stored.path)
    assert aged is not None
    os.utime(aged, (time.time() - age,) * 2)
    return stored


def name(database: Database, store: Store, lease: Lease, stored: StoredFile, artefact: str = "weights") -> None:
    with database.transaction() as session:
        secure(session, store, stored)
        record_artefact(session, lease, artefact, stored)


def test_only_what_nothing_names_and_is_old_goes(database: Database, tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    named, old, young = put(store, b"named"), put(store, b"old one"), put(store, b"young", age=60)
    name(database, store, claimed(database), named)
    (tmp_path / "incoming").mkdir(exist_ok=True)
    (tmp_path / "incoming" / "dead").touch()
    os.utime(tmp_path / "incoming" / "dead", (time.time() - 2 * DAY,) * 2)
    tried = collect(database, store, grace_seconds=DAY, dry_run=True)
    assert (tried.objects, tried.bytes, tried.leftovers, tried.kept) == (1, 7, 1, 2)
    assert all(store.has(file) for file in (named, old, young))
    assert collect(database, store, grace_seconds=DAY) == tried
    assert [store.has(file) for file in (named, old, young)] == [True, False, True]
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_row_that_is_about_to_be_committed_is_waited_for(database: Database, tmp_path: Path) -> None:
    """The collector has seen no row; the writer commits one before the file can go."""
    store, lease = Store.in_folder(tmp_path), claimed(database)
    stored = put(store, b"weights")
    done: list[int] = []
    collector = threading.Thread(
        target=lambda: done.append(collect(database, store, grace_seconds=DAY).objects), daemon=True
    )
    with database.transaction() as session:
        secure(session, store, stored)
        record_artefact(session, lease, "weights", stored)
        collector.start()
        collector.join(timeout=0.5)
        assert collector.is_alive(), "it has to wait for this transaction"
        assert store.has(stored)
    collector.join(timeout=10)
    assert done == [0]
    assert store.open(stored).read_bytes() == b"weights"


def test_a_file_that_was_collected_before_it_was_named_is_written_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lease = Store.in_folder(tmp_path), claimed(database)
    real, times = fenced.secure, []

    def late(session: object, of: Store, stored: StoredFile) -> None:
        """Between the put and the row the writer slept for longer than the grace period."""
        times.append(stored.path)
        if len(times) == 1:
            file = of.place.local(stored.path)
            assert file is not None
            os.utime(file, (time.time() - 2 * DAY,) * 2)
            assert collect(database, store, grace_seconds=DAY).objects == 1
        real(session, of, stored)  # type: ignore[arg-type]

    monkeypatch.setattr(fenced, "secure", late)
    progress = FencedProgress(database, lease, JobFiles(store, lease.job_id), Stop())
    progress.keep("weights", lambda file: file.write_bytes(b"weights") and None)
    assert len(times) == 2
    with database.transaction() as session:
        row = artefacts.find(session, lease.job_id, "weights")
    assert row is not None
    assert store.open(StoredFile(path=row.path, bytes=row.bytes, sha256=row.sha256)).read_bytes() == b"weights"


def test_a_collected_file_cannot_be_named(database: Database, tmp_path: Path) -> None:
    store, lease = Store.in_folder(tmp_path), claimed(database)
    stored = put(store, b"weights")
    collect(database, store, grace_seconds=DAY)
    with pytest.raises(MissingObject):
        name(database, store, lease, stored)
    with database.transaction() as session:
        assert artefacts.of_job(session, lease.job_id) == ()


def test_writers_and_collectors_without_any_grace_lose_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal contents are put, named and collected all at once; in the end every row has its file."""
    store, lease = Store.in_folder(tmp_path), claimed(database)
    monkeypatch.setattr(store, "clear", lambda *_, **__: 0)  # files that are being written have no lock, only grace
    stop, errors = threading.Event(), list[BaseException]()

    def watched(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def sweep() -> None:
        while not stop.is_set():
            collect(database, store, grace_seconds=-1.0)

    def write(writer: int) -> None:
        progress = FencedProgress(database, lease, JobFiles(store, lease.job_id), Stop())
        for number in range(8):
            content = f"content {number % 3}".encode()
            progress.keep(f"w{writer}-{number}", lambda file, content=content: file.write_bytes(content) and None)

    sweeper = watched(sweep)
    writers = [watched(lambda writer=writer: write(writer)) for writer in range(3)]
    for thread in writers:
        thread.join(timeout=60)
    stop.set()
    sweeper.join(timeout=60)
    assert errors == []
    with database.transaction() as session:
        rows = artefacts.of_job(session, lease.job_id)
    assert len(rows) == 24
    for row in rows:
        content = store.open(StoredFile(path=row.path, bytes=row.bytes, sha256=row.sha256)).read_bytes()
        assert content == f"content {int(row.name[-1]) % 3}".encode()


def test_nothing_is_collected_while_a_backup_is_made(database: Database, tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    stored = put(store, b"old")
    with snapshot(database):
        assert collect(database, store, grace_seconds=DAY).objects == 0
        assert store.has(stored)
    assert collect(database, store, grace_seconds=DAY).objects == 1


def test_rows_of_earlier_versions_keep_their_paths_and_their_files(database: Database, tmp_path: Path) -> None:
    store, lease = Store.in_folder(tmp_path), claimed(database)
    path = f"jobs/{lease.job_id}/artefacts/1/weights.safetensors"
    old = tmp_path / path
    old.parent.mkdir(parents=True)
    old.write_bytes(b"weights")
    os.utime(old, (time.time() - 9 * DAY,) * 2)
    row = StoredFile(path=path, bytes=7, sha256=hashlib.sha256(b"weights").hexdigest())
    with database.transaction() as session:
        record_artefact(session, lease, "weights.safetensors", row)
    collect(database, store, grace_seconds=DAY)
    JobFiles(store, lease.job_id).drop_checkpoints()
    assert store.open(row) == old


def test_a_checkpoint_and_an_artefact_wait_for_a_store_that_is_away(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lease = Store.in_folder(tmp_path), claimed(database)
    real, calls = store.place.put, list[str]()

    def flaky(file: Path, path: str) -> None:
        calls.append(path)
        if len(calls) % 3:
            raise StoreDown("the store is out of reach: no route")
        real(file, path)

    monkeypatch.setattr(store.place, "put", flaky)
    monkeypatch.setattr(fenced, "RETRY_SECONDS", 0.01)
    progress = FencedProgress(database, lease, JobFiles(store, lease.job_id), Stop())
    progress.checkpoint("train", 3, lambda file: file.write_text("state") and None)
    progress.keep("weights", lambda file: file.write_text("weights") and None)
    assert len(calls) == 6
    found = progress.resume()
    assert found is not None
    assert (found.epoch, found.file.read_text()) == (3, "state")
    monkeypatch.setattr(store.place, "put", lambda file, path: (_ for _ in ()).throw(StoreDown("still away")))
    with pytest.raises(StoreDown, match="still away"):
        fenced.until_stored(lambda: store.write(lambda file: file.touch()), seconds=0.05)
    assert [entry.path for entry in store.entries("incoming")] == []
