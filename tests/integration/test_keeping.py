"""The commands about what is kept, on engines that run already."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.catalogue import Database, artefacts
from app.cli import cli
from app.jobs import submit
from app.store import Store

RUN = CliRunner()


@pytest.fixture
def store(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Of one artefact, and one object that nothing names and that is two days old."""
    root = tmp_path / "root"
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(root))
    store = Store.in_folder(root)
    named = store.write(lambda file: file.write_text("named") and None)
    with database.transaction() as session:
        job = submit(session, kind="training", request={}, owner="ada", queue="cpu").job
        artefacts.keep(
            session, job_id=job.id, name="weights", fence=1, path=named.path, bytes=named.bytes, sha256=named.sha256
        )
    old = store.place.local(store.write(lambda file: file.write_text("nothing's") and None).path)
    assert old is not None
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    return store


def said(*arguments: str, fails: bool = False) -> str:
    result = RUN.invoke(cli, arguments)
    assert result.exit_code == int(fails), result.output
    return result.output


def test_verify_names_what_is_damaged_and_fails(store: Store) -> None:
    assert "1 files read, 0 missing or damaged" in said("verify")
    (path,) = [entry.path for _, entry in store.objects() if entry.bytes == 5]
    file = store.place.local(path)
    assert file is not None
    file.write_text("NAMED")
    shown = said("verify", fails=True)
    assert f"{path} is damaged" in shown
    assert "weights of job" in shown
    file.unlink()
    assert f"{path} is not in the store" in said("verify", fails=True)


def test_gc_removes_what_it_said_that_it_would(store: Store) -> None:
    assert "1 objects (9 bytes) and 0 leftovers would go; 1 stay" in said("gc", "--dry-run")
    assert len(list(store.objects())) == 2
    assert "1 objects (9 bytes) and 0 leftovers gone; 1 stay" in said("gc")
    assert len(list(store.objects())) == 1


def test_a_backup_is_restored_elsewhere_once(
    store: Store, new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1 files are in" in said("backup", str(tmp_path / "backup"))
    assert "is not empty" in said("backup", str(tmp_path / "backup"), fails=True)
    assert "has rows" in said("restore", str(tmp_path / "backup"), fails=True)
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "elsewhere"))
    assert "is restored" in said("restore", str(tmp_path / "backup"))
    assert "1 files read, 0 missing or damaged" in said("verify")
    assert "holds no backup" in said("restore", str(tmp_path), fails=True)
