"""`cellar quotas`: what one owner may use, where it is not what everybody may."""

import getpass
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.opening import DataDir, catalogue, fail
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

commands = typer.Typer(name="quotas", no_args_is_help=True, help="Set and show what owners may use.")


@commands.command("set")
def put(
    owner: Annotated[str, typer.Argument(help="Whose limits.")],
    queued_jobs: Annotated[int | None, typer.Option(min=0, help="Submitted jobs queued at once.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0, help="GPU hours in a period.")] = None,
    storage_bytes: Annotated[int | None, typer.Option(min=0, help="Bytes of files and data sets.")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=100, help="The highest priority of a job.")] = None,
    reset: Annotated[bool, typer.Option(help="Forget the owner's own limits first.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Give an owner limits of their own; those that are not named stay."""
    from app.catalogue import Quota, audit, quotas

    asked = Quota(queued_jobs=queued_jobs, gpu_hours=gpu_hours, storage_bytes=storage_bytes, priority=priority)
    given = {name: value for name, value in asdict(asked).items() if value is not None}
    if not given and not reset:
        fail("name a limit to set, or --reset")
    with catalogue("cellar quotas", data_dir) as (settings, database), database.transaction() as session:
        before = Quota() if reset else quotas.of_owner(session, owner)
        quotas.put(session, owner, replace(before, **given))
        by = f"command line, {getpass.getuser()}"
        audit.record(session, action="quota.set", subject=f"owner {owner}", by=by, reset=reset, **given)
        typer.echo(_line(session, settings, owner))


@commands.command()
def show(
    owner: Annotated[str | None, typer.Argument(help="Whose; all that have limits of their own where unset.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Show limits and use, one owner a line."""
    from app.catalogue import quotas

    with catalogue("cellar quotas", data_dir) as (settings, database), database.transaction() as session:
        for name in [owner] if owner is not None else quotas.own_limits(session):
            typer.echo(_line(session, settings, name))


def _line(session: "Session", settings: Settings, owner: str) -> str:
    from app.jobs import limits_of, usage_of

    limits = limits_of(session, settings, owner)
    used = usage_of(session, limits, owner)
    hours = "unlimited" if limits.gpu_hours is None else f"{limits.gpu_hours:g}"
    stored = "unlimited" if limits.storage_bytes is None else str(limits.storage_bytes)
    return (
        f"{owner:<16}  queued jobs {used.queued_jobs} of {limits.queued_jobs}; "
        f"GPU hours in {limits.gpu_days:g} days {used.gpu_hours:.2f} of {hours}; "
        f"bytes {used.storage_bytes} of {stored}; priority up to {limits.priority}"
    )
