"""Evaluations across searches and trainings: filtered, sorted, and never ranked where they do not compare."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.export import TRAINED, graph_of, source_response
from app.api.library import REFERENCE, find_space, parse_reference
from app.api.problems import Problem, not_found
from app.api.schemas.evaluation import EvaluationKindName, EvaluationPage, EvaluationView, SplitName
from app.api.services import Services
from app.api.statuses import declared
from app.api.tabulated import PARQUET, table_response
from app.api.views import evaluation_view
from app.api.weights import kept_weights, record_of, weights_response
from app.catalogue import Architecture, Evaluation, EvaluationQuery, audit, evaluations
from app.catalogue.repositories.evaluation_query import Sort
from app.catalogue.streams import every_evaluation
from app.space import Fault

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])

SortName = Literal["accuracy", "-accuracy", "params", "-params", "macs", "-macs", "created_at", "-created_at"]
SortHere = Annotated[SortName, Query(description="The order; `-` before a name: the largest first")]
AcrossRecipes = Annotated[
    bool, Query(description="Rank by accuracy although results of other recipes, data sets, splits do not compare")
]
CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "One line an evaluation", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
PARQUET_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {PARQUET: {"schema": {"type": "string", "format": "binary"}}}}
}
Text = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
DatasetQuery = Annotated[Text, Query(description="Name of a data set")]
RecipeQuery = Annotated[Text, Query(description="Name or digest of a recipe")]
SplitQuery = Annotated[SplitName | None, Query(description="The split that was measured on")]
KindQuery = Annotated[EvaluationKindName | None, Query(description="How the weights came about")]
Count = Annotated[int | None, Query(ge=0, lt=2**63)]


def filters(
    services: ServicesHere,
    space: Annotated[
        str | None, Query(pattern=f"^{REFERENCE.pattern}$", description="Name, `name@version` or digest of a space")
    ] = None,
    dataset: DatasetQuery = None,
    recipe: RecipeQuery = None,
    split: SplitQuery = None,
    kind: KindQuery = None,
    architecture: Annotated[Text, Query(description="Id of an architecture")] = None,
    job: Annotated[UUID | None, Query(description="UUID of the job that measured")] = None,
    max_params: Annotated[Count, Query(description="At most so many learnable numbers")] = None,
    max_macs: Annotated[Count, Query(description="At most so many multiply-adds for one image")] = None,
) -> EvaluationQuery:
    """The filters of the query string."""
    name, number = (None, None) if space is None else parse_reference(space)
    return EvaluationQuery(
        viewer=services.caller.owner,
        space=name,
        space_version=number,
        dataset=dataset,
        recipe=recipe,
        split=split,
        kind=kind,
        architecture_id=architecture,
        job_id=job,
        max_params=max_params,
        max_macs=max_macs,
    )


@router.get("", responses=declared("mixed-results"))
def list_evaluations(
    services: ServicesHere,
    wanted: Annotated[EvaluationQuery, Depends(filters)],
    sort: SortHere = "-created_at",
    across_recipes: AcrossRecipes = False,
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> EvaluationPage:
    """Evaluations of every search and training, the newest first or in another order.

    Ranking by accuracy is refused where it would mix recipes, data sets or splits, unless `across_recipes` says that
    it may.
    """
    return evaluation_page(services, ordered(wanted, sort), limit, cursor, across_recipes=across_recipes)


def evaluation_page(
    services: Services, wanted: EvaluationQuery, limit: int, cursor: str | None, *, across_recipes: bool = False
) -> EvaluationPage:
    """One page of evaluations and the cursor of the next. Raises a Problem where a ranking would mix recipes."""
    scope = f"evaluations {replace(wanted, limit=0, after=None)}"
    after = None
    if cursor is not None:
        position = read_cursor(services.secret, scope, cursor)
        value = position["value"]
        after = datetime.fromisoformat(value) if wanted.sort == "created_at" else value, UUID(position["id"])
    with services.database.transaction() as session:
        if wanted.sort == "accuracy" and not across_recipes:
            refuse_mixtures(session, wanted)
        found = evaluations.query(session, replace(wanted, limit=limit + 1, after=after))
    last = found[limit - 1] if len(found) > limit else None
    return EvaluationPage(
        items=[evaluation_view(row) for row in found[:limit]],
        next=None if last is None else write_cursor(services.secret, scope, place_of(last, wanted.sort)),
    )


def place_of(row: Evaluation | Architecture, sort: Sort) -> dict[str, str | float | None]:
    """Where a page ended."""
    value = row.created_at.isoformat() if sort == "created_at" else getattr(row, sort)
    return {"value": value, "id": str(row.id)}


def refuse_mixtures(session: Session, wanted: EvaluationQuery) -> None:
    """Refuse to rank results that were not obtained in the same way or measured on the same images."""
    found = evaluations.mixture(session, wanted)
    mixed = {
        "recipe": ([f"{name} ({digest})" for name, digest in found.recipes], wanted.recipe),
        "dataset": (found.datasets, wanted.dataset),
        "split": (found.splits, wanted.split),
    }
    faults = tuple(
        Fault(
            f"/{name}",
            f"query parameter: results of {len(several)} of these do not compare; name one",
            given,
            tuple(several),
        )
        for name, (several, given) in mixed.items()
        if len(several) > 1
    )
    if faults:
        places = " and ".join(fault.pointer.removeprefix("/") for fault in faults)
        detail = f"an accuracy means nothing beside one of another {places}; name one, or say across_recipes=true"
        raise Problem(422, "mixed-results", "The evaluations do not compare", detail, faults)


@router.get(".csv", response_class=StreamingResponse, responses=CSV | declared("mixed-results"))
def export_evaluations_csv(
    services: ServicesHere,
    wanted: Annotated[EvaluationQuery, Depends(filters)],
    sort: SortHere = "-created_at",
    across_recipes: AcrossRecipes = False,
) -> StreamingResponse:
    """Every evaluation that the filters leave, as comma-separated values in the order of the listing.

    Documents are JSON; text that a spreadsheet would take for a formula begins with `'`. What is recorded while the
    answer is read is in it if its place is still to come.
    """
    return table_response(streamed(services, wanted, sort, across_recipes), "evaluations", "csv")


@router.get(".parquet", response_class=StreamingResponse, responses=PARQUET_FILE | declared("mixed-results"))
def export_evaluations_parquet(
    services: ServicesHere,
    wanted: Annotated[EvaluationQuery, Depends(filters)],
    sort: SortHere = "-created_at",
    across_recipes: AcrossRecipes = False,
) -> StreamingResponse:
    """Every evaluation that the filters leave, as a Parquet file in the order of the listing; documents are JSON."""
    return table_response(streamed(services, wanted, sort, across_recipes), "evaluations", "parquet")


def streamed(services: Services, wanted: EvaluationQuery, sort: str, across_recipes: bool) -> Iterator[Evaluation]:
    """Every evaluation in order. Raises a Problem where a ranking would mix recipes."""
    query = ordered(wanted, sort)
    if query.sort == "accuracy" and not across_recipes:
        with services.database.transaction() as session:
            refuse_mixtures(session, query)
    return every_evaluation(services.database, query)


def ordered(wanted: EvaluationQuery, sort: str) -> EvaluationQuery:
    """The question with its order."""
    return replace(wanted, sort=cast("Sort", sort.removeprefix("-")), descending=sort.startswith("-"))


def evaluation_at(
    services: ServicesHere, evaluation_id: Annotated[UUID, Path(description="UUID of the evaluation")]
) -> Evaluation:
    """The evaluation in the path."""
    with services.database.transaction() as session:
        found = evaluations.get(session, evaluation_id, viewer=services.caller.owner)
    if found is None:
        raise not_found("evaluation", evaluation_id)
    return found


EvaluationHere = Annotated[Evaluation, Depends(evaluation_at)]


@router.get("/{evaluation_id}")
def get_evaluation(row: EvaluationHere) -> EvaluationView:
    """One evaluation."""
    return evaluation_view(row)


@router.get("/{evaluation_id}/export", response_class=Response, responses=TRAINED)
def export_evaluation(
    services: ServicesHere,
    row: EvaluationHere,
    format: Annotated[
        Literal["python", "safetensors"],
        Query(description="`python`: the network as a file of PyTorch; `safetensors`: the weights that fit it"),
    ] = "python",
    if_none_match: Annotated[str, Header(description="ETags of what is known already", max_length=1000)] = "",
) -> Response:
    """What was evaluated, to run elsewhere: the network as a file that needs torch alone, or the weights it loads.

    The file is written from the genotype that was trained, so that its places are named as the weights are. 404 where
    no weights were kept.
    """
    if format == "safetensors":
        artefact, file = kept_weights(services, row)
        with services.database.transaction() as session:
            audit.record(session, action="weights.export", subject=f"/v1/evaluations/{row.id}", **services.caller.actor)
        return weights_response(artefact, file, f"{row.id}.safetensors", if_none_match)
    architecture = row.architecture
    genotype = architecture.genotype
    if row.weights is not None:
        genotype = record_of(kept_weights(services, row)[1]).get("genotype", genotype)
    space = find_space(services, f"{architecture.space_name}@{architecture.space_version}")
    graph = graph_of(space, architecture, genotype)
    return source_response(architecture, space.title, graph, genotype, str(row.id))
