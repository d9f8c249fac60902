"""Replays as they travel: whether a search that repeats another one came to the same."""

from typing import Any

from pydantic import Field

from app.api.schemas.model import Output


class ConditionView(Output):
    """Something that may change numbers, in the search and in its replay."""

    name: str = Field(
        description="`code_version`, `torch_version`, `device`, `results_digest` of a table, or `order of sums`: "
        "`fixed` where the recipe is deterministic"
    )
    of: Any = Field(description="In the search; null where it is not known")
    replay: Any = Field(description="In the replay; null where it is not known")
    same: bool = Field(description="Whether it is known, and the same")


class DifferenceView(Output):
    """The first place in which two results differ."""

    place: str = Field(description="JSON pointer into the result: `/trajectory/3/index` is of the fourth evaluation")
    of: Any = Field(description="What the search has there; null also where it has nothing")
    replay: Any = Field(description="What the replay has there; null also where it has nothing")


class ReplayView(Output):
    """A search and its replay, compared."""

    of: str = Field(description="UUID of the search that is repeated")
    replay: str = Field(description="UUID of the search that repeats it")
    of_state: str = Field(description="State of the first one's job")
    state: str = Field(description="State of the replay's job")
    identical: bool | None = Field(
        description="Whether both came to exactly the same, times aside; null while or where that cannot be told"
    )
    reason: str | None = Field(description="Why it cannot be told; null where it can")
    compared: list[str] = Field(description="The parts of the results that were compared")
    equal_steps: int = Field(description="Evaluations, or epochs of a supernet, that are equal from the first on")
    first_difference: DifferenceView | None = Field(description="Null where there is none")
    conditions: list[ConditionView] = Field(description="What may change numbers")
    oracle: bool = Field(description="Whether the search decides by the test split")
    label: str | None = Field(description="Of an oracle experiment, to be shown with every number of it; else null")
    links: dict[str, str] = Field(description="Both searches")
