"""The record of a search as a file: JSON, with ranks as decimal strings. Nothing is ever pickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from app.experiment import Measurement

FORMAT = 1


class RecordError(ValueError):
    """A record cannot be read by this version."""


def save(file: Path, document: Mapping[str, Any]) -> None:
    """Write a record."""
    text = json.dumps({"format": FORMAT, **document}, separators=(",", ":"), allow_nan=False)
    file.write_text(text, encoding="utf-8")


def load(file: Path) -> dict[str, Any]:
    """Read a record. Raises RecordError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{file}: no record of a search: {error}") from error
    if not isinstance(found, dict):
        raise RecordError(f"{file}: a record is an object, found {type(found).__name__}")
    document = cast("dict[str, Any]", found)
    if document.get("format") != FORMAT:
        raise RecordError(f"/format: {document.get('format')!r}, this version reads {FORMAT}")
    return document


def written(one: Measurement) -> dict[str, Any]:
    """An evaluation in a record, what it does not have left out."""
    found: dict[str, Any] = {"n": one.n, "index": one.index}
    if one.fidelity is not None:
        found["fidelity"] = one.fidelity
    if one.values is not None:
        found["values"] = one.values
    if one.by != "strategy":
        found["by"] = one.by
    if one.several != 1:
        found["several"] = one.several
    if one.deviations is not None:
        found["deviations"] = one.deviations
    if one.job is not None:
        found["job"] = one.job
    if one.failure is not None:
        found["failure"] = one.failure
    return found


def read(document: Mapping[str, Any]) -> Measurement:
    """The inverse of `written`."""
    fields: dict[str, Any] = {"fidelity": None, "values": None, **document}
    return Measurement(**fields)
