"""Rank correlations as they are asked for and answered."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import Discriminator, Field, Tag

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.discrete_search import MetricName, Named
from app.api.schemas.evaluation import EvaluationKindName, SplitName
from app.api.schemas.model import Input, Output
from app.api.schemas.skeleton import SkeletonChoice
from app.api.schemas.space import SpaceIdentity
from app.api.schemas.variation import Seed

MAX_TOP = 1000
MAX_TOPS = 10

CostName = Literal["params", "macs"]
GoalName = Literal["maximise", "minimise"]


class MeasuredSide(Input):
    """Results of the catalogue: of one data set, split, kind, recipe and skeleton.

    What is left out is what all results of the space that the caller sees agree on; where they do not, the answer
    lists what there is. Results of several of these are never mixed.
    """

    dataset: Named | None = Field(default=None, description="Data set, as the results name it")
    split: SplitName | None = Field(default=None, description="Split that was measured on")
    recipe: Named | None = Field(default=None, description="Name or digest of their recipe")
    evaluation: EvaluationKindName | None = Field(default=None, description="How the weights came about")
    skeleton: SkeletonChoice | None = Field(
        default=None, description="Skeleton of the architectures; its classes are the data set's"
    )
    metric: MetricName = Field(default="accuracy", description="What was measured")
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Results of this seed alone; default: the mean over an architecture's",
    )
    goal: GoalName | None = Field(
        default=None,
        description="Which way is better, for the best k; default: `loss` is minimised, all else maximised",
    )


class ProxySide(Input):
    """A zero-cost proxy that a profile computed; it is maximised."""

    job: UUID = Field(strict=False, description="UUID of a profile with proxies of members of the space")
    proxy: MetricName = Field(description="Name of the proxy; GET /v1/proxies lists them")


def side_given(value: object) -> str:
    """Tells the ways apart in which a side is given: only one of them is then at fault."""
    if isinstance(value, str):
        return "cost"
    given = set(cast("dict[str, object]", value)) if isinstance(value, dict) else set[str]()
    return "scored" if isinstance(value, ProxySide) or given & {"proxy", "job"} else "measured"


Side = Annotated[
    Annotated[CostName, Tag("cost")] | Annotated[ProxySide, Tag("scored")] | Annotated[MeasuredSide, Tag("measured")],
    Discriminator(side_given),
]


class CorrelationQuestion(Input):
    """Two numbers of the same members of a space."""

    space: SpaceReference
    x: Side = Field(description="Results, a proxy, or a cost: `params` or `macs`, which are maximised")
    y: Side = Field(description="The same; one side at least is not a cost")
    tops: Annotated[list[Annotated[int, Field(ge=1, le=MAX_TOP)]], Field(max_length=MAX_TOPS)] | None = Field(
        default=None, description="How many are the best, of which the overlap is told; default: 10 and 100"
    )
    seed: Seed = 0


class SideView(Output):
    """A side as it was found."""

    kind: Literal["measured", "proxy", "cost"] = Field(description="What it is")
    name: str = Field(description="Metric, proxy or cost")
    goal: GoalName = Field(description="Which way is better")
    dataset: str | None = Field(description="Data set; null of a cost")
    split: str | None = Field(description="Split; null of a cost")
    evaluation: str | None = Field(description="Kind of the results; null of others")
    recipe: str | None = Field(description="Name of the recipe; null of others")
    recipe_digest: str | None = Field(description="Its digest; null of others")
    seed: int | None = Field(description="The one seed; null where values are means over all")
    skeleton: dict[str, Any] | None = Field(description="Skeleton of the architectures; null of a cost")
    input: dict[str, int] | None = Field(description="Their image; null of a cost")
    job: str | None = Field(description="UUID of the profile; null of others")
    architectures: int = Field(
        description="How many have the number; of results beside a proxy: among the members that it was computed of"
    )
    results: list[int] = Field(description="Least and most results that a value is the mean of")


class AssociationView(Output):
    """One measure of how alike the two orders are."""

    statistic: Literal["spearman", "kendall", "top_overlap"] = Field(
        description="Spearman's rho, Kendall's tau-b, or the share of the k best by x that are among the k best by y"
    )
    k: int | None = Field(description="Of an overlap; else null")
    value: float | None = Field(description="In [-1, 1], an overlap in [0, 1]; null where a side has no order")
    low: float | None = Field(description="Lower end of the 95 % interval (percentile bootstrap)")
    high: float | None = Field(description="Its upper end")
    resamples: int = Field(description="Resamples that the interval is from")
    p_value: float | None = Field(description="How likely chance gives as much; two-sided but for overlaps")
    p_method: str = Field(description="How that was found")
    n: int = Field(description="Pairs")


class CorrelationView(Output):
    """How alike two orders of the same members are."""

    space: SpaceIdentity = Field(description="The space")
    x: SideView = Field(description="The one side")
    y: SideView = Field(description="The other")
    joined_by: Literal["architecture", "genotype"] = Field(
        description="`architecture` on one skeleton and image; else the genotype by which each is catalogued"
    )
    n: int = Field(description="Pairs that were looked at")
    total: int = Field(description="Pairs that there are; more than `n` where a sample was drawn, by hash")
    seed: int = Field(description="Seed of resamples and random orders")
    correlations: list[AssociationView] = Field(description="Spearman, Kendall, and the overlap of each of `tops`")
