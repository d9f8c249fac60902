"""Kept weights: the file behind an evaluation, and what its header says."""

import json
from pathlib import Path
from typing import Any, cast

from fastapi import Response
from fastapi.responses import FileResponse

from app.api.problems import TITLES, Problem, not_found
from app.api.services import Services
from app.catalogue import Artefact, Evaluation, artefacts
from app.store import MissingObject, StoredFile, StoreDown, StoreError, open_store

SAFETENSORS_MEDIA_TYPE = "application/octet-stream"
HEADER_BYTES = 64 << 20  # of a file's header: names, shapes and the record of a training


def kept_weights(services: Services, evaluation: Evaluation) -> tuple[Artefact, Path]:
    """The file of an evaluation's weights. Raises a Problem, 404, where none were kept or the file is not here."""
    if evaluation.weights is None:
        raise not_found("kept weights of the evaluation", evaluation.id)
    with services.database.transaction() as session:
        found = artefacts.find(session, evaluation.job_id, evaluation.weights)
    if found is None:
        raise not_found("kept weights of the evaluation", evaluation.id)
    try:
        file = open_store(services.settings).open(StoredFile(path=found.path, bytes=found.bytes, sha256=found.sha256))
    except MissingObject as error:
        raise not_found("file with the weights of the evaluation", evaluation.id) from error
    except StoreDown as error:
        title = "The service cannot answer now"
        raise Problem(503, "unavailable", title, str(error), headers={"Retry-After": "5"}) from error
    except StoreError as error:
        detail = f"the kept weights cannot be served: {error}"
        raise Problem(500, "internal-error", TITLES[500][1], detail) from error
    return found, file


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
