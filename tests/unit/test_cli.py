"""The command `demo` without a service: what it reports, and with which exit status."""

from pathlib import Path
from typing import Any, Self

import pytest
from rich.console import Console
from typer.testing import CliRunner

import app.demo
from app.cli import cli
from app.demo import DemoFailed
from app.embedded import DataRootBusy
from app.settings import Settings


class Stage:
    """Stands in for the service: where the demo is told to play, and whether it was ended."""

    started: list["Stage"]
    refusal: Exception | None = None

    def __init__(self, settings: Settings, **_: Any) -> None:
        self.settings, self.ended, self.failure = settings, False, None
        self.url, self.logs = "http://127.0.0.1:1", settings.data_root / "logs"
        self.started.append(self)

    def places(self) -> list[tuple[str, str]]:
        return [("API", self.url)]

    def __enter__(self) -> Self:
        if self.refusal is not None:
            raise self.refusal
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> type[Stage]:
    monkeypatch.setattr(Stage, "started", [], raising=False)
    monkeypatch.setattr("app.cli.Service", Stage)
    return Stage


def test_the_demo_plays_on_a_service_of_its_own(
    stage: type[Stage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played: list[str] = []

    def play(url: str, console: Console) -> None:
        assert not stage.started[0].ended
        played.append(url)

    monkeypatch.setattr(app.demo, "run", play)
    monkeypatch.setenv("CELLAR_HOST", "0.0.0.0")
    monkeypatch.setenv("CELLAR_PORT", "8000")
    monkeypatch.setenv("CELLAR_WORKERS", "0")
    result = CliRunner().invoke(cli, ["demo", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    (service,) = stage.started
    assert played == [service.url]
    assert service.ended
    settings = service.settings
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 0, 1), "on a free port, with a worker"
    assert settings.data_root == tmp_path


def test_a_step_that_fails_is_the_exit_status(
    stage: type[Stage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(url: str, console: Console) -> None:
        raise DemoFailed("the search did not succeed")

    monkeypatch.setattr(app.demo, "run", fail)
    result = CliRunner().invoke(cli, ["demo", "--data-dir", str(tmp_path), "--port", "8123"])
    assert result.exit_code == 1
    assert "the search did not succeed" in result.output
    assert str(tmp_path / "logs") in result.output
    assert stage.started[0].ended
    assert stage.started[0].settings.port == 8123


def test_a_service_that_does_not_start_is_the_exit_status(
    stage: type[Stage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stage, "refusal", DataRootBusy(tmp_path, 4711, "cellar up"))
    result = CliRunner().invoke(cli, ["demo", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "in use by process 4711 (cellar up)" in result.output


def test_a_value_that_is_refused_is_shown_unless_it_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLAR_PORT", "70000")
    monkeypatch.setenv("DATABASE_URL", "mysql://u:hunter2@h/d")
    result = CliRunner().invoke(cli, ["api"])
    assert result.exit_code == 1
    assert "CELLAR_PORT: Input should be less than or equal to 65535, not '70000'" in result.output
    assert "DATABASE_URL: " in result.output
    assert "hunter2" not in result.output
