"""Data sets: built-in ones, and those that users add."""

import json
from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.api.collection import Kept, dataset_at, page_of_datasets
from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, IdempotencyKey, PageLimit, ServicesHere
from app.api.problems import Problem, unprocessable
from app.api.schemas.dataset import (
    DatasetBody,
    DatasetList,
    DatasetOptions,
    DatasetQuery,
    DatasetView,
    NormalisationView,
)
from app.api.schemas.job import JobView
from app.api.services import Services
from app.api.statuses import declared
from app.api.submissions import Submission, submitted, written
from app.api.uploads import FOLDER, JSON_TYPE, cut_off, media_type, read_body, received, sweep
from app.catalogue import datasets
from app.experiment import DATASETS, SPLITS, Dataset, DatasetFormat, DatasetRequest, Split
from app.space import Fault

router = APIRouter(prefix="/v1", tags=["reference"])

UPLOADS: dict[str, DatasetFormat | None] = {
    "application/octet-stream": None,  # `format` says which, or the first bytes
    "application/zip": "images",
    "application/x-npz": "npz",
    "application/vnd.apache.parquet": "parquet",
}
"""What may be sent beside JSON, and what it then is."""

MAGIC: dict[DatasetFormat, bytes] = {"npz": b"PK", "images": b"PK", "parquet": b"PAR1"}
BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "required": True,
    "description": "Either the bytes of a file (NumPy arrays, Parquet, a ZIP of images), described in the query, or "
    "JSON that names a file or a folder in the data root and describes it",
    "content": {JSON_TYPE: {"schema": DatasetBody.model_json_schema()}, **dict.fromkeys(UPLOADS, BINARY)},
}


@router.get("/datasets")
def list_datasets(services: ServicesHere, limit: PageLimit = 200, cursor: Cursor = None) -> DatasetList:
    """The data sets, their splits and their licences."""
    after = None if cursor is None else read_cursor(services.secret, "datasets", cursor)
    found = page_of_datasets(services, after, limit + 1)
    built_in: list[Kept] = [] if after is not None else [dataset for _, dataset in sorted(DATASETS.items())]
    last = found[limit - 1] if len(found) > limit else None
    place = None if last is None else {"name": last.name, "id": str(last.id)}
    return DatasetList(
        items=[dataset_view(kept) for kept in (*built_in, *found[:limit])],
        next=None if place is None else write_cursor(services.secret, "datasets", place),
    )


@router.get("/datasets/{name}")
def get_dataset(
    services: ServicesHere,
    name: Annotated[str, Path(description="`name`, or `name@digest` with eight digits or more", max_length=130)],
) -> DatasetView:
    """A data set: shape, classes, splits, normalisation, licence and checksums."""
    return dataset_view(dataset_at(services, name))


@router.post(
    "/datasets",
    status_code=202,
    response_model=JobView,
    openapi_extra={"requestBody": BODY},
    responses={200: {"model": DatasetView, "description": "It is there already"}, **declared("dataset-exists")},
)
async def add_dataset(
    request: Request,
    services: ServicesHere,
    options: Annotated[DatasetQuery, Query()],
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Add a data set: 202 with the job that reads and checks the images, or 200 where the same one is there already.

    What is uploaded is described in the query; a JSON body names what lies in the data root and describes it itself.
    Nothing is fetched, and no other path is read. The job fails with the place of whatever is wrong.
    """
    sent = media_type(request, UPLOADS)
    if sent == JSON_TYPE:
        wanted = of_data_root(services, read_body(await request.body(), DatasetBody), options)
    else:
        described = request_of(services, options, f"{FOLDER}/-")
        digest, first = await received(
            services.settings.data_root, request.stream(), services.settings.max_upload_bytes
        )
        kind = options.format or UPLOADS[sent] or recognised(first)
        if kind not in MAGIC or not first.startswith(MAGIC[kind]):
            raise unprocessable("/format", f"the bytes are not {kind}: they begin with {first.hex()}", kind, (*MAGIC,))
        wanted = replace(described, path=f"{FOLDER}/{digest}", sha256=digest, format=kind)
        if why := await run_in_threadpool(cut_off, services.settings.data_root / wanted.path, kind):
            raise unprocessable("", f"the file is not whole: {why}, and these bytes do not")
    how = Submission(key=idempotency_key, priority=options.priority)
    return await run_in_threadpool(start, services, wanted, how)


def start(services: Services, wanted: DatasetRequest, how: Submission) -> JSONResponse:
    """202 with the job, or 200 with the data set that was made of the very same before. Raises a Problem, 409."""
    with services.database.transaction() as session:
        known = datasets.owned(session, services.caller.owner, wanted.name)
    if wanted.name in DATASETS or (known is not None and not same(known.request, wanted)):
        message = f"{wanted.name!r} is another data set already; what is registered never changes"
        fault = Fault("/name", message, wanted.name)
        raise Problem(409, "dataset-exists", "There is another data set of this name", message, (fault,))
    if wanted.sha256 is not None:
        sweep(services)
    return submitted(services, wanted, how) if known is None else written(dataset_view(known))


def same(made_from: Any, wanted: DatasetRequest) -> bool:
    """Whether a data set was made as it is asked for now, whatever the bounds were then."""
    fields: dict[str, Any] = json.loads(json.dumps(asdict(wanted)))
    return all(made_from.get(name) == value for name, value in fields.items() if name != "largest_bytes")


def recognised(first: bytes) -> DatasetFormat:
    """The format of a file by its first bytes. Raises a Problem where they do not tell."""
    if first.startswith(MAGIC["parquet"]):
        return "parquet"
    raise unprocessable("/format", "say what the bytes are: npz, parquet or images", None, (*MAGIC,))


def of_data_root(services: Services, body: DatasetBody, options: DatasetQuery) -> DatasetRequest:
    """The request for what lies in the data root."""
    if extra := sorted(options.model_fields_set - {"priority"}):
        raise unprocessable(f"/{extra[0]}", "query parameter: a JSON body describes the data set by itself", extra)
    return request_of(services, body, f"datasets/{body.path}")


def request_of(services: Services, options: DatasetOptions, path: str) -> DatasetRequest:
    """The request of a job."""
    if options.name is None:
        raise unprocessable("/name", "query parameter: the data set needs a name")
    asked: dict[Split, int] = {split: n for split in SPLITS if (n := getattr(options, split)) is not None}
    return DatasetRequest(
        name=options.name,
        path=path,
        format=options.format,
        visibility=options.visibility,
        title=options.title,
        licence=options.licence,
        source=options.source,
        notes=options.notes,
        levels=options.levels,
        layout=options.layout,
        sizes=asked or None,
        seed=options.seed,
        largest_bytes=services.settings.max_dataset_bytes,
    )


def dataset_view(kept: Kept) -> DatasetView:
    """A data set as it travels."""
    dataset = kept if isinstance(kept, Dataset) else kept.dataset
    stored = dataset.stored
    return DatasetView(
        name=dataset.name,
        reference=dataset.reference,
        origin="built-in" if stored is None else "registered",
        visibility="public" if isinstance(kept, Dataset) else kept.visibility,
        title=dataset.title,
        task=dataset.task,
        input=asdict(dataset.input),
        num_classes=dataset.num_classes,
        classes=[] if stored is None else list(stored.classes),
        splits=dict(dataset.splits),
        licence=dataset.licence,
        source=dataset.source,
        packaged=dataset.packaged,
        notes=dataset.notes,
        digest=None if stored is None else stored.digest,
        pixels_digest=None if stored is None else stored.pixels_digest,
        bytes=None if stored is None else stored.bytes,
        levels=None if stored is None else stored.levels,
        normalisation=None
        if stored is None
        else NormalisationView(mean=list(stored.mean), deviation=list(stored.deviation)),
        created_at=None if isinstance(kept, Dataset) else kept.created_at,
    )
