"""Members made from members, compared with one another, encoded as numbers, written in other formats."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.genotype import Format, Genotype, GenotypeQuestion, Index, IndexedGenotype
from app.api.schemas.model import Input, Output
from app.api.schemas.space import SpaceIdentity

EncodingName = Literal["one-hot", "adjacency", "path"]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Seed; the same seed gives the same genotypes")]


class MutationQuestion(GenotypeQuestion):
    """Random genotypes one decision away."""

    count: int = Field(default=1, ge=1, le=200, description="How many mutants, independent of one another")
    seed: Seed = 0


class PairQuestion(Input):
    """A question about two genotypes."""

    first: Genotype
    second: Genotype
    format: Format = Field(default="json", description="Format of both genotypes")


class CrossoverQuestion(PairQuestion):
    """Random genotypes that answer every decision as one of two does."""

    count: int = Field(default=2, ge=1, le=200, description="How many children, independent of one another")
    seed: Seed = 0


class DifferenceQuestion(PairQuestion):
    """What turns one genotype into another?"""


class EncodingQuestion(GenotypeQuestion):
    """A genotype as numbers."""

    encoding: EncodingName = Field(
        default="one-hot",
        description="`one-hot`: a 0 or 1 for every option of every decision; `adjacency`: the graph of each cell; "
        "`path`: the different ways through each cell",
    )
    columns: bool = Field(default=True, description="Whether to name the columns of the one-hot vector")


class ConversionQuestion(Input):
    """A genotype in another format."""

    genotype: Genotype
    source: Format = Field(default="json", alias="from", description="Format it is given in")
    target: Format = Field(default="json", alias="to", description="Format it is wanted in")


class MutationView(Output):
    """Mutants: of the decisions that have another answer each is equally likely, then each of its other answers."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    seed: int = Field(description="The seed")
    items: list[IndexedGenotype] = Field(description="The mutants, in the order they were drawn")


class CrossoverView(Output):
    """Children: each decision is answered as one of the two parents answers it, both equally likely."""

    space: SpaceIdentity = Field(description="The space")
    first: Index
    second: Index
    seed: int = Field(description="The seed")
    items: list[IndexedGenotype] = Field(description="The children, in the order they were drawn")


class EditView(Output):
    """One decision changed."""

    path: str = Field(description="Path of the decision")
    kind: Literal["choice", "subset", "length"] = Field(description="Kind of the decision")
    before: Any = Field(
        serialization_alias="from", description="Its answer in the first genotype; null where that does not meet it"
    )
    after: Any = Field(
        serialization_alias="to", description="Its answer in the second genotype; null where that does not meet it"
    )


class DifferenceView(Output):
    """What turns one genotype into another."""

    space: SpaceIdentity = Field(description="The space")
    first: Index
    second: Index
    distance: int = Field(description="Decisions in which they differ: a metric on the genotypes of the space")
    edits: list[EditView] = Field(description="Those decisions, in the order of the grammar")


class EdgeView(Output):
    """One vertex reads another."""

    source: int = Field(description="Position of the vertex that is read")
    target: int = Field(description="Position of the vertex that reads")
    label: str | None = Field(description="Operation on the way; null where vertices have the operations")


class CellEncodingView(Output):
    """One cell as a graph."""

    path: str = Field(description="Path of the cell in the grammar")
    vertices: list[str] = Field(description="Names of the vertices: inputs, inner ones, the output")
    labels: list[str | None] = Field(description="Operation of each vertex; null where it has none")
    matrix: list[list[int]] = Field(description="How many edges lead from the row's vertex to the column's")
    edges: list[EdgeView] = Field(description="The edges with their operations")
    ways: list[list[str]] = Field(description="The different ways from input to output; empty unless asked for")


class EncodingView(Output):
    """A genotype as numbers."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    encoding: EncodingName = Field(description="The encoding")
    vector: list[int] | None = Field(description="One 0 or 1 a column; null unless one-hot")
    columns: list[str] | None = Field(description="`path=option` of each column; null unless asked for")
    cells: list[CellEncodingView] | None = Field(description="The cells; null if one-hot")


class ConversionView(Output):
    """A genotype in another format."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    source: str = Field(serialization_alias="from", description="Format it was given in")
    target: str = Field(serialization_alias="to", description="Format it is in now")
    genotype: Any = Field(description="The genotype: text or JSON, as the format has it")
