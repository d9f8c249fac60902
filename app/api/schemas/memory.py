"""Questions about peak memory and their answers."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Input, Output
from app.api.schemas.space import SpaceIdentity
from app.architecture.memory import MemoryDirection, MemoryPrecision, Optimiser

LARGEST_BATCH = 65536  # images


class MemoryQuestion(NetworkQuestion):
    """How much memory does the network of a genotype need?"""

    batch_size: int = Field(default=64, ge=1, le=LARGEST_BATCH, description="Images of a batch")
    precision: MemoryPrecision = Field(
        default="float32", description="Arithmetic; `bfloat16` as autocast, parameters stay in float32"
    )
    direction: MemoryDirection = Field(
        default="forward",
        description="`forward`: inference; `forward+backward`: one pass each; `training`: a whole step, with the "
        "optimiser's state and the gradients of the step before",
    )
    optimiser: Optimiser = Field(
        default="sgd", description="Of a `training` step: `sgd` with momentum, or `adam`; otherwise of no account"
    )


class MemoryBatch(Input):
    """Genotypes whose peak memory is asked for."""

    items: Annotated[list[MemoryQuestion], Field(min_length=1, max_length=20)] = Field(description="At most 20")


class HeldView(Output):
    """What one node holds at the peak."""

    name: str = Field(description="Place of the node in the network")
    op: str = Field(description="Its operation")
    bytes: int = Field(description="Its output, what it keeps for the backward pass, and gradients, in bytes")


class MemoryView(Output):
    """Peak memory of a genotype's network, predicted; the parts are those of the largest moment and add up."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    skeleton: dict[str, Any] = Field(description="The skeleton")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    batch_size: int = Field(description="Images of a batch")
    precision: MemoryPrecision = Field(description="Arithmetic")
    direction: MemoryDirection = Field(description="What the network does")
    optimiser: Optimiser | None = Field(description="The optimiser; null unless it trains")
    peak_memory_bytes: int = Field(description="All that is held at the largest moment, in bytes")
    parameters: int = Field(description="Bytes of learnable numbers")
    buffers: int = Field(description="Bytes of statistics and tables that are not learnt")
    gradients: int = Field(description="Bytes of gradients of parameters")
    optimiser_state: int = Field(description="Bytes of the optimiser's state")
    activations: int = Field(
        description="Bytes of the input, of values, of what is kept for the backward pass, and of kernels at work"
    )
    error: float = Field(
        description="Relative error that no measured peak of the configurations in docs/memory.md passed, by torch's "
        "CPU allocator; other devices were not measured"
    )
    largest: list[HeldView] = Field(description="The nodes that hold most at that moment, at most ten")
