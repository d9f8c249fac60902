"""Tabular benchmarks: published tables of architectures and what was measured of them, imported by a job."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, IdempotencyKey, PageLimit, ServicesHere
from app.api.library import find_space, standing
from app.api.problems import not_found, unprocessable
from app.api.schemas.benchmark import (
    BenchmarkBody,
    BenchmarkLinks,
    BenchmarkList,
    BenchmarkQuery,
    BenchmarkRows,
    BenchmarkView,
    CatalogueView,
)
from app.api.schemas.job import JobView
from app.api.services import Services
from app.api.submissions import Submission, submitted, written
from app.api.uploads import FOLDER, JSON_TYPE, media_type, read_body, received, sweep
from app.architecture.formats import formats_of
from app.catalogue import Job, benchmarks
from app.experiment import ORACLE, PublishedRecipe, PublishedTable, SpaceVersion, TableReport, TableRequest
from app.space import SearchSpace, space_to_json

router = APIRouter(prefix="/v1/benchmarks", tags=["evaluations"])

UPLOADS: Mapping[str, bytes] = {
    "application/octet-stream": b"",
    "text/csv": b"",
    "application/gzip": b"\x1f\x8b",
    "application/vnd.apache.parquet": b"PAR1",
}
"""What may be sent beside JSON, and how it then begins."""

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "required": True,
    "description": "Either the bytes of a file (CSV with a header, plain or compressed by gzip, or Parquet), described "
    "in the query, or JSON that names a file in the data root and describes it",
    "content": {JSON_TYPE: {"schema": BenchmarkBody.model_json_schema()}, **dict.fromkeys(UPLOADS, BINARY)},
}
OF_THE_JOB = {"visibility", "priority", "dry_run"}
OF_THE_FILE = {"file", "metric"}
REPORT = TypeAdapter(TableReport)


@router.get("")
def list_benchmarks(services: ServicesHere, limit: PageLimit = 50, cursor: Cursor = None) -> BenchmarkList:
    """The tables that were imported, the latest first, and how a search names their results."""
    after = None
    if cursor is not None:
        position = read_cursor(services.secret, "benchmarks", cursor)
        after = datetime.fromisoformat(position["at"]), UUID(position["id"])
    with services.database.transaction() as session:
        found = benchmarks.listing(session, viewer=services.caller.owner, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    place = None if last is None else {"at": last.submitted_at.isoformat(), "id": str(last.id)}
    return BenchmarkList(
        items=[benchmark_view(job) for job in found[:limit]],
        next=None if place is None else write_cursor(services.secret, "benchmarks", place),
    )


@router.get("/{benchmark_id}")
def get_benchmark(
    services: ServicesHere, benchmark_id: Annotated[UUID, Path(description="UUID of the table")]
) -> BenchmarkView:
    """A table: where it comes from, what became of its rows, and how a search names its results."""
    with services.database.transaction() as session:
        job = benchmarks.find(session, benchmark_id, viewer=services.caller.owner)
    if job is None:
        raise not_found("table", benchmark_id)
    return benchmark_view(job)


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    openapi_extra={"requestBody": BODY},
    responses={200: {"model": BenchmarkView, "description": "It is there already"}},
)
async def add_benchmark(
    request: Request,
    services: ServicesHere,
    options: Annotated[BenchmarkQuery, Query()],
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Import a table: 202 with the job that reads, judges and writes it, or 200 where the same one is there already.

    What is uploaded is described in the query; a JSON body names a file of the data root and describes it itself. All
    rows that are sound are written, or none. The job's result names what was refused, and why.
    """
    sent = media_type(request, UPLOADS)
    if sent == JSON_TYPE:
        body = read_body(await request.body(), BenchmarkBody)
        if extra := sorted(options.model_fields_set - OF_THE_JOB):
            raise unprocessable(f"/{extra[0]}", "query parameter: a JSON body describes the table by itself", extra)
        wanted = await run_in_threadpool(request_of, services, body, options, f"tables/{body.path}", body.path, None)
    else:
        body = described(options)
        # What is asked wrongly is said before the file is taken.
        asked = (services, body, options)
        await run_in_threadpool(request_of, *asked, "", "", None)
        largest = services.settings.max_upload_bytes
        digest, first = await received(services.settings.data_root, request.stream(), largest)
        if not first.startswith(UPLOADS[sent]):
            raise unprocessable("", f"the bytes are no {sent}: they begin with {first.hex()}", None, (*UPLOADS,))
        file = options.file or "table"
        wanted = await run_in_threadpool(request_of, *asked, f"{FOLDER}/{digest}", file, digest)
    how = Submission(key=idempotency_key, priority=options.priority, visibility=options.visibility)
    return await run_in_threadpool(start, services, wanted, how)


def start(services: Services, wanted: TableRequest, how: Submission) -> JSONResponse:
    """202 with the job, or 200 with the table that was imported before."""
    if wanted.sha256 is not None:
        with services.database.transaction() as session:
            owner = services.caller.owner
            known = benchmarks.imported(session, owner=owner, identity=wanted.identity(wanted.sha256))
            table = benchmarks.find(session, known[0], viewer=owner) if known else None
        if table is not None:
            return written(benchmark_view(table))
        sweep(services)
    return submitted(services, wanted, how)


def described(options: BenchmarkQuery) -> BenchmarkBody:
    """What the query says of an upload, checked as a body is."""
    given = options.model_dump(exclude_unset=True, exclude=OF_THE_JOB | OF_THE_FILE)
    metrics: dict[str, str] = {}
    for text in options.metric or ():
        name, _, column = text.partition("=")
        if name in metrics:
            raise unprocessable("/metric", f"query parameter: {name} is given twice", text)
        metrics[name] = column
    if options.metric:
        given["metrics"] = metrics
    seed = given.get("seed", "0")
    if seed.isascii() and seed.isdigit() and len(seed) <= 18:  # what is longer is the name of a column
        given["seed"] = int(seed)
    try:
        return BenchmarkBody.model_validate({**given, "path": "upload"})
    except ValidationError as error:
        names = {"metrics": "metric"}
        faults = [
            fault | {"loc": ("query", names.get(str(fault["loc"][0]), fault["loc"][0]))}
            for fault in cast("list[Any]", error.errors())
        ]
        raise RequestValidationError(faults, body=None) from error


def request_of(
    services: Services, body: BenchmarkBody, options: BenchmarkQuery, path: str, file: str, sha256: str | None
) -> TableRequest:
    """The request of a job. Raises a Problem where the space, the skeleton or the format is none."""
    space = find_space(services, body.space)
    if options.visibility == "public" and standing(services, space)[1] == "private":
        message = f"query parameter: the space {space.name} is private, so results in it cannot be public"
        raise unprocessable("/visibility", message, options.visibility, ("private",))
    formats = tuple(format.name for format in formats_of(space))
    if body.format not in formats:
        raise unprocessable("/format", f"genotypes of {space.name} are not written so", body.format, formats)
    return TableRequest(
        table=PublishedTable(file=file, source=body.source, licence=body.licence, sha256=sha256),
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        skeleton=skeleton_of(space, body.skeleton),
        format=body.format,
        genotype=body.genotype,
        metrics=dict(body.metrics),
        dataset=body.dataset,
        split=body.split,
        recipe=PublishedRecipe(name=body.recipe, source=body.source),
        seed=body.seed,
        fractions=body.fractions,
        path=path,
        dry_run=options.dry_run,
    )


def skeleton_of(space: SearchSpace, name: str | None) -> str:
    """The name of the skeleton that a table is on. Raises a Problem where the space has none of it."""
    chosen = name or ("cifar" if "cifar" in space.skeletons else next(iter(space.skeletons), ""))
    if chosen not in space.skeletons:
        raise unprocessable("/skeleton", f"the space {space.name} has no such skeleton", name, (*space.skeletons,))
    return chosen


def benchmark_view(job: Job) -> BenchmarkView:
    """A table as it travels."""
    asked, here = job.request, f"/v1/benchmarks/{job.id}"
    assert job.result is not None, "it was written"
    report = REPORT.validate_python(job.result["rows"])
    recipe = PublishedRecipe(**asked["recipe"])
    oracle = asked["split"] == "test"
    space = SpaceVersion(**asked["space"])
    query = {"space": f"{space.name}@{space.version}", "dataset": asked["dataset"], "split": asked["split"]}
    query |= {"recipe": recipe.digest, "sort": "-accuracy"}
    return BenchmarkView.model_validate(
        {
            **asked["table"],
            "sha256": job.result["sha256"],
            "id": str(job.id),
            "visibility": job.visibility,
            "space": {"name": space.name, "version": space.version, "digest": space.digest},
            **{name: asked[name] for name in ("skeleton", "metrics", "dataset", "split")},
            "recipe": recipe.name,
            "recipe_digest": recipe.digest,
            "seeds": list(report.seeds),
            "rows": BenchmarkRows(**{name: getattr(report, name) for name in BenchmarkRows.model_fields}),
            "evaluator": CatalogueView(
                kind="catalogue",
                dataset=asked["dataset"],
                split=asked["split"],
                recipe=recipe.digest,
                evaluation="trained",
            ),
            "oracle": oracle,
            "label": ORACLE if oracle else None,
            "created_at": job.finished_at,
            "links": BenchmarkLinks(
                self=here,
                job=f"/v1/jobs/{job.id}",
                series=f"/v1/jobs?parent={job.id}",
                evaluations=f"/v1/evaluations?{urlencode(query)}",
            ),
        }
    )
