"""Bytes on their way in: streamed to a file of the data root that is called by its SHA-256, never into memory."""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from os import SEEK_END
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, TypeVar, cast
from zipfile import is_zipfile

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.api.problems import TITLES, Problem, shown_text, unprocessable
from app.api.services import Services
from app.catalogue import datasets
from app.experiment import DatasetFormat

Body = TypeVar("Body", bound=BaseModel)

JSON_TYPE = "application/json"
FOLDER = "uploads"  # of the data root
FORGOTTEN_SECONDS = 600.0  # without a byte written, after which what no job wants any more is removed
PIECE = 1 << 20  # bytes written at a time


def media_type(request: Request, uploads: Iterable[str]) -> str:
    """What the body is, by its header: JSON, or one of these. Raises a Problem, 415."""
    given = request.headers.get("content-type", "")
    sent = given.partition(";")[0].strip().lower()
    accepted = (JSON_TYPE, *uploads)
    if sent not in accepted:
        detail = f"Content-Type is {shown_text(given)!r}; send one of {', '.join(accepted)}"
        raise Problem(415, *TITLES[415], detail=detail)
    return sent


def read_body(raw: bytes, schema: type[Body]) -> Body:
    """A JSON body, checked as those of other routes are."""
    given: Any = None
    try:
        given = json.loads(raw)
        return schema.model_validate(given)
    except ValidationError as error:
        faults = [fault | {"loc": ("body", *fault["loc"])} for fault in cast("list[Any]", error.errors())]
        raise RequestValidationError(faults, body=given) from error
    except (ValueError, RecursionError) as error:
        place = getattr(error, "pos", getattr(error, "start", 0))
        fault = {"type": "json_invalid", "loc": ("body", place), "msg": "", "ctx": {"error": str(error)}}
        raise RequestValidationError([fault], body=None) from error


async def received(data_root: Path, body: AsyncIterator[bytes], largest: int) -> tuple[str, bytes]:
    """Writes a body to its file. Returns its SHA-256 and its first bytes; raises a Problem where it is too long or
    empty. What was cut off leaves nothing."""
    folder = data_root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{token_hex(16)}.partial"
    digest, first, total, piece = hashlib.sha256(), b"", 0, bytearray()

    def write(file: BinaryIO, content: bytes) -> None:
        digest.update(content)
        file.write(content)

    try:
        with partial.open("xb") as file:
            async for chunk in body:
                total += len(chunk)
                if total > largest:
                    raise Problem(413, *TITLES[413], detail=f"at most {largest} bytes are accepted")
                first = first if len(first) >= 8 else (first + chunk)[:8]
                piece += chunk
                if len(piece) >= PIECE:
                    await run_in_threadpool(write, file, bytes(piece))
                    piece.clear()
            await run_in_threadpool(write, file, bytes(piece))
        if not total:
            raise unprocessable("", "the body is empty: send the bytes of the file")
        partial.replace(folder / digest.hexdigest())
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest(), first


def cut_off(file: Path, kind: DatasetFormat) -> str | None:
    """How the end of a file shows that it is not whole; None where it does not: what is inside is read by the job."""
    if kind == "parquet":
        with file.open("rb") as opened:
            opened.seek(-min(4, file.stat().st_size), SEEK_END)
            return None if opened.read() == b"PAR1" else "a Parquet file ends with PAR1"
    return None if is_zipfile(file) else "a ZIP archive ends with the list of its members"


def sweep(services: Services) -> None:
    """Remove uploads that no job has still to read, and what was cut off, once they are old enough."""
    folder, before = services.settings.data_root / FOLDER, time.time() - FORGOTTEN_SECONDS
    with services.database.transaction() as session:
        wanted = datasets.paths_in_use(session)
    for file in folder.iterdir():
        with suppress(FileNotFoundError):
            if f"{FOLDER}/{file.name}" not in wanted and file.stat().st_mtime < before:
                file.unlink()
