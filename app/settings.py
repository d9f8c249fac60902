"""What a deployment may decide, as one typed value read once at each composition root."""

import ipaddress
import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict


def default_data_root() -> Path:
    """The data root of a user who names none: /var/lib/cellar for root, else the user's own data directory.

    Root's lies outside root's home, because the engines run as another account that may not enter there.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/cellar")
    home = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification has relative values ignored.
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "cellar"


def default_cache_root() -> Path:
    """Where a user who names no place keeps what can be made again: /var/cache/cellar for root, else the user's own."""
    if os.geteuid() == 0:
        return Path("/var/cache/cellar")
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "cellar"


@cache
def installed_version() -> str:
    """Version of this code as recorded with every evaluation, e.g. ``0.1.0`` or, from a checkout, ``0.1.0+9441981``.

    A checkout with changes that are not committed ends in ``.dirty``.
    """
    checkout = Path(__file__).resolve().parent.parent
    release = version("cellar")
    if not (checkout / ".git").exists():
        return release
    try:
        described = subprocess.run(  # PATH is from who starts us  # nosec B607
            ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=.dirty"],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=10,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return release  # no git here, or a checkout that belongs to somebody else
    return f"{release}+{described.stdout.strip()}"


RATE = r"^[1-9][0-9]{0,8}/(second|minute|hour)$"
"""How a rate is written: ``3000/minute``."""


class Settings(BaseSettings):
    """Every setting of every process, from the environment: ``CELLAR_PORT``, ``CELLAR_WORKERS``, ...

    Only the two URLs have plain names, ``DATABASE_URL`` and ``REDIS_URL``, as most hosts set them. Where one is
    missing the embedded engine takes its place. Where a variable is not set, one with ``_FILE`` after its name may
    name a file that holds the value, as secrets reach a container: ``CELLAR_STORE_SECRET_FILE``.
    """

    model_config = SettingsConfigDict(
        env_prefix="CELLAR_", populate_by_name=True, frozen=True, extra="forbid", env_ignore_empty=True
    )

    database_password: str | None = Field(
        default=None, repr=False, description="password for the database, where DATABASE_URL holds none"
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        validation_alias="DATABASE_URL",
        description="PostgreSQL, e.g. postgresql://user:password@host:5432/cellar; the embedded one where unset",
    )
    redis_url: str | None = Field(
        default=None,
        repr=False,
        validation_alias="REDIS_URL",
        description="Valkey or Redis, e.g. redis://host:6379/0; the embedded one where unset",
    )
    data_root: Path = Field(
        default_factory=default_data_root,
        description="directory of everything that is kept: engines, artefacts, data sets, logs",
    )
    cache_root: Path = Field(
        default_factory=default_cache_root,
        description="directory of what can be made again, and may be removed at any time: compiled kernels",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address on which the API listens")
    port: int = Field(default=8000, ge=0, le=65535, description="port on which the API listens; 0 takes a free one")
    workers: int = Field(default=1, ge=0, le=256, description="worker processes that `cellar up` keeps running")
    lease_seconds: float = Field(default=30.0, gt=0, description="how long a worker holds a job without a heartbeat")
    reconcile_seconds: float = Field(default=5.0, gt=0, description="pause between two rounds of the reconciler")
    max_queued_jobs: int = Field(
        default=100_000, ge=1, description="submitted jobs that may be queued at once, of all owners together"
    )
    quota_queued_jobs: int = Field(
        default=20_000, ge=0, description="the same of one owner; `cellar quotas set` gives an owner another limit"
    )
    quota_gpu_hours: float | None = Field(
        default=None, ge=0, description="GPU hours of an owner in a period; unlimited where unset"
    )
    quota_gpu_days: float = Field(default=30.0, gt=0, description="length of that period, which ends now, in days")
    quota_storage_bytes: int | None = Field(
        default=None, ge=0, description="bytes of an owner's kept files and data sets; unlimited where unset"
    )
    quota_priority: int = Field(
        default=10, ge=0, le=100, description="highest priority that an owner may give a job; 100 is the highest of all"
    )
    max_attempts: int = Field(default=3, ge=1, description="attempts after which a job has failed for good")
    store_url: str | None = Field(
        default=None,
        pattern=r"^(s3://[^/]+|file:///[^/]).*$",
        description="where artefacts are kept: s3://bucket/prefix or file:///folder; in the data root where unset",
    )
    store_endpoint: str | None = Field(
        default=None, description="of a store that speaks S3 and is not Amazon's, e.g. http://minio:9000"
    )
    store_key_id: str | None = Field(
        default=None, description="access key of the store; where unset, what the machine's AWS setup says"
    )
    store_secret: str | None = Field(default=None, repr=False, description="secret of the store's access key")
    store_region: str | None = Field(default=None, description="region of the store's bucket")
    store_grace_hours: float = Field(
        default=24.0,
        gt=0,
        description="how long a stored file that nothing names is left alone; longer than any upload takes",
    )
    upkeep_hours: float = Field(
        default=24.0,
        ge=0,
        description="pause between two upkeeps, which remove stored files that nothing names and old history; 0: none",
    )
    history_days: float = Field(
        default=400.0,
        ge=1,
        description="how long the audit log is kept, and events and idempotency keys of final jobs",
    )
    max_upload_bytes: int = Field(
        default=1 << 30, ge=1 << 20, description="bytes that an upload of a data set may have; any other body has 1 MiB"
    )
    max_dataset_bytes: int = Field(
        default=2 << 30, ge=1 << 20, description="bytes that the pixels of a data set may take in memory"
    )
    native: Literal["auto", "off", "require"] = Field(
        default="auto",
        description="kernels for supernets on processors: auto compiles them once where a compiler is there and no "
        "GPU is, off never, require fails a search that cannot have them",
    )
    code_version: str = Field(
        default_factory=installed_version, min_length=1, description="recorded with every evaluation"
    )
    streams: int = Field(default=1024, ge=1, description="event streams that an API process holds open at once")
    streams_per_caller: int = Field(
        default=256, ge=1, description="the same for one key, or one address where keys are not asked for"
    )
    allow_open: bool = Field(
        default=False, description="listen beyond the loopback address, although nobody is asked for a key"
    )
    require_keys: bool = Field(
        default=False,
        description="ask for a key on a loopback address too, e.g. behind a proxy on this machine; on any other "
        "address a key is asked for unless allow_open says that something else keeps strangers out",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description='addresses or networks of proxies whose X-Forwarded-For is believed, as JSON: ["10.0.0.0/8"]',
    )
    key_rate: str = Field(
        default="3000/minute", pattern=RATE, description="requests of one key, counted in each API process"
    )
    address_rate: str = Field(
        default="6000/minute", pattern=RATE, description="requests of one address where keys are asked for"
    )
    refused_rate: str = Field(default="30/minute", pattern=RATE, description="bad keys that one address may show")
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description='further names of this service in the Host header, as JSON: ["nas.example.org"]; a loopback '
        "address is always answered by its own names, on any other address an empty list answers to every name",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description='origins whose pages may call this service, as JSON: ["https://lab.example.org"]'
    )
    extra_kinds: Mapping[str, str] = Field(
        default_factory=dict[str, str],
        description='job kinds that workers know beside their own, as JSON: {"kind": "module:function"}',
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files that it names."""
        files = EnvSettingsSource(settings_cls)
        files.env_vars = _named_files()
        return init_settings, env_settings, files

    @field_validator("database_url")
    @classmethod
    def _speaks_psycopg(cls, url: str | None, info: ValidationInfo) -> str | None:
        """Hosts write ``postgres://`` or ``postgresql://``; SQLAlchemy is told which driver that means here."""
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
            raise ValueError(f"{scheme}:// is not PostgreSQL: a URL starts with postgresql://")
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if (password := info.data.get("database_password")) is not None and ":" not in user:
            if not user:
                raise ValueError("names no user, and a password is given: write postgresql://user@host:5432/name")
            rest = f"{user}:{quote(password, safe='')}{at}{rest.removeprefix(user + at)}"
        return f"postgresql+psycopg://{rest}"

    @field_validator("redis_url")
    @classmethod
    def _speaks_redis(cls, url: str | None) -> str | None:
        if url is None:
            return None
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in ("redis", "rediss", "redis+socket"):
            raise ValueError(
                f"{scheme}:// is not Valkey or Redis: a URL starts with redis://, rediss:// or redis+socket://"
            )
        return url

    @field_validator("data_root", "cache_root")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return Path(os.path.abspath(path.expanduser()))

    @property
    def asks_for_keys(self) -> bool:
        """Whether a request needs a key: everywhere but on a loopback address, unless it is said otherwise."""
        return self.require_keys or not (self.allow_open or self.host == "localhost" or is_loopback(self.host))

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process that reads them with `load_settings`."""
        variables: dict[str, str] = {}
        for name, value in self.model_dump(mode="json").items():
            if value is not None:
                variables[VARIABLES[name]] = json.dumps(value) if isinstance(value, list | dict) else str(value)
        return variables


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


VARIABLES: Mapping[str, str] = {
    name: field.validation_alias if isinstance(field.validation_alias, str) else f"CELLAR_{name.upper()}"
    for name, field in Settings.model_fields.items()
}
"""The environment variable of each setting, by the setting's name."""

SECRET = frozenset(VARIABLES[name] for name, field in Settings.model_fields.items() if not field.repr)
"""Those whose values are not for logs or messages."""


def load_settings(**given: object) -> Settings:
    """Read the environment and the files that it names; what is given wins over them. For composition roots only:
    nothing below reads them.

    Raises:
        pydantic.ValidationError: a value is not allowed, or a file cannot be read; the error names the setting.
    """
    return Settings(**given)  # pyright: ignore[reportArgumentType]


def _named_files() -> dict[str, str]:
    """What the files hold that variables ending in ``_FILE`` name, by the variable that each stands for."""
    found: dict[str, str] = {}
    for variable in VARIABLES.values():
        file = os.environ.get(f"{variable}_FILE")
        if file and not os.environ.get(variable):
            try:
                found[variable.lower()] = Path(file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                says = PydanticCustomError("file", "cannot be read: {error}", {"error": str(error)})
                fault = InitErrorDetails(type=says, loc=(f"{variable}_FILE",), input=file)
                raise ValidationError.from_exception_data("Settings", [fault]) from error
    return found
