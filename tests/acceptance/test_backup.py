"""A backup taken while jobs run, restored into an empty set-up where they finish."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from app.backup import BackupError, DamagedBackup, NoBackup, NotAnEmptySetup, back_up, restore
from app.catalogue import Database, artefacts
from app.jobs import submit
from app.store import Store, StoredFile

REQUEST = {"epochs": 6, "steps": 4, "seconds": 0.1}
MOVING = ("jobs", "job_events", "outbox")  # a job that ran is queued again, and an event says so


@pytest.fixture
def elsewhere(new_database: Callable[[], str]) -> Iterator[Database]:
    """Another database, empty."""
    opened = Database(new_database())
    yield opened
    opened.dispose()


def contents(database: Database, manifest: Any) -> dict[str, list[str]]:
    """Every table of a backup, row by row as text."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        return {
            table.name: sorted(
                row[0]
                for row in connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table.name)))
            )
            for table in manifest.tables
        }


def kept(database: Database, store: Store, job: Any) -> tuple[str, bytes]:
    with database.transaction() as session:
        (row,) = artefacts.of_job(session, job)
    return row.path, store.open(StoredFile(path=row.path, bytes=row.bytes, sha256=row.sha256)).read_bytes()


def test_jobs_that_ran_when_a_backup_was_made_finish_where_it_is_restored(
    workplace: Any, elsewhere: Database, redis_url: str, tmp_path: Path
) -> None:
    here, there = Store.in_folder(workplace.data_root), Store.in_folder(tmp_path / "there")
    (tmp_path / "there").mkdir()
    for path in ("api/secret", "images/0123.safetensors", "datasets/fashion_mnist/train"):
        file = workplace.data_root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    workplace.worker("--no-spare")
    ended = workplace.submit(REQUEST | {"epochs": 1})
    ran = workplace.submit(REQUEST)
    waits = workplace.submit(REQUEST | {"epochs": 1})
    workplace.until(lambda: len(workplace.epochs(ran)) >= 2)
    saved = back_up(workplace.database, here, workplace.data_root, tmp_path / "backup", code_version="test")
    assert workplace.job(ran).state == "running"
    with pytest.raises(BackupError, match="is not empty"):
        back_up(workplace.database, here, workplace.data_root, tmp_path / "backup", code_version="test")
    for id in (ran, waits):
        workplace.until_final(id)
    workplace.stop()

    assert restore(elsewhere, there, tmp_path / "there", tmp_path / "backup") == saved
    before, after = contents(workplace.database, saved), contents(elsewhere, saved)
    for table in before.keys() - {*MOVING, "artefacts", "metrics", "checkpoints", "gpu_leases"}:
        assert before[table] == after[table], table
    assert kept(elsewhere, there, ended) == kept(workplace.database, here, ended)
    for path in ("api/secret", "images/0123.safetensors", "datasets/fashion_mnist/train"):
        assert (tmp_path / "there" / path).read_text() == path
    second = type(workplace)(elsewhere, redis_url, tmp_path / "there")
    second.start()
    try:
        assert (second.job(ran).state, second.job(ran).attempt) == ("queued", 0)
        assert second.job(ended) == workplace.job(ended)
        second.worker("--no-spare")
        for id in (ran, waits):
            job = second.until_final(id)
            assert (job.state, job.result) == ("succeeded", workplace.job(id).result)
            assert second.epochs(id) == workplace.epochs(id)
            assert kept(elsewhere, there, id) == kept(workplace.database, here, id)
    finally:
        second.stop()


@pytest.fixture
def made(database: Database, tmp_path: Path) -> Path:
    """A backup of one job with two artefacts of equal content."""
    root = tmp_path / "root"
    store = Store.in_folder(root)
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    stored = store.put(file)
    with database.transaction() as session:
        job = submit(session, kind="tally", request={"text": "a\tb\\n\nü"}, owner="ada", queue="cpu").job
        for name in ("first", "second"):
            artefacts.keep(
                session, job_id=job.id, name=name, fence=1, path=stored.path, bytes=stored.bytes, sha256=stored.sha256
            )
    manifest = back_up(database, store, root, tmp_path / "backup", code_version="test")
    assert [file.path for file in manifest.stored] == [stored.path]
    return tmp_path / "backup"


def target(tmp_path: Path) -> tuple[Store, Path]:
    root = tmp_path / "target"
    root.mkdir(exist_ok=True)
    return Store.in_folder(root), root


def test_a_damaged_backup_is_refused_before_anything_is_written(
    made: Path, elsewhere: Database, tmp_path: Path
) -> None:
    (object_,) = (path for path in (made / "store").rglob("*") if path.is_file())
    object_.write_bytes(b"weighty")
    (made / "tables" / "jobs.copy").unlink()
    store, root = target(tmp_path)
    with pytest.raises(DamagedBackup) as refused:
        restore(elsewhere, store, root, made)
    assert object_.relative_to(made).as_posix() in str(refused.value)
    assert "tables/jobs.copy" in str(refused.value)
    assert list(root.iterdir()) == []


def test_a_directory_without_its_manifest_or_with_a_foreign_one_is_no_backup(
    made: Path, elsewhere: Database, tmp_path: Path
) -> None:
    store, root = target(tmp_path)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["stored"][0]["path"] = "../../outside"
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(NoBackup, match="outside"):
        restore(elsewhere, store, root, made)
    (made / "manifest.json").unlink()
    with pytest.raises(NoBackup, match="has no manifest"):
        restore(elsewhere, store, root, made)


def test_tables_of_another_revision_are_refused_with_the_version_to_use(
    made: Path, elsewhere: Database, tmp_path: Path
) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    (made / "manifest.json").write_text(json.dumps(manifest | {"revision": "0001"}))
    with pytest.raises(BackupError, match=r"revision 0001.*the version that made it, test"):
        restore(elsewhere, *target(tmp_path), made)


def test_only_an_empty_set_up_is_restored_into(
    made: Path, database: Database, elsewhere: Database, tmp_path: Path
) -> None:
    store, root = target(tmp_path)
    with pytest.raises(NotAnEmptySetup, match="has rows"):
        restore(database, store, root, made)
    (root / "images").mkdir()
    (root / "images" / "mine").touch()
    with pytest.raises(NotAnEmptySetup, match="images"):
        restore(elsewhere, store, root, made)
    (root / "images" / "mine").unlink()
    restore(elsewhere, store, root, made)
    with pytest.raises(NotAnEmptySetup, match="has rows"):
        restore(elsewhere, store, root, made)


def test_a_restoration_that_was_cut_off_is_begun_again_but_no_other(
    made: Path, elsewhere: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, root = target(tmp_path)

    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("app.backup.restoring.load", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(elsewhere, store, root, made)
    (root / "restoring").rename(tmp_path / "marker")
    (root / "restoring").write_text(hashlib.sha256(b"another").hexdigest())
    with pytest.raises(NotAnEmptySetup, match="another backup was being restored"):
        restore(elsewhere, store, root, made)
    (tmp_path / "marker").replace(root / "restoring")
    restore(elsewhere, store, root, made)
    assert not (root / "restoring").exists()
    with elsewhere.transaction() as session:
        assert len(tuple(artefacts.every(session))) == 2
