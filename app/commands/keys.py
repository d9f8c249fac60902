"""`cellar keys`: who may come in. What is done here is in the audit log as done by nobody's key."""

import getpass
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from app.commands.opening import DataDir, catalogue, fail

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.catalogue import AccessKey, KeyScope

HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
OWNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

commands = typer.Typer(name="keys", no_args_is_help=True, help="Make, list, rotate and revoke the keys of the service.")

Id = Annotated[str, typer.Argument(help="Id of the key: its second part.")]


@commands.command()
def add(
    owner: Annotated[str, typer.Option(help="Whom everything belongs to that is made with it.")],
    scopes: Annotated[str, typer.Option(help="What it allows: read, submit, write, metrics, admin.")] = "read,submit",
    title: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[float | None, typer.Option(min=0.001, max=3650, help="How long it lasts.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key, and print it: nobody can show it again."""
    from app.catalogue import keys

    if OWNER.fullmatch(owner) is None:
        fail(f"--owner {owner!r} is not a name: small letters, digits, '.', '_' and '-', 64 at most")
    wanted = _scopes(scopes)
    with catalogue("cellar keys", data_dir) as (_, database), database.transaction() as session:
        lasts = None if days is None else days * DAY_SECONDS
        key, token = keys.add(session, owner=owner, scopes=wanted, title=title, lasts_seconds=lasts)
        _note(session, "key.add", key, of=owner, scopes=" ".join(key.scopes))
    typer.echo(f"The key {key.id} of {owner} may {', '.join(key.scopes)}. This is shown once:", err=True)
    typer.echo(str(token))


@commands.command("list")
def listing(
    owner: Annotated[str | None, typer.Option(help="Only keys of this owner.")] = None, data_dir: DataDir = None
) -> None:
    """List keys, the newest first; their secrets are not kept."""
    from app.catalogue import keys

    after: tuple[datetime, str] | None = None
    with catalogue("cellar keys", data_dir) as (_, database), database.transaction() as session:
        while page := keys.listing(session, owner=owner, after=after):
            for key in page:
                typer.echo(_line(key))
            after = page[-1].created_at, page[-1].id


@commands.command()
def rotate(
    id: Id,
    overlap_hours: Annotated[float, typer.Option(min=0, max=720, help="How long the last secret stays good.")] = 24.0,
    data_dir: DataDir = None,
) -> None:
    """Give a key a new secret, and print it: nobody can show it again."""
    from app.catalogue import keys

    with catalogue("cellar keys", data_dir) as (_, database), database.transaction() as session:
        rotated = keys.rotate(session, id, overlap_seconds=overlap_hours * HOUR_SECONDS)
        if rotated is None:
            fail(f"there is no valid key {id!r}")
        key, token = rotated
        _note(session, "key.rotate", key, overlap_s=overlap_hours * HOUR_SECONDS)
    typer.echo(f"The last secret of {key.id} is good until {key.previous_until:%Y-%m-%d %H:%M} UTC.", err=True)
    typer.echo(str(token))


@commands.command()
def revoke(id: Id, data_dir: DataDir = None) -> None:
    """Revoke a key: within 10 seconds it opens nothing any more."""
    from app.catalogue import keys

    with catalogue("cellar keys", data_dir) as (_, database), database.transaction() as session:
        key = keys.revoke(session, id)
        if key is None:
            fail(f"there is no key {id!r}")
        _note(session, "key.revoke", key)
    typer.echo(f"The key {key.id} of {key.owner} opens nothing from {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC on.")


def _scopes(written: str) -> list["KeyScope"]:
    from app.catalogue import KeyScope

    allowed: tuple[KeyScope, ...] = get_args(KeyScope)
    names = [name.strip() for name in written.split(",") if name.strip()]
    if wrong := [name for name in names if name not in allowed]:
        fail(f"--scopes: {', '.join(map(repr, wrong))}: there are {', '.join(allowed)}")
    return [scope for scope in allowed if scope in names] or fail(f"--scopes: name some of {', '.join(allowed)}")


def _line(key: "AccessKey") -> str:
    ends = "" if key.expires_at is None else f", until {key.expires_at:%Y-%m-%d}"
    state = "revoked" if key.revoked_at is not None else f"may {','.join(key.scopes)}{ends}"
    used = "never used" if key.used_at is None else f"used {key.used_at:%Y-%m-%d %H:%M}"
    return f"{key.id}  {key.owner:<16}  {state}; {used}  {key.title}".rstrip()


def _note(session: "Session", action: str, key: "AccessKey", **details: Any) -> None:
    from app.catalogue import audit

    audit.record(
        session, action=action, subject=f"/v1/keys/{key.id}", by=f"command line, {getpass.getuser()}", **details
    )
