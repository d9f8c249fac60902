"""Questions for drawings and their answers."""

from typing import Literal

from pydantic import Field

from app.api.schemas.genotype import Index, NetworkQuestion
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity
from app.architecture.draw import NARROWEST, PAGE, WIDEST, Theme

Form = Literal["svg", "text", "dot", "json"]


PIXELS = "pixels from 320 to 4000 that the drawing is laid out for, its margins included: 390 suits a phone"
THEMES = "`light`, `dark`, or `auto`: light, and dark where the reader's system prefers it"


class DrawQuestion(NetworkQuestion):
    """What does a genotype look like?"""

    form: Form = Field(
        default="svg",
        description="`svg`: a picture; `text`: a few lines of characters; `dot`: the language of Graphviz; `json`: "
        "nodes and edges as networkx reads them; the last two are of the cells, on a skeleton of the whole network",
    )
    theme: Theme = Field(default="auto", description=f"Colours of `svg`: {THEMES}")
    width: int = Field(default=PAGE, ge=NARROWEST, le=WIDEST, description=f"Room for `svg`: {PIXELS}")


class DrawingView(Output):
    """A drawing, inside a batch."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    form: Form = Field(description="What the drawing is")
    drawing: str = Field(description="The drawing: SVG 1.1, lines of characters, DOT, or a JSON document as text")
