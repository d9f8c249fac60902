"""Batches: many questions of one kind, answered in their order with a status each. Every kind has its own cap."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, Field

from app.api.schemas.cost import CostQuestion
from app.api.schemas.drawing import DrawQuestion
from app.api.schemas.genotype import (
    CanonicalQuestion,
    GenotypeQuestion,
    NeighbourQuestion,
)
from app.api.schemas.model import Input, Output
from app.api.schemas.problem import ProblemView
from app.api.schemas.space import SpaceIdentity
from app.api.schemas.transfer import TransferQuestion
from app.api.schemas.variation import (
    ConversionQuestion,
    CrossoverQuestion,
    DifferenceQuestion,
    EncodingQuestion,
    MutationQuestion,
)

Answer = TypeVar("Answer", bound=Output)

MOST_PLACES = 50  # of one batch of transfers
MOST_GRAPHS = 4  # of whole networks, in one batch of drawings


class ValidationBatch(Input):
    """Genotypes to validate."""

    items: Annotated[list[GenotypeQuestion], Field(min_length=1, max_length=1000)] = Field(description="At most 1000")


class NeighbourBatch(Input):
    """Genotypes whose neighbours are asked for."""

    items: Annotated[list[NeighbourQuestion], Field(min_length=1, max_length=20)] = Field(description="At most 20")


class CanonicalBatch(Input):
    """Genotypes whose canonical form is asked for."""

    items: Annotated[list[CanonicalQuestion], Field(min_length=1, max_length=200)] = Field(description="At most 200")


class CostBatch(Input):
    """Genotypes whose cost is asked for."""

    items: Annotated[list[CostQuestion], Field(min_length=1, max_length=50)] = Field(description="At most 50")


def few_places(items: list[TransferQuestion]) -> list[TransferQuestion]:
    """A place takes as long as a question for a cost, of which a batch has as many."""
    if (many := sum(len(item.places or ()) for item in items)) > MOST_PLACES:
        raise ValueError(f"the items have {many} places; at most {MOST_PLACES} in all")
    return items


def few_graphs(items: list[DrawQuestion]) -> list[DrawQuestion]:
    """Graphs of whole networks are megabytes each."""
    if (many := sum(item.skeleton is not None and item.form in ("dot", "json") for item in items)) > MOST_GRAPHS:
        raise ValueError(f"{many} items ask for graphs on a skeleton; at most {MOST_GRAPHS} in all")
    return items


class TransferBatch(Input):
    """Genotypes whose cost in several places is asked for."""

    items: Annotated[list[TransferQuestion], Field(min_length=1, max_length=20), AfterValidator(few_places)] = Field(
        description=f"At most 20, with at most {MOST_PLACES} places in all"
    )


class DrawBatch(Input):
    """Genotypes to draw."""

    items: Annotated[list[DrawQuestion], Field(min_length=1, max_length=20), AfterValidator(few_graphs)] = Field(
        description=f"At most 20, of which at most {MOST_GRAPHS} are `dot` or `json` on a skeleton"
    )


class MutationBatch(Input):
    """Genotypes whose mutants are asked for."""

    items: Annotated[list[MutationQuestion], Field(min_length=1, max_length=100)] = Field(description="At most 100")


class CrossoverBatch(Input):
    """Pairs of genotypes whose children are asked for."""

    items: Annotated[list[CrossoverQuestion], Field(min_length=1, max_length=100)] = Field(description="At most 100")


class DifferenceBatch(Input):
    """Pairs of genotypes to compare."""

    items: Annotated[list[DifferenceQuestion], Field(min_length=1, max_length=500)] = Field(description="At most 500")


class EncodingBatch(Input):
    """Genotypes to encode."""

    items: Annotated[list[EncodingQuestion], Field(min_length=1, max_length=200)] = Field(description="At most 200")


class ConversionBatch(Input):
    """Genotypes to write in another format."""

    items: Annotated[list[ConversionQuestion], Field(min_length=1, max_length=1000)] = Field(description="At most 1000")


class Answered(Output, Generic[Answer]):
    """What became of one item."""

    status: int = Field(description="The HTTP status that the question alone would have had")
    answer: Answer | None = Field(description="Its answer; null where there is a problem instead")
    problem: ProblemView | None = Field(description="Why there is no answer, with pointers into the item; else null")


class BatchView(Output, Generic[Answer]):
    """The answers to a batch, in the order of its items."""

    space: SpaceIdentity = Field(description="The space that all items were asked of")
    items: list[Answered[Answer]] = Field(description="One entry an item, in their order")
