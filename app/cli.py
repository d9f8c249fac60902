"""The command line: `up` for the whole service, and one command for each of its processes."""

import gc
import importlib.util
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.commands.data import commands as data_commands
from app.commands.keeping import commands as keeping_commands
from app.commands.keys import commands as keys_commands
from app.commands.opening import attached
from app.commands.quotas import commands as quotas_commands
from app.embedded import EnginesError
from app.listener import ListenError, listen, url_of
from app.settings import SECRET, VARIABLES, Settings, load_settings
from app.supervisor import Interrupted, Service, ServiceError, StopSignals, migrate_database, refuse_without_keys

IDLE_SECONDS = 75  # for which a connection is kept: longer than clients and proxies count on, or they meet its end
GRACE_SECONDS = 3
"""Time that open requests and event streams have when the API stops; clients resume a stream where it was cut."""

cli = typer.Typer(
    name="cellar",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with the values of variables would show passwords
)
cli.add_typer(keys_commands)
cli.add_typer(data_commands)
cli.add_typer(keeping_commands)
cli.add_typer(quotas_commands)

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one.", show_default="8000")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Where everything is kept.", show_default="/var/lib/cellar for root, else ~/.local/share/cellar"),
]
Workers = Annotated[int | None, typer.Option(help="Worker processes.", show_default="1")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cellar {version('cellar')}")
        raise typer.Exit


@cli.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Neural architecture search as a service.

    DATABASE_URL and REDIS_URL name servers of your own; where one is unset, an embedded PostgreSQL or Valkey serves.
    """


@cli.command()
def up(host: Host = None, port: Port = None, data_dir: DataDir = None, workers: Workers = None) -> None:
    """Run the whole service until Ctrl-C or SIGTERM: engines, migrations, API and workers."""
    settings = _settings(host=host, port=port, data_root=data_dir, workers=workers)
    with _explained(), StopSignals() as signals:
        _run(Service(settings, command="cellar up", say=_say, signals=signals), signals)


@cli.command()
def api(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    listening: Annotated[
        int | None, typer.Option(hidden=True, help="Descriptor of a socket on which the parent listens.")
    ] = None,
) -> None:
    """Run one API process, on engines that run already; it starts and owns them where none do."""
    settings = _settings(host=host, port=port, data_root=data_dir)
    with _explained():
        if listening is not None:
            opened = socket.socket(fileno=listening)
        else:
            found = attached(settings)
            if found is None:
                with StopSignals() as signals:
                    _run(Service(settings, workers=0, command="cellar api", say=_say, signals=signals), signals)
                return
            settings = found
            opened = listen(settings.host, settings.port, allow_open=settings.allow_open or settings.asks_for_keys)
            _migrate(settings)
            refuse_without_keys(settings)
            _say(f"The API listens on {url_of(opened)}, its docs are at {url_of(opened)}/docs")
        _serve(settings, opened)


@cli.command()
def worker(
    data_dir: DataDir = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether a worker of this host lives, as its exit status.")
    ] = False,
) -> None:
    """Run one worker, on engines that run already; it starts and owns them where none do."""
    settings = _settings(data_root=data_dir)
    if check:
        _check_worker(settings)
        return
    if importlib.util.find_spec("torch") is None:
        _fail("the workers are not installed here: pip install 'cellar[worker]'")
    with _explained():
        found = attached(settings)
        if found is not None:
            _migrate(found)
            os.environ.update(found.environment())
            # By name and as a process of its own: nothing in `app` imports the workers.
            os.execv(sys.executable, [sys.executable, "-P", "-m", "workers.main"])  # our own words  # nosec B606
        with StopSignals() as signals:
            _run(Service(settings, api=False, workers=1, command="cellar worker", say=_say, signals=signals), signals)


@cli.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the tables of the database up to date; `up` does so by itself."""
    settings = _settings(data_root=data_dir)
    with _explained():
        found = attached(settings)
        if found is not None:
            _migrate(found)
        else:
            with Service(settings, api=False, workers=0, command="cellar migrate", say=_say):
                pass  # it migrates whenever it starts
        _say("The tables are up to date.")


@cli.command()
def doctor(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")] = False,
) -> None:
    """Look for what keeps the service from running here, and say what helps; changes nothing, fails on a failure."""
    from app.doctor import examine, refused

    given = {"host": host, "port": port, "data_root": data_dir}
    try:
        findings = examine(load_settings(**{name: value for name, value in given.items() if value is not None}))
    except ValidationError as error:
        findings = refused(error)
    healthy = all(finding.level != "failure" for finding in findings)
    if as_json:
        _say(json.dumps({"healthy": healthy, "findings": [finding.as_json() for finding in findings]}, indent=2))
    else:
        for finding in findings:
            _say(str(finding))
    if not healthy:
        raise typer.Exit(1)


@cli.command()
def demo(
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="a free one")] = None,
    data_dir: DataDir = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service running until Ctrl-C.")] = False,
) -> None:
    """Show the main job from end to end on a service of its own: a search on real images, its report, the catalogue."""
    from rich.console import Console

    from app.demo import DemoFailed, run

    settings = _settings(host="127.0.0.1", port=port or 0, data_root=data_dir)
    settings = settings.model_copy(update={"workers": max(1, settings.workers)})
    with _explained(), _interruptible():
        _say("Starting the service ...")
        service = Service(settings, command="cellar demo", say=_say)
        with service:
            _say_where(service)
            try:
                run(service.url, Console())
            except DemoFailed as error:
                raise ServiceError(f"{service.failure or error}\nThe logs are in {service.logs}.") from error
            if keep:
                with StopSignals() as signals:
                    _wait(service, signals)


def _migrate(settings: Settings) -> None:
    assert settings.database_url is not None
    migrate_database(settings.database_url, _say)


def _check_worker(settings: Settings) -> None:
    """Fail unless a worker of this host has reported itself within a lease. Changes nothing."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.catalogue import Database, workers

    found, here = attached(settings), socket.gethostname()
    if found is None or found.database_url is None:
        _fail("no engines run here")
    try:
        with Database(found.database_url, pool_size=1).transaction() as session:
            alive = workers.alive(session, within_seconds=settings.lease_seconds)
    except SQLAlchemyError as error:
        _fail(f"the database does not answer: {error}")
    states = [one.state for one in alive if one.host == here]
    if not states:
        _fail(f"no worker of {here} has reported itself in the last {settings.lease_seconds:g} s")
    _say(f"workers of {here}: {', '.join(states)}")


def _serve(settings: Settings, opened: socket.socket) -> None:
    """Be the API process, on a socket that is listening."""
    import uvicorn  # only this process needs these two

    from app import log
    from app.api.connection import Connection

    log.configure(process="api")
    os.environ.update(settings.environment())  # the factory is called by name, and reads its settings there
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,  # app.log has every line
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    config.load()
    # What stays for good is not looked through again whenever a body makes many objects: a list of 340,000 lists is
    # read in 0.03 s instead of 0.35 s.
    gc.collect()
    gc.freeze()
    with StopSignals():  # uvicorn raises the signal once more when it has stopped, which is no failure
        server.run(sockets=[opened])
    if not server.started:
        raise typer.Exit(3)


def _run(service: Service, signals: StopSignals) -> None:
    """Keep a service running until a signal asks it to stop, or an engine cannot be kept alive."""
    try:
        with service:
            _say_where(service)
            _wait(service, signals)
            _say("Stopping ...")
    except Interrupted:
        pass
    _say("Stopped.")


def _say_where(service: Service) -> None:
    places = service.places()
    width = max(len(name) for name, _ in places)
    _say(f"Cellar {version('cellar')} is up.")
    for name, place in places:
        _say(f"  {name:<{width}}  {place}")


def _wait(service: Service, signals: StopSignals) -> None:
    _say("Ctrl-C stops everything.")
    while not signals.asked():
        if service.failure is not None:
            raise service.failure
        time.sleep(0.1)


@contextmanager
def _interruptible() -> Generator[None, None, None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that what runs below is stopped in order."""

    def unwind(number: int, frame: FrameType | None) -> NoReturn:
        raise typer.Exit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settings(**given: object) -> Settings:
    """The environment's settings with the options that were given."""
    try:
        return load_settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        _fail("; ".join(map(_said, error.errors(include_url=False))))


def _said(fault: ErrorDetails) -> str:
    """A setting's fault with the value, unless that is a secret."""
    name = str(fault["loc"][0])
    variable = VARIABLES.get(name, name)
    return f"{variable}: {fault['msg']}" + ("" if variable in SECRET else f", not {fault['input']!r}")


@contextmanager
def _explained() -> Generator[None, None, None]:
    """Say what went wrong in the words of the error, and exit with status 1."""
    try:
        yield
    except (EnginesError, ListenError, ServiceError) as error:
        _fail(str(error))


def _say(line: str) -> None:
    # Whoever read our output may have left; that is no reason to stop.
    with suppress(BrokenPipeError):
        typer.echo(line)
        sys.stdout.flush()


def _fail(reason: str) -> NoReturn:
    typer.echo(f"cellar: {reason}", err=True)
    raise typer.Exit(1)


def main() -> None:
    """Entry point of the command `cellar`."""
    cli()


if __name__ == "__main__":
    main()
