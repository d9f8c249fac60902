"""What the machine gives: a port, a directory that can be used, room on its disk. Nothing is written anywhere."""

import http.client
import ipaddress
import json
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from app.doctor.finding import Finding, failure, ok, one_line, warning
from app.embedded import EnginesError, refuse_out_of_reach
from app.settings import Settings

GIB = 1 << 30
LEAST_BYTES = GIB
"""Below this PostgreSQL may stop: its log before a checkpoint alone may take 1 GB (`max_wal_size`, its default)."""

FEW_BYTES = 10 * GIB
"""Below this there is little room for checkpoints of supernets and for data sets."""

FEW_FILES = 10_000
SECRETS = ("postgres.password", "runtime.json", "api/secret")
"""Files of a data root that hold a password or a key, and are of mode 0600."""


def port(settings: Settings) -> Iterator[Finding]:
    """Whether the API could listen where it is told to."""
    place = f"port {settings.port} of {settings.host}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        yield failure(
            "port", f"{settings.host!r} is not an address of this machine: {error}", "correct CELLAR_HOST or --host"
        )
        return
    family, kind, protocol, _, address = found[0]
    if not ipaddress.ip_address(address[0]).is_loopback:
        if settings.asks_for_keys:
            yield ok("port", f"{settings.host} is open to other machines, and every request needs a key")
        else:
            yield warning(
                "port",
                f"{settings.host} is open to other machines, and nobody is asked for a key",
                "unset CELLAR_ALLOW_OPEN and make keys with `cellar keys add`, or see that strangers are kept out",
            )
    with socket.socket(family, kind, protocol) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)  # and never listens: a service that starts meanwhile is not in its way
        except OSError as error:
            if is_cellar(settings.host, settings.port):
                yield ok("port", f"Cellar answers on {place}")
            else:
                yield failure(
                    "port",
                    f"{place} cannot be used: {os.strerror(error.errno or 0)}",
                    "end what listens there, or choose another with CELLAR_PORT or --port",
                )
            return
    yield ok("port", f"{place} is free" if settings.port else "any free port will do")


def is_cellar(host: str, number: int) -> bool:
    """Whether what listens there answers as this service does."""
    unspecified = ipaddress.ip_address(host).is_unspecified if host[:1].isdigit() or ":" in host else False
    connection = http.client.HTTPConnection("localhost" if unspecified else host, number, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read(1000)) == {"status": "ok"}
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def data_root(settings: Settings) -> Iterator[Finding]:
    """Whether the data root can be made or used by this account, and is closed to others."""
    path = settings.data_root
    elsewhere = "choose another with CELLAR_DATA_ROOT or --data-dir"
    if settings.database_url is None or settings.redis_url is None:
        try:
            refuse_out_of_reach(path.resolve())
        except (EnginesError, OSError) as error:
            yield failure("data root", one_line(error), elsewhere)
            return
    existing = nearest(path)
    if not existing.is_dir():
        yield failure("data root", f"{existing} is not a directory, so {path} cannot be one", elsewhere)
    elif os.statvfs(existing).f_flag & os.ST_RDONLY:
        yield failure("data root", f"{existing} is on a file system that is read-only", elsewhere)
    elif not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        yield failure(
            "data root", f"this account may not write to {existing}", f"give it that directory, or {elsewhere}"
        )
    elif existing != path:
        yield ok("data root", f"{path} can be made in {existing}")
    else:
        faults = [*open_to_others(path), *of_others(path)]
        yield from faults or [ok("data root", f"{path} can be used by this account, and is closed to others")]


def nearest(path: Path) -> Path:
    """The path itself, or the nearest directory above it that exists."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path("/"))


def open_to_others(path: Path) -> Iterator[Finding]:
    """What other accounts may read that they should not."""
    if path.stat().st_mode & stat.S_IRWXO:
        yield warning("data root", f"every account of this machine may enter {path}", f"chmod o-rwx {path}")
    for name in SECRETS:
        file = path / name
        if file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield failure("data root", f"other accounts may read {file}, which holds a secret", f"chmod 600 {file}")


def of_others(path: Path) -> Iterator[Finding]:
    """What an ordinary account cannot use because root, or somebody else, made it."""
    me = os.geteuid()
    if me == 0:
        return
    for entry in sorted(path.iterdir()):
        owner = entry.lstat().st_uid
        if owner != me:
            yield failure(
                "data root",
                f"{entry} belongs to user id {owner}, not to {me}",
                f"run as that user, or chown -R {me} it",
            )


def disk(settings: Settings, free: Callable[[Path], tuple[int, int]] | None = None) -> Iterator[Finding]:
    """Whether there is room. `free` answers the bytes and the files that can still be written, -1 for any number."""
    place = nearest(settings.data_root)
    room, files = (free or free_on_disk)(place)
    says = f"{room / GIB:.1f} GiB are free at {place}"
    if room < LEAST_BYTES:
        yield failure("disk", says, f"free at least {LEAST_BYTES // GIB} GiB, or choose another data root")
    elif room < FEW_BYTES:
        yield warning("disk", says, f"free {FEW_BYTES // GIB} GiB before long searches and large data sets")
    else:
        yield ok("disk", says)
    if 0 <= files < FEW_FILES:
        yield warning("disk", f"only {files} more files can be made at {place}", "remove small files (`df -i` counts)")


def free_on_disk(place: Path) -> tuple[int, int]:
    """Bytes and files that this account can still write there; -1 where the file system counts no files."""
    status = os.statvfs(place)
    return shutil.disk_usage(place).free, status.f_favail if status.f_files else -1
