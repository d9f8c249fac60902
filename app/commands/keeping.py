"""The commands about what is kept: verify it, collect what nothing names, back it up, restore it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.opening import DataDir, catalogue, fail
from app.settings import Settings

if TYPE_CHECKING:
    from app.catalogue import Database
    from app.store import Store

commands = typer.Typer()

Directory = Annotated[Path, typer.Argument(help="Directory of the backup.", file_okay=False)]


@commands.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Remove stored files that nothing names and that are older than CELLAR_STORE_GRACE_HOURS."""
    from app.jobs import collect

    with _opened("cellar gc", data_dir) as (settings, database, store):
        done = collect(database, store, grace_seconds=settings.store_grace_hours * 3600, dry_run=dry_run)
    would = "would go" if dry_run else "gone"
    typer.echo(f"{done.objects} objects ({done.bytes} bytes) and {done.leftovers} leftovers {would}; {done.kept} stay.")


@commands.command()
def verify(data_dir: DataDir = None) -> None:
    """Read every stored file that a row names, and name those that are missing or damaged; fails if there are any."""
    from app.catalogue import artefacts
    from app.store import DamagedObject, MissingObject, StoredFile

    wrong = read = 0
    last = ""
    with _opened("cellar verify", data_dir) as (_, database, store), database.transaction() as session:
        for artefact in artefacts.every(session):
            if artefact.path != last:
                read, last = read + 1, artefact.path
                try:
                    store.open(StoredFile(path=artefact.path, bytes=artefact.bytes, sha256=artefact.sha256))
                except (MissingObject, DamagedObject) as error:
                    wrong += 1
                    typer.echo(f"{error}: {artefact.name} of job {artefact.job_id}")
    typer.echo(f"{read} files read, {wrong} missing or damaged.")
    if wrong:
        raise typer.Exit(1)


@commands.command()
def backup(directory: Directory, data_dir: DataDir = None) -> None:
    """Write everything that is kept to a new directory; the service may run meanwhile."""
    from app.backup import back_up

    with _opened("cellar backup", data_dir) as (settings, database, store):
        made = back_up(database, store, settings.data_root, directory, code_version=settings.code_version)
    rows, files = sum(table.rows for table in made.tables), len(made.stored) + len(made.data)
    typer.echo(f"{rows} rows and {files} files are in {directory}.")
    if made.without:
        typer.echo(f"{len(made.without)} checkpoints were replaced meanwhile: their jobs would start over.")


@commands.command()
def restore(directory: Directory, data_dir: DataDir = None) -> None:
    """Restore a backup into an empty set-up; jobs that ran are queued again."""
    from app.backup import restore as put_back

    with _opened("cellar restore", data_dir) as (settings, database, store):
        manifest = put_back(database, store, settings.data_root, directory)
    typer.echo(f"The backup of {manifest.made_at} is restored.")


@contextmanager
def _opened(command: str, data_dir: Path | None) -> Generator[tuple[Settings, "Database", "Store"]]:
    """The catalogue and the store; what goes wrong with them is said and ends the command with status 1."""
    from app.backup import BackupError
    from app.store import StoreError, open_store

    try:
        with catalogue(command, data_dir) as (settings, database):
            yield settings, database, open_store(settings)
    except (BackupError, StoreError) as error:
        fail(str(error))
