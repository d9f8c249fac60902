"""The reproducibility checklist of a search as it travels."""

from typing import Literal

from pydantic import Field

from app.api.schemas.model import Output

AnswerName = Literal["yes", "no", "not applicable", "cannot be known"]


class ItemView(Output):
    """A question of the checklist, answered by the records."""

    number: str = Field(description="Its number in the checklist; `s1`, `s2`, ... are this service's own")
    section: str = Field(description="The section that it is in")
    question: str = Field(description="The question, in words of our own")
    answer: AnswerName = Field(description="What the records show; what they cannot show is an author's to answer")
    evidence: str = Field(description="What says so")
    link: str | None = Field(description="Where to look; null where there is nothing to look at")


class ChecklistView(Output):
    """The checklist of a search."""

    search_id: str = Field(description="UUID of the search")
    state: str = Field(description="State of its job")
    oracle: bool = Field(description="Whether the test split decides in it")
    label: str | None = Field(description="Of an oracle experiment, to be shown with every number of it; else null")
    paper: str = Field(description="Whose checklist it is")
    version: str = Field(description="Version of that checklist")
    counts: dict[AnswerName, int] = Field(description="How many questions have which answer")
    items: list[ItemView] = Field(description="The questions, in order")
    links: dict[str, str] = Field(description="The search, its provenance, and this checklist as a page")
