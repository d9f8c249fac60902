"""Architectures of the catalogue: stored once, whoever meets them."""

import re
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.costs import Network, network_cost
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.drawings import PAGE_WIDTH, SVG, ThemeQuery, WidthQuery, dot_response, svg_response
from app.api.evaluations import evaluation_page
from app.api.export import EXPORTS, graph_of, graph_view, source_response
from app.api.library import find_space
from app.api.membership import given_rank
from app.api.problems import not_found
from app.api.schemas.architecture import ArchitectureBody, ArchitectureView, ExportView
from app.api.schemas.evaluation import EvaluationPage
from app.api.services import Services
from app.api.views import architecture_view
from app.architecture import architecture_id, draw_svg
from app.architecture.draw import graph_dot
from app.catalogue import Architecture, EvaluationQuery, architectures
from app.space import ImageInput
from app.space.skeletons import skeleton_from_json

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


@router.get("/{architecture_id}.svg", response_class=Response, responses=SVG)
def draw_architecture(
    services: ServicesHere, row: ArchitectureHere, theme: ThemeQuery = "auto", width: WidthQuery = PAGE_WIDTH
) -> Response:
    """The drawing of an architecture: its cells and its network."""
    space = find_space(services, f"{row.space_name}@{row.space_version}")
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
    space = find_space(services, f"{row.space_name}@{row.space_version}")
    graph = graph_of(space, row, row.genotype)
    if format == "python":
        return source_response(row, space.title, graph, row.genotype)
    if format == "dot":
        return dot_response(graph_dot(graph, space.title))
    return ExportView(format=format, architecture=architecture_view(row), graph=graph_view(graph))
