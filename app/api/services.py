"""What every request of this process shares."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from app.api.callers import NOBODY, Caller
from app.api.exposition import Exposition
from app.api.keyring import KeyRing
from app.api.offload import Offload
from app.api.readiness import Readiness
from app.api.shelf import SpaceShelf
from app.api.streams import Streams
from app.catalogue import Database
from app.jobs import EventFeed
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The database and what stands on it, and on whose behalf it is used."""

    settings: Settings
    database: Database
    feed: EventFeed
    shelf: SpaceShelf
    readiness: Readiness  # the parts of the service
    exposition: Exposition  # what Prometheus reads
    secret: bytes  # signs page cursors
    offload: Offload  # answers large batches
    streams: Streams  # the event streams that are open
    ring: KeyRing  # the keys that were shown lately
    caller: Caller = NOBODY  # of a request; nobody outside of one


def installation_secret(data_root: Path) -> bytes:
    """32 random bytes of this installation, made on first use and readable by their owner only."""
    path = data_root / "api" / "secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"secret.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(fresh, path)  # atomic, and the first of several processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
