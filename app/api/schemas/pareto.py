"""Pareto fronts as they travel."""

from typing import Literal

from pydantic import Field

from app.api.schemas.evaluation import EvaluationView
from app.api.schemas.model import Output


class PointView(Output):
    """A point of a front."""

    x: int = Field(description="Its cost: learnable numbers, or multiply-adds for one image")
    y: float = Field(description="Its accuracy in percent")
    evaluation: EvaluationView = Field(description="The evaluation, with its architecture")


class ReferenceView(Output):
    """What is worse than every point."""

    x: int = Field(description="A cost: as given, else the largest that is asked about")
    y: float = Field(description="An accuracy in percent: as given, else the least that is asked about")


class AreaView(Output):
    """The hypervolume of a front: with two objectives, an area."""

    value: float = Field(description="What the whole front dominates up to the reference: cost times percent")
    reference: ReferenceView = Field(description="Only areas with the same reference compare")


class FrontView(Output):
    """An exact Pareto front: every other evaluation that was asked for is no smaller and no more accurate than one."""

    x: Literal["params", "macs"] = Field(description="The cost, which is small: `params`, or `macs` for one image")
    y: Literal["accuracy"] = Field(description="The quality, which is large: accuracy in percent")
    points: list[PointView] = Field(description="Its points, the smallest cost first")
    total: int = Field(description="How many points the whole front has")
    complete: bool = Field(description="Whether these are all; false where `limit` cut them off")
    hypervolume: AreaView | None = Field(description="Exactly, of the whole front; null where there is no point")
