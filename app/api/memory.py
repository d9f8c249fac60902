"""Peak memory of members on a skeleton: the question, its batch, and what a training is predicted to hold."""

from dataclasses import asdict

from fastapi import APIRouter, Response

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.costs import Network
from app.api.dependencies import BatchingHere, SpaceHere
from app.api.membership import given_rank
from app.api.schemas.batch import BatchView
from app.api.schemas.memory import HeldView, MemoryBatch, MemoryQuestion, MemoryView
from app.architecture import Graph, LoweringError, lower
from app.architecture.memory import ERROR, PeakMemory, peak_memory
from app.experiment import TrainingRecipe
from app.space import SearchSpace

router = APIRouter(prefix="/v1/spaces/{space}", tags=["genotypes"])


@router.post("/memory")
def find_memory(space: SpaceHere, question: MemoryQuestion) -> MemoryView:
    """Predicted peak memory of a member on a skeleton, for inference or training, by what it is held for."""
    return memory(space, question)


@router.post("/memory/batch", response_model=BatchView[MemoryView])
async def memory_batch(asked: BatchingHere, batch: MemoryBatch) -> Response:
    """Predicted peak memory of up to 20 members, in order."""
    return await asked(batch.items, memory)


def memory(space: SearchSpace, question: MemoryQuestion) -> MemoryView:
    """Peak memory of a genotype on a skeleton."""
    index = given_rank(space, question.genotype, question.format)
    skeleton, image = chosen_skeleton(space, question.skeleton), chosen_image(space, question.input)
    found = peak_memory(
        graph_of(Network(space, space.digest, index, skeleton, image)),
        batch_size=question.batch_size,
        precision=question.precision,
        direction=question.direction,
        optimiser=question.optimiser,
    )
    refuse_what_cannot_be_told(found)
    return MemoryView(
        space=identity(space),
        index=str(index),
        skeleton=asdict(skeleton),
        input=asdict(image),
        batch_size=question.batch_size,
        precision=question.precision,
        direction=question.direction,
        optimiser=question.optimiser if question.direction == "training" else None,
        peak_memory_bytes=found.total,
        parameters=found.parameters,
        buffers=found.buffers,
        gradients=found.gradients,
        optimiser_state=found.optimiser,
        activations=found.activations_peak,
        error=ERROR,
        largest=[HeldView(name=held.name, op=held.op, bytes=held.bytes) for held in found.largest],
    )


def training_memory(network: Network, recipe: TrainingRecipe) -> int:
    """Bytes that a training under a recipe is predicted to hold at its largest moment."""
    found = peak_memory(
        graph_of(network),
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        direction="training",
        drop_path=recipe.drop_path > 0,
    )
    refuse_what_cannot_be_told(found)
    return found.total


def graph_of(network: Network) -> Graph:
    """The graph of a member on a skeleton."""
    space = network.space
    genotype = space.plan.unrank(network.index)
    return lower(space.grammar, network.skeleton, network.image, space.plan.read(genotype))


def refuse_what_cannot_be_told(found: PeakMemory) -> None:
    """Bytes travel as JSON numbers: what cannot, no machine holds either."""
    if found.total >= 2**53:
        raise LoweringError("/skeleton", f"the network needs {found.total} bytes; at most 2^53 can be told")
