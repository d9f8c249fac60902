"""Architectures of the catalogue: stored once, whoever meets them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.orm import Session

from app.api.answers import chosen_image, chosen_skeleton, identity, neighbours
from app.api.costs import Network, network_cost
from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.drawings import PAGE_WIDTH, SVG, ThemeQuery, WidthQuery, dot_response, svg_response
from app.api.evaluations import DatasetQuery, KindQuery, RecipeQuery, SplitQuery, evaluation_page, place_of
from app.api.export import EXPORTS, graph_of, graph_view, source_response
from app.api.library import find_space
from app.api.membership import given_rank
from app.api.problems import not_found
from app.api.schemas.architecture import (
    ArchitectureBody,
    ArchitecturePage,
    ArchitectureView,
    ExportView,
    MeasuredNeighbour,
    MeasuredNeighbours,
)
from app.api.schemas.evaluation import EvaluationPage
from app.api.schemas.genotype import NeighbourQuestion
from app.api.services import Services
from app.api.statuses import declared
from app.api.views import architecture_view, evaluation_view
from app.architecture import architecture_id, draw_svg
from app.architecture.draw import graph_dot
from app.catalogue import Architecture, EvaluationQuery, architectures, evaluations
from app.catalogue.repositories.architectures import ArchitectureSort
from app.space import ImageInput, SearchSpace
from app.space.skeletons import skeleton_from_json

RESULTS_EACH = 10  # of a neighbour
ARCHITECTURE_ID = re.compile(r"[0-9a-f]{32}")

router = APIRouter(prefix="/v1/architectures", tags=["architectures"])


def architecture_at(
    services: ServicesHere,
    architecture_id: Annotated[str, Path(description="Id: 32 hexadecimal digits", max_length=64)],
) -> Architecture:
    """The architecture in the path."""
    with services.database.transaction() as session:
        found = architectures.get(session, architecture_id) if ARCHITECTURE_ID.fullmatch(architecture_id) else None
    if found is None:
        raise not_found("architecture", architecture_id)
    return found


ArchitectureHere = Annotated[Architecture, Depends(architecture_at)]


ArchitectureSortName = Literal["created_at", "-created_at", "params", "-params", "macs", "-macs"]


@router.get("", responses=declared("not-found"))
def list_architectures(
    services: ServicesHere,
    space: Annotated[str, Query(description="`name` or `name@version` of a space", max_length=100)],
    sort: Annotated[ArchitectureSortName, Query(description="The order; `-` before a name: the largest first")] = (
        "-created_at"
    ),
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> ArchitecturePage:
    """The architectures of a space that were met so far, the newest first or in another order.

    They are everyone's who sees the space; what was measured of one is its owner's.
    """
    digest = find_space(services, space).digest
    scope, column = f"architectures {digest} {sort}", cast("ArchitectureSort", sort.removeprefix("-"))
    after = None
    if cursor is not None:
        position = read_cursor(services.secret, scope, cursor)
        value = position["value"]
        after = datetime.fromisoformat(value) if column == "created_at" else value, position["id"]
    with services.database.transaction() as session:
        found = architectures.listing(
            session, digest, sort=column, descending=sort.startswith("-"), limit=limit + 1, after=after
        )
    last = found[limit - 1] if len(found) > limit else None
    return ArchitecturePage(
        items=[architecture_view(row) for row in found[:limit]],
        next=None if last is None else write_cursor(services.secret, scope, place_of(last, column)),
    )


@router.post("", status_code=201, responses={200: {"model": ArchitectureView, "description": "It was known already"}})
def ensure_architecture(services: ServicesHere, body: ArchitectureBody, response: Response) -> ArchitectureView:
    """Catalogue a genotype on a skeleton: 201 where its network is new, 200 with what is there where it is not."""
    row, created = ensured(services, body)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/architectures/{row.id}"
    return architecture_view(row)


def ensured(services: Services, body: ArchitectureBody) -> tuple[Architecture, bool]:
    """The architecture of a genotype, and whether it is new."""
    space = find_space(services, body.space)
    skeleton, image = chosen_skeleton(space, body.skeleton), chosen_image(space, body.input)
    index = given_rank(space, body.genotype, body.format)
    network = Network(space, space.digest, index, skeleton, image)
    total, genotype = network_cost(network), space.plan.unrank(index)
    with services.database.transaction() as session:
        return architectures.ensure(
            session,
            id=architecture_id(space, skeleton, image, genotype),
            space=identity(space).model_dump(),
            index=index,
            genotype=genotype,
            skeleton=asdict(skeleton),
            input=asdict(image),
            params=total.params,
            macs=total.macs,
        )


def space_of_row(services: Services, row: Architecture) -> SearchSpace:
    """The space of an architecture's genotype. Raises a Problem where the caller does not see it."""
    reference = f"{row.space_name}@{row.space_version}"
    space = find_space(services, reference)
    if space.digest != row.space_digest:  # another owner's space of the same name
        raise not_found("space", reference)
    return space


@router.get("/{architecture_id}.svg", response_class=Response, responses=SVG)
def draw_architecture(
    services: ServicesHere, row: ArchitectureHere, theme: ThemeQuery = "auto", width: WidthQuery = PAGE_WIDTH
) -> Response:
    """The drawing of an architecture: its cells and its network."""
    space = space_of_row(services, row)
    skeleton, image = skeleton_from_json(row.skeleton), ImageInput(**row.input)
    svg = draw_svg(space, row.genotype, skeleton, image, theme=theme, width=width)
    return svg_response(svg)


@router.get("/{architecture_id}")
def get_architecture(row: ArchitectureHere) -> ArchitectureView:
    """An architecture."""
    return architecture_view(row)


@router.get("/{architecture_id}/evaluations")
def list_architecture_evaluations(
    services: ServicesHere, row: ArchitectureHere, limit: PageLimit = 50, cursor: Cursor = None
) -> EvaluationPage:
    """What was measured of an architecture, the newest first."""
    return evaluation_page(
        services, EvaluationQuery(viewer=services.caller.owner, architecture_id=row.id), limit, cursor
    )


@router.get("/{architecture_id}/neighbours")
def list_measured_neighbours(
    services: ServicesHere,
    row: ArchitectureHere,
    dataset: DatasetQuery = None,
    recipe: RecipeQuery = None,
    split: SplitQuery = None,
    kind: KindQuery = None,
    twins: Annotated[
        bool,
        Query(
            description="Whether to find neighbours too that were first met as another genotype of the same network: "
            "their graphs are made and compared, which takes milliseconds each"
        ),
    ] = False,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many neighbours are looked for")] = 200,
) -> MeasuredNeighbours:
    """What was measured of the genotypes one decision away, on the same skeleton and image."""
    space = space_of_row(services, row)
    near = neighbours(space, NeighbourQuestion(genotype=row.genotype, limit=limit))
    genotypes = {int(item.index): item.genotype for item in near.items}
    wanted = EvaluationQuery(viewer=services.caller.owner, dataset=dataset, recipe=recipe, split=split, kind=kind)
    same = as_graphs(space, row, genotypes) if twins else None
    with services.database.transaction() as session:
        ranks = as_members(session, row, list(genotypes)) if same is None else same
        measured = evaluations.of_architectures(session, list(ranks), wanted, RESULTS_EACH)
    return MeasuredNeighbours(
        architecture_id=row.id,
        space=near.space,
        index=near.index,
        neighbours=len(genotypes),
        complete=near.complete,
        items=[
            MeasuredNeighbour(
                index=str(rank),
                genotype=genotypes[rank],
                architecture_id=id,
                evaluations=[evaluation_view(evaluation) for evaluation in measured[id]],
            )
            for id, rank in sorted(ranks.items(), key=lambda item: item[1])
            if id in measured
        ],
    )


def as_members(session: Session, row: Architecture, ranks: Collection[int]) -> Mapping[str, int]:
    """The ids and ranks of the architectures that were met as these members, on the skeleton and image of this one."""
    met = architectures.at_ranks(session, row.space_digest, ranks, skeleton=row.skeleton, input=row.input)
    return {found.id: found.index for found in met}


def as_graphs(space: SearchSpace, row: Architecture, genotypes: Mapping[int, Any]) -> Mapping[str, int]:
    """The ids that genotypes have on the skeleton and image of an architecture; of several the lowest rank."""
    skeleton, image = skeleton_from_json(row.skeleton), ImageInput(**row.input)
    ranks = sorted(genotypes, reverse=True)
    return {architecture_id(space, skeleton, image, genotypes[rank]): rank for rank in ranks}


@router.get("/{architecture_id}/export", response_model=ExportView, responses=EXPORTS)
def export_architecture(
    services: ServicesHere,
    row: ArchitectureHere,
    format: Annotated[Literal["json", "python", "dot"], Query(description="Format of the export")] = "json",
) -> ExportView | Response:
    """An architecture as a document of its own: its graph as JSON or in Graphviz's DOT, or a file of PyTorch.

    Weights are an evaluation's, and so is a file of PyTorch that is sure to take them: an architecture may have been
    trained as another genotype of the same network, whose places have other names.
    """
    space = space_of_row(services, row)
    graph = graph_of(space, row, row.genotype)
    if format == "python":
        return source_response(row, space.title, graph, row.genotype)
    if format == "dot":
        return dot_response(graph_dot(graph, space.title))
    return ExportView(format=format, architecture=architecture_view(row), graph=graph_view(graph))
