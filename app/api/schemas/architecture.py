"""Architectures as they travel: a genotype with its skeleton and its image, catalogued."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.evaluation import EvaluationView
from app.api.schemas.genotype import NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity

SpaceReference = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}(@[1-9][0-9]{0,8})?$",
        description="Name of a space, `name` or `name@version`; without a version, the latest",
    ),
]


class ArchitectureBody(NetworkQuestion):
    """A genotype to be catalogued."""

    space: SpaceReference


class ArchitectureLinks(Output):
    """Where to go from an architecture."""

    self: str = Field(description="The architecture")
    svg: str = Field(description="Its drawing")
    evaluations: str = Field(description="What was measured of it")
    neighbours: str = Field(description="What was measured of its neighbours")
    export: str = Field(description="Its graph, as JSON")


class ArchitectureView(Output):
    """An architecture of the catalogue."""

    id: str = Field(description="32 hexadecimal digits; genotypes whose networks are the same share it")
    space: SpaceIdentity = Field(description="The space of the genotype")
    index: str = Field(description="Rank of the genotype as which it was first met, as a decimal string")
    genotype: Any = Field(description="That genotype")
    skeleton: dict[str, Any] = Field(description="Its skeleton")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    created_at: datetime = Field(description="When it was first met")
    links: ArchitectureLinks = Field(description="Where to go from here")


class ArchitecturePage(Output):
    """A page of architectures."""

    items: list[ArchitectureView] = Field(description="The architectures of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class MeasuredNeighbour(Output):
    """A neighbour of which something was measured."""

    index: str = Field(description="Rank of the neighbour, as a decimal string")
    genotype: Any = Field(description="The neighbour")
    architecture_id: str = Field(description="Its architecture, on the skeleton and the image that are asked about")
    evaluations: list[EvaluationView] = Field(description="What was measured of it, the newest first: at most ten")


class MeasuredNeighbours(Output):
    """What is known of the genotypes one decision away from an architecture's, on its skeleton and its image."""

    architecture_id: str = Field(description="The architecture that is asked about")
    space: SpaceIdentity = Field(description="The space of its genotype")
    index: str = Field(description="Rank of its genotype, as a decimal string")
    neighbours: int = Field(description="How many neighbours were looked for in the catalogue")
    complete: bool = Field(description="Whether these are all neighbours; false where `limit` cut them off")
    items: list[MeasuredNeighbour] = Field(description="Those of which something was measured, by rank")


class GraphNodeView(Output):
    """A node of a graph."""

    name: str = Field(description="Place of the node; the identity of its weights")
    op: str = Field(description="Its operation")
    inputs: list[str] = Field(description="Names of the nodes it reads, in order")
    channels: int = Field(description="Channels, or features, of its output")
    size: list[int] = Field(description="The other extents of its output: height and width in pixels; [] of a vector")
    fields: dict[str, Any] = Field(description="What parametrises the operation: kernel, stride, ...")
    params: int = Field(description="Learnable numbers")


class GraphView(Output):
    """A network without weights."""

    nodes: list[GraphNodeView] = Field(description="The nodes, in an order in which they can be computed")
    outputs: list[str] = Field(description="Names of the outputs: the logits, then those of an auxiliary classifier")


class ExportView(Output):
    """An architecture as a document of its own: enough to build it elsewhere."""

    format: Literal["json"] = Field(description="Format of the export")
    architecture: ArchitectureView = Field(description="The architecture")
    graph: GraphView = Field(description="Its network")
