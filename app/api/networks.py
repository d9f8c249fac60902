"""Questions about the network that a genotype is on a skeleton, each with its batch."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.costs import costs
from app.api.dependencies import BatchingHere, SpaceHere
from app.api.drawings import DRAWINGS, GRAPHS, drawing, drawing_response
from app.api.schemas.batch import BatchView, CostBatch, DrawBatch
from app.api.schemas.cost import CostQuestion, CostView
from app.api.schemas.drawing import DrawingView, DrawQuestion
from app.api.schemas.skeleton import Name
from app.api.supernets import SupernetForm, supernet_response

router = APIRouter(prefix="/v1/spaces/{space}", tags=["genotypes"])


@router.post("/cost")
def find_cost(space: SpaceHere, question: CostQuestion) -> CostView:
    """Exact parameters, multiply-adds and activations of a member on a skeleton, in all and by node."""
    return costs(space, question)


@router.post("/cost/batch", response_model=BatchView[CostView])
async def cost_batch(asked: BatchingHere, batch: CostBatch) -> Response:
    """Costs of up to 50 members, in order."""
    return await asked(batch.items, costs)


@router.post("/draw", response_class=Response, responses=DRAWINGS)
def draw(space: SpaceHere, question: DrawQuestion) -> Response:
    """A member's cells as SVG, and its network where a skeleton is given; or as text, as DOT, as JSON."""
    return drawing_response(drawing(space, question))


@router.post("/draw/batch", response_model=BatchView[DrawingView])
async def draw_batch(asked: BatchingHere, batch: DrawBatch) -> Response:
    """Drawings of up to 20 members, in order."""
    return await asked(batch.items, drawing)


@router.get("/supernet", response_class=Response, responses=GRAPHS)
def get_supernet(
    space: SpaceHere,
    skeleton: Annotated[
        Name | None, Query(description="Name of one of the space's skeletons; default: `cifar`, else its first")
    ] = None,
    form: Annotated[
        SupernetForm, Query(description="`json`: as networkx reads graphs; `dot`: the language of Graphviz")
    ] = "json",
) -> Response:
    """The graph of a whole space on a skeleton, nothing decided: every edge says under which decisions it is there."""
    return supernet_response(space, skeleton, form)
