"""Questions about costs and their answers."""

from typing import Any

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity


class CostQuestion(NetworkQuestion):
    """What does a genotype cost?"""

    by_node: bool = Field(default=True, description="Whether to list the cost of every node of the graph")
    receptive_field: bool | None = Field(
        default=None,
        description="Whether to find the receptive field; default: as `by_node`. Without both, all else comes from a "
        "price list and takes no network",
    )


class NodeCostView(Output):
    """The cost of one node of the graph."""

    name: str = Field(description="Place of the node in the network")
    op: str = Field(description="Its operation")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    activations: int = Field(description="Numbers it puts out for one image; 0 unless a convolution or linear layer")


class ReceptiveFieldView(Output):
    """How much of the input one place of the last maps, or one token, depends on."""

    height: int | None = Field(
        description="Pixels, padding among them; null where a place depends on the whole input, however large it is "
        "(attention, squeeze-and-excitation, learnt offsets, recurrence); 0 where the last maps are always zeros"
    )
    width: int | None = Field(description="Pixels, as the height")
    covers_input: bool = Field(description="Whether it is at least as high and as wide as the input")


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
    receptive_field: ReceptiveFieldView | None = Field(
        description="Of the place in the middle of the maps before the mean or the logits; null where it was not "
        "asked for"
    )
    by_node: list[NodeCostView] = Field(description="Every node that costs something; empty where it was not asked for")
