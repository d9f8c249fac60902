"""Kept weights: the file behind an evaluation, and what its header says."""

import json
from pathlib import Path
from typing import Any, cast

from fastapi import Response
from fastapi.responses import FileResponse

from app.api.problems import not_found
from app.api.services import Services
from app.catalogue import Artefact, Evaluation, artefacts

SAFETENSORS_MEDIA_TYPE = "application/octet-stream"
HEADER_BYTES = 64 << 20  # of a file's header: names, shapes and the record of a training


def kept_weights(services: Services, evaluation: Evaluation) -> tuple[Artefact, Path]:
    """The file of an evaluation's weights. Raises a Problem, 404, where none were kept or the file is not here."""
    if evaluation.weights is None:
        raise not_found("kept weights of the evaluation", evaluation.id)
    with services.database.transaction() as session:
        found = artefacts.find(session, evaluation.job_id, evaluation.weights)
    root = services.settings.data_root.resolve()
    file = None if found is None else (root / found.path).resolve()
    if found is None or file is None or not file.is_relative_to(root) or not _whole(file, found.bytes):
        raise not_found("file on this machine with the weights of the evaluation", evaluation.id)
    return found, file


def _whole(file: Path, bytes: int) -> bool:
    try:
        return file.is_file() and file.stat().st_size == bytes
    except OSError:
        return False


def record_of(file: Path) -> dict[str, Any]:
    """What the header of a weights file says besides its tensors; empty where it says nothing that can be read."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header: Any = json.loads(opened.read(length)) if length <= HEADER_BYTES else {}
        record: Any = json.loads(header["__metadata__"]["cellar"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return cast("dict[str, Any]", record) if isinstance(record, dict) else {}


def weights_response(artefact: Artefact, file: Path, name: str, known: str) -> Response:
    """The file as a download; 304 where `known`, an If-None-Match, has its tag. It never changes."""
    headers = {"ETag": f'"{artefact.sha256}"', "Cache-Control": "private, no-cache"}
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    if headers["ETag"] in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return FileResponse(file, media_type=SAFETENSORS_MEDIA_TYPE, filename=name, headers=headers)
