"""What a backup holds. It is written last: a directory without one holds no backup."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.backup.errors import DamagedBackup, NoBackup
from app.catalogue.snapshot import TableRows
from app.store import DamagedObject, StoredFile
from app.store.files import plain, verify

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything in a backup, with its size and its sha256."""

    format: int
    code_version: str  # that made it
    revision: str  # of the tables
    made_at: str  # ISO 8601, UTC
    tables: tuple[TableRows, ...]  # in the order in which they are read; files `tables/<name>.copy`
    stored: tuple[StoredFile, ...]  # files of the store, below `store/`
    data: tuple[StoredFile, ...]  # other files of the data root, below `data/`
    without: tuple[str, ...]  # paths of checkpoints that were replaced while they were copied

    def write(self, directory: Path) -> None:
        """Make the directory a backup."""
        partial = directory / f"{NAME}.partial"
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.replace(directory / NAME)

    def files(self) -> Iterator[tuple[StoredFile, str]]:
        """Every file with its place in the backup."""
        for table in self.tables:
            place = f"tables/{table.name}.copy"
            yield StoredFile(path=place, bytes=table.bytes, sha256=table.sha256), place
        for file in self.stored:
            yield file, f"store/{file.path}"
        for file in self.data:
            yield file, f"data/{file.path}"

    def verify(self, directory: Path) -> None:
        """Read every file. Raises DamagedBackup, which names all that are wrong."""
        wrong: list[str] = []
        for file, place in self.files():
            try:
                verify(directory / place, StoredFile(path=place, bytes=file.bytes, sha256=file.sha256))
            except DamagedObject as error:
                wrong.append(str(error))
            except OSError as error:
                wrong.append(f"{place} cannot be read: {error.strerror}")
        if wrong:
            raise DamagedBackup(f"the backup in {directory} is damaged:\n" + "\n".join(wrong))


def read(directory: Path) -> Manifest:
    """What a directory holds. Raises NoBackup."""
    try:
        given = json.loads((directory / NAME).read_text())
    except FileNotFoundError as error:
        raise NoBackup(f"{directory} holds no backup, or one that was cut off: it has no {NAME}") from error
    except (OSError, ValueError) as error:
        raise NoBackup(f"{directory / NAME} cannot be read: {error}") from error
    try:
        if given["format"] != FORMAT:
            raise NoBackup(f"the backup in {directory} has format {given['format']}, and {FORMAT} is known here")
        return Manifest(
            format=FORMAT,
            code_version=str(given["code_version"]),
            revision=str(given["revision"]),
            made_at=str(given["made_at"]),
            tables=tuple(map(_table, given["tables"])),
            stored=tuple(map(_file, given["stored"])),
            data=tuple(map(_file, given["data"])),
            without=tuple(map(str, given["without"])),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise NoBackup(f"{directory / NAME} is not the manifest of a backup: {error!r}") from error


def _table(given: Mapping[str, Any]) -> TableRows:
    name = str(given["name"])
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not the name of a table")
    return TableRows(
        name=name,
        columns=tuple(map(str, given["columns"])),
        rows=int(given["rows"]),
        bytes=int(given["bytes"]),
        sha256=str(given["sha256"]),
    )


def _file(given: Mapping[str, Any]) -> StoredFile:
    return StoredFile(path=plain(given["path"]), bytes=int(given["bytes"]), sha256=str(given["sha256"]))
