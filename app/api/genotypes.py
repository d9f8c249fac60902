"""Questions about one genotype of a space, each with its batch."""

from fastapi import APIRouter, Request, Response

from app.api.answers import canonical_form, neighbours, validation
from app.api.dependencies import AnsweringHere, BatchingHere, SpaceHere, SpaceName, answering_at
from app.api.schemas.batch import (
    BatchView,
    CanonicalBatch,
    ConversionBatch,
    CrossoverBatch,
    DifferenceBatch,
    EncodingBatch,
    MutationBatch,
    NeighbourBatch,
    ValidationBatch,
)
from app.api.schemas.genotype import (
    CanonicalQuestion,
    CanonicalView,
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

# What builds a graph, and every batch, leaves the event loop, so that one caller's work does not stand before
# everybody's; what takes a millisecond is answered there.


@router.post("/validate", response_model=ValidationView)
async def validate(request: Request, space: SpaceName, question: GenotypeQuestion) -> Response:
    """Whether a genotype is a valid member; if not, every fault with its place, and the nearest valid member."""
    # Asked for and written here: injection and the check of a response take longer than the answer.
    answering = await answering_at(request, space)
    view = await answering(validation, question)
    return Response(view.model_dump_json(), media_type="application/json")


@router.post("/validate/batch", response_model=BatchView[ValidationView])
async def validate_batch(asked: BatchingHere, batch: ValidationBatch) -> Response:
    """Up to 1000 genotypes, validated in order."""
    return await asked(batch.items, validation)


@router.post("/neighbours")
def list_neighbours(space: SpaceHere, question: NeighbourQuestion) -> NeighbourView:
    """Every genotype one decision away from a member."""
    return neighbours(space, question)


@router.post("/neighbours/batch", response_model=BatchView[NeighbourView])
async def neighbours_batch(asked: BatchingHere, batch: NeighbourBatch) -> Response:
    """Neighbours of up to 20 members, in order."""
    return await asked(batch.items, neighbours)


@router.post("/mutate")
async def mutate(answering: AnsweringHere, question: MutationQuestion) -> MutationView:
    """Random genotypes one decision away from a member: never the member itself."""
    return await answering(mutation, question)


@router.post("/mutate/batch", response_model=BatchView[MutationView])
async def mutate_batch(asked: BatchingHere, batch: MutationBatch) -> Response:
    """Mutants of up to 100 members, in order."""
    return await asked(batch.items, mutation)


@router.post("/crossover")
async def cross(answering: AnsweringHere, question: CrossoverQuestion) -> CrossoverView:
    """Random children of two members: every decision is answered as one of them answers it."""
    return await answering(crossover, question)


@router.post("/crossover/batch", response_model=BatchView[CrossoverView])
async def crossover_batch(asked: BatchingHere, batch: CrossoverBatch) -> Response:
    """Children of up to 100 pairs, in order."""
    return await asked(batch.items, crossover)


@router.post("/diff")
async def find_difference(answering: AnsweringHere, question: DifferenceQuestion) -> DifferenceView:
    """The decisions in which two members differ: a script that turns the first into the second, and a distance."""
    return await answering(difference, question)


@router.post("/diff/batch", response_model=BatchView[DifferenceView])
async def diff_batch(asked: BatchingHere, batch: DifferenceBatch) -> Response:
    """Differences of up to 500 pairs, in order."""
    return await asked(batch.items, difference)


@router.post("/canonical")
async def find_canonical(answering: AnsweringHere, question: CanonicalQuestion) -> CanonicalView:
    """The member that stands for a member and everything that is the same under an equivalence of the space."""
    return await answering(canonical_form, question)


@router.post("/canonical/batch", response_model=BatchView[CanonicalView])
async def canonical_batch(asked: BatchingHere, batch: CanonicalBatch) -> Response:
    """Canonical forms of up to 200 members, in order."""
    return await asked(batch.items, canonical_form)


@router.post("/encode")
async def encode(answering: AnsweringHere, question: EncodingQuestion) -> EncodingView:
    """A member as numbers: one-hot, as adjacency matrices, or as the ways through its cells."""
    return await answering(encoding, question)


@router.post("/encode/batch", response_model=BatchView[EncodingView])
async def encode_batch(asked: BatchingHere, batch: EncodingBatch) -> Response:
    """Encodings of up to 200 members, in order."""
    return await asked(batch.items, encoding)


@router.post("/convert")
async def convert(answering: AnsweringHere, question: ConversionQuestion) -> ConversionView:
    """A member in another of the space's formats."""
    return await answering(conversion, question)


@router.post("/convert/batch", response_model=BatchView[ConversionView])
async def convert_batch(asked: BatchingHere, batch: ConversionBatch) -> Response:
    """Up to 1000 members, converted in order."""
    return await asked(batch.items, conversion)
