"""Questions about costs and their answers."""

from typing import Any

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity


class CostQuestion(NetworkQuestion):
    """What does a genotype cost?"""

    by_node: bool = Field(default=True, description="Whether to list the cost of every node of the graph")


class NodeCostView(Output):
    """The cost of one node of the graph."""

    name: str = Field(description="Place of the node in the network")
    op: str = Field(description="Its operation")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    activations: int = Field(description="Numbers it puts out for one image; 0 unless a convolution or linear layer")


class CostView(Output):
    """What a genotype costs on a skeleton; exact, for one image."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    skeleton: dict[str, Any] = Field(description="The skeleton")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    activations: int = Field(description="Numbers that convolutions and linear layers put out for one image")
    depth: int = Field(description="Convolutions and linear layers on the longest way from image to logits")
    by_node: list[NodeCostView] = Field(description="Every node that costs something; empty where it was not asked for")
