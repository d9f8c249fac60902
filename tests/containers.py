"""Dockerfile and docker-compose.yml as data: what an image is made of, and what a container of a service is given."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
Instructions = list[tuple[str, str]]
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def with_defaults(value: Any) -> Any:
    """The file as Compose reads it where no variable is set: `${NAME:-default}` is its default."""
    match value:
        case dict():
            return {name: with_defaults(one) for name, one in value.items()}
        case list():
            return [with_defaults(one) for one in value]
        case str():
            return DEFAULT.sub(lambda found: found[1], value)
    return value


COMPOSE: dict[str, Any] = with_defaults(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text()))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = tuple(name for name, service in SERVICES.items() if "build" in service)
WORKERS = tuple(name for name in OURS if SERVICES[name]["build"]["target"] == "worker")


def read_dockerfile() -> dict[str, Instructions]:
    """Every stage by its name: its instructions in order, `FROM` first, continued lines joined."""
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    stages: dict[str, Instructions] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, arguments = line.split(maxsplit=1)
            if word == "FROM":
                base, _, name = arguments.partition(" AS ")
                current = stages.setdefault(name, [])
                arguments = base
            current.append((word, arguments.strip()))
    return stages


STAGES = read_dockerfile()


def made_of(stage: str) -> Instructions:
    """The instructions of a stage after those of the stages that it stands on; `FROM` names the image below all."""
    (_, base), *rest = STAGES[stage]
    return [*(made_of(base) if base in STAGES else [("FROM", base)]), *rest]


def of(word: str, instructions: Instructions) -> list[str]:
    """The arguments of every such instruction."""
    return [arguments for name, arguments in instructions if name == word]


def image_environment(target: str) -> dict[str, str]:
    """What every process of an image finds in its environment."""
    instructions = made_of(target)
    pairs = [pair.partition("=")[::2] for arguments in of("ENV", instructions) for pair in shlex.split(arguments)]
    defaults = dict(arguments.partition("=")[::2] for arguments in of("ARG", instructions))
    return {name: re.sub(r"\$(\w+)", lambda m: defaults.get(m[1], m[0]), value) for name, value in pairs}


def environment(service: str) -> dict[str, str]:
    """What a container of this service finds in its environment, beside what every process has."""
    ours = image_environment(SERVICES[service]["build"]["target"]) if service in OURS else {}
    return {**ours, **SERVICES[service].get("environment", {})}


def command(service: str) -> list[str]:
    """What a container of this service runs: the image's entry point with the service's command."""
    given = SERVICES[service]
    assert "entrypoint" not in given, "the image's"
    return [*json.loads(of("ENTRYPOINT", made_of(given["build"]["target"]))[-1]), *given["command"]]


def writable(service: str) -> list[str]:
    """The directories that a container of this service can write to."""
    given = SERVICES[service]
    volumes = [volume.split(":")[1] for volume in given.get("volumes", ())]
    return [*volumes, *(mount.split(":")[0] for mount in given.get("tmpfs", ()))]


def seconds(period: str) -> float:
    """`1m30s` as seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    parts = re.findall(r"(\d+)([hms])", period)
    assert "".join(number + unit for number, unit in parts) == period, period
    return sum(int(number) * units[unit] for number, unit in parts)
