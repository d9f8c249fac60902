"""Questions for drawings and their answers."""

from typing import Literal

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity

Form = Literal["svg", "text", "dot", "json"]


class DrawQuestion(NetworkQuestion):
    """What does a genotype look like?"""

    form: Form = Field(
        default="svg",
        description="`svg`: a picture; `text`: a few lines of characters; `dot`: the language of Graphviz; `json`: "
        "nodes and edges as networkx reads them; the last two are of the cells, on a skeleton of the whole network",
    )


class DrawingView(Output):
    """A drawing, inside a batch."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    form: Form = Field(description="What the drawing is")
    drawing: str = Field(description="The drawing: SVG 1.1, lines of characters, DOT, or a JSON document as text")
