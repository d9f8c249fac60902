"""Questions for drawings and their answers."""

from typing import Literal

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity


class DrawQuestion(NetworkQuestion):
    """What does a genotype look like?"""

    form: Literal["svg", "text"] = Field(
        default="svg", description="`svg`: a picture; `text`: a few lines of characters"
    )


class DrawingView(Output):
    """A drawing, inside a batch."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    form: Literal["svg", "text"] = Field(description="What the drawing is")
    drawing: str = Field(description="The drawing: SVG 1.1, or lines of characters")
