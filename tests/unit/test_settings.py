"""Settings: where they come from, what they refuse, and that a child process reads what its parent wrote."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import VARIABLES, Settings, default_data_root, installed_version, load_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_the_defaults_need_no_environment() -> None:
    settings = load_settings()
    assert (settings.database_url, settings.redis_url) == (None, None), "embedded engines"
    assert (settings.host, settings.port, settings.workers, settings.allow_open) == ("127.0.0.1", 8000, 1, False)
    assert settings.data_root == default_data_root()


def test_two_plain_names_and_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for name in VARIABLES.values() if not name.startswith("CELLAR_")} == {"DATABASE_URL", "REDIS_URL"}
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db/cellar")
    monkeypatch.setenv("REDIS_URL", "redis://broker:6379/0")
    monkeypatch.setenv("CELLAR_PORT", "8123")
    monkeypatch.setenv("CELLAR_WORKERS", "")  # as an orchestrator passes on what nobody set
    settings = load_settings()
    assert (settings.database_url, settings.redis_url) == (
        "postgresql+psycopg://u:p@db/cellar",
        "redis://broker:6379/0",
    )
    assert (settings.port, settings.workers) == (8123, 1)


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLAR_PORT", "8123")
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment/cellar")
    settings = load_settings(port=0, database_url="postgresql://given/cellar")
    assert (settings.port, settings.database_url) == (0, "postgresql+psycopg://given/cellar")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CELLAR_PORT", "65536", "less than or equal to 65535"),
        ("CELLAR_WORKERS", "-1", "greater than or equal to 0"),
        ("CELLAR_LEASE_SECONDS", "0", "greater than 0"),
        ("CELLAR_MAX_ATTEMPTS", "0", "greater than or equal to 1"),
        ("CELLAR_ALLOW_OPEN", "perhaps", "valid boolean"),
        ("CELLAR_EXTRA_KINDS", '["search"]', "valid dictionary"),
        ("DATABASE_URL", "mysql://db/cellar", "mysql:// is not PostgreSQL"),
        ("DATABASE_URL", "db/cellar", "is not PostgreSQL"),
        ("REDIS_URL", "amqp://broker", "amqp:// is not Valkey or Redis"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=says):
        load_settings()


def test_values_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, text in (("CELLAR_STORE_SECRET", "s3cret\n"), ("CELLAR_CORS_ORIGINS", '["https://lab.example.org"]')):
        (tmp_path / variable).write_text(text)
        monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / variable))
    settings = load_settings()
    assert (settings.store_secret, settings.cors_origins) == ("s3cret", ("https://lab.example.org",))
    monkeypatch.setenv("CELLAR_STORE_SECRET", "plain")
    assert load_settings().store_secret == "plain", "as a child process finds it, which inherits both"
    assert load_settings(store_secret="given").store_secret == "given"
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(ValidationError, match=r"DATABASE_URL_FILE\n.*cannot be read: .*none"):
        load_settings()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u@h:5432/d?sslmode=require", "u:p%40%2Fss@h:5432/d?sslmode=require"),
        ("postgresql://u@/d?host=/run/a@b", "u:p%40%2Fss@/d?host=/run/a@b"),
        ("postgresql://u:own@h/d", "u:own@h/d"),
    ],
)
def test_the_password_of_the_database(url: str, found: str) -> None:
    settings = load_settings(database_url=url, database_password="p@/ss")
    assert settings.database_url == f"postgresql+psycopg://{found}"
    assert load_settings(database_url=settings.database_url, database_password="p@/ss") == settings
    assert "p%40" not in repr(settings)
    assert "p@/ss" not in repr(settings)


def test_a_password_of_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="names no user"):
        load_settings(database_url="postgresql://h/d", database_password="p")


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        load_settings(prot=8000)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_one_driver(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://u:p@h:5433/d?sslmode=require")
    assert settings.database_url == "postgresql+psycopg://u:p@h:5433/d?sslmode=require"


def test_the_data_root_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_settings(data_root=Path("here/../there")).data_root == tmp_path / "there"
    assert load_settings(data_root=Path("~/data")).data_root == tmp_path / "home" / "data"


@pytest.mark.parametrize(
    ("uid", "environment", "place"),
    [
        (0, {"XDG_DATA_HOME": "/x"}, "/var/lib/cellar"),
        (1000, {}, "/home/ada/.local/share/cellar"),
        (1000, {"XDG_DATA_HOME": "/data"}, "/data/cellar"),
        (1000, {"XDG_DATA_HOME": "relative"}, "/home/ada/.local/share/cellar"),
    ],
)
def test_where_the_data_root_lies(
    monkeypatch: pytest.MonkeyPatch, uid: int, environment: dict[str, str], place: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_data_root() == Path(place)


def test_a_child_process_reads_the_same_settings(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql+psycopg://cellar:p%40ss@/cellar?host=/tmp/run",
        redis_url="redis+socket:///tmp/run/valkey.sock?virtual_host=0",
        data_root=tmp_path,
        port=8123,
        workers=3,
        lease_seconds=2.5,
        store_url="s3://cellar/objects",
        store_endpoint="http://minio:9000",
        store_key_id="key",
        store_secret="secret",
        database_password="p@ss",
        store_region="eu-west-1",
        quota_gpu_hours=1.5,
        quota_storage_bytes=1 << 40,
        allow_open=True,
        allowed_hosts=("nas.example.org", 'quo"te'),
        extra_kinds={"sleep": "tests.jobs:sleep"},
    )
    assert settings.environment().keys() == set(VARIABLES.values()), "every setting differs from None here"
    child = subprocess.run(
        [sys.executable, "-c", "from app.settings import *; print(load_settings().model_dump_json())"],
        env=settings.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert Settings.model_validate_json(child.stdout) == settings


def test_the_code_version_begins_with_the_release() -> None:
    release, _, commit = installed_version().partition("+")
    assert release.count(".") == 2
    checkout = Path(__file__).resolve().parents[2]
    described = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert commit.removesuffix(".dirty") == described.stdout.strip()
