"""Questions about one genotype of a space, each with its batch."""

from fastapi import APIRouter, Request, Response

from app.api.answers import canonical_form, costs, drawing, neighbours, validation
from app.api.batches import in_order
from app.api.dependencies import AnsweringHere, RequestIdentity, SpaceHere, SpaceName, answering_at
from app.api.drawings import DRAWINGS, drawing_response
from app.api.schemas.batch import (
    BatchView,
    CanonicalBatch,
    ConversionBatch,
    CostBatch,
    CrossoverBatch,
    DifferenceBatch,
    DrawBatch,
    EncodingBatch,
    MutationBatch,
    NeighbourBatch,
    ValidationBatch,
)
from app.api.schemas.genotype import (
    CanonicalQuestion,
    CanonicalView,
    CostQuestion,
    CostView,
    DrawingView,
    DrawQuestion,
    GenotypeQuestion,
    NeighbourQuestion,
    NeighbourView,
    ValidationView,
)
from app.api.schemas.variation import (
    ConversionQuestion,
    ConversionView,
    CrossoverQuestion,
    CrossoverView,
    DifferenceQuestion,
    DifferenceView,
    EncodingQuestion,
    EncodingView,
    MutationQuestion,
    MutationView,
)
from app.api.variation import conversion, crossover, difference, encoding, mutation

router = APIRouter(prefix="/v1/spaces/{space}", tags=["genotypes"])

# What builds a graph, and every batch, runs in the thread pool, so that one caller's work does not stand before
# everybody's; what takes a millisecond is answered on the event loop.


@router.post("/validate", response_model=ValidationView)
async def validate(request: Request, space: SpaceName, question: GenotypeQuestion) -> Response:
    """Whether a genotype is a valid member; if not, every fault with its place, and the nearest valid member."""
    # Asked for and written here: injection and the check of a response take longer than the answer.
    answering = await answering_at(request, space)
    view = await answering(validation, question)
    return Response(view.model_dump_json(), media_type="application/json")


@router.post("/validate/batch")
def validate_batch(space: SpaceHere, batch: ValidationBatch, request_id: RequestIdentity) -> BatchView[ValidationView]:
    """Up to 1000 genotypes, validated in order."""
    return in_order(space, batch.items, validation, request_id)


@router.post("/neighbours")
def list_neighbours(space: SpaceHere, question: NeighbourQuestion) -> NeighbourView:
    """Every genotype one decision away from a member."""
    return neighbours(space, question)


@router.post("/neighbours/batch")
def neighbours_batch(space: SpaceHere, batch: NeighbourBatch, request_id: RequestIdentity) -> BatchView[NeighbourView]:
    """Neighbours of up to 20 members, in order."""
    return in_order(space, batch.items, neighbours, request_id)


@router.post("/mutate")
async def mutate(answering: AnsweringHere, question: MutationQuestion) -> MutationView:
    """Random genotypes one decision away from a member: never the member itself."""
    return await answering(mutation, question)


@router.post("/mutate/batch")
def mutate_batch(space: SpaceHere, batch: MutationBatch, request_id: RequestIdentity) -> BatchView[MutationView]:
    """Mutants of up to 100 members, in order."""
    return in_order(space, batch.items, mutation, request_id)


@router.post("/crossover")
async def cross(answering: AnsweringHere, question: CrossoverQuestion) -> CrossoverView:
    """Random children of two members: every decision is answered as one of them answers it."""
    return await answering(crossover, question)


@router.post("/crossover/batch")
def crossover_batch(space: SpaceHere, batch: CrossoverBatch, request_id: RequestIdentity) -> BatchView[CrossoverView]:
    """Children of up to 100 pairs, in order."""
    return in_order(space, batch.items, crossover, request_id)


@router.post("/diff")
async def find_difference(answering: AnsweringHere, question: DifferenceQuestion) -> DifferenceView:
    """The decisions in which two members differ: a script that turns the first into the second, and a distance."""
    return await answering(difference, question)


@router.post("/diff/batch")
def diff_batch(space: SpaceHere, batch: DifferenceBatch, request_id: RequestIdentity) -> BatchView[DifferenceView]:
    """Differences of up to 500 pairs, in order."""
    return in_order(space, batch.items, difference, request_id)


@router.post("/canonical")
async def find_canonical(answering: AnsweringHere, question: CanonicalQuestion) -> CanonicalView:
    """The member that stands for a member and everything that is the same under an equivalence of the space."""
    return await answering(canonical_form, question)


@router.post("/canonical/batch")
def canonical_batch(space: SpaceHere, batch: CanonicalBatch, request_id: RequestIdentity) -> BatchView[CanonicalView]:
    """Canonical forms of up to 200 members, in order."""
    return in_order(space, batch.items, canonical_form, request_id)


@router.post("/cost")
def find_cost(space: SpaceHere, question: CostQuestion) -> CostView:
    """Exact parameters, multiply-adds and activations of a member on a skeleton, in all and by node."""
    return costs(space, question)


@router.post("/cost/batch")
def cost_batch(space: SpaceHere, batch: CostBatch, request_id: RequestIdentity) -> BatchView[CostView]:
    """Costs of up to 50 members, in order."""
    return in_order(space, batch.items, costs, request_id)


@router.post("/draw", response_class=Response, responses=DRAWINGS)
def draw(space: SpaceHere, question: DrawQuestion) -> Response:
    """A member's cells as SVG, and its network where a skeleton is given; or as text."""
    return drawing_response(drawing(space, question))


@router.post("/draw/batch")
def draw_batch(space: SpaceHere, batch: DrawBatch, request_id: RequestIdentity) -> BatchView[DrawingView]:
    """Drawings of up to 20 members, in order."""
    return in_order(space, batch.items, drawing, request_id)


@router.post("/encode")
async def encode(answering: AnsweringHere, question: EncodingQuestion) -> EncodingView:
    """A member as numbers: one-hot, as adjacency matrices, or as the ways through its cells."""
    return await answering(encoding, question)


@router.post("/encode/batch")
def encode_batch(space: SpaceHere, batch: EncodingBatch, request_id: RequestIdentity) -> BatchView[EncodingView]:
    """Encodings of up to 200 members, in order."""
    return in_order(space, batch.items, encoding, request_id)


@router.post("/convert")
async def convert(answering: AnsweringHere, question: ConversionQuestion) -> ConversionView:
    """A member in another of the space's formats."""
    return await answering(conversion, question)


@router.post("/convert/batch")
def convert_batch(space: SpaceHere, batch: ConversionBatch, request_id: RequestIdentity) -> BatchView[ConversionView]:
    """Up to 1000 members, converted in order."""
    return in_order(space, batch.items, conversion, request_id)
