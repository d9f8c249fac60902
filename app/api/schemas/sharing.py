"""What sharing weights is worth: members judged with inherited weights and trained from scratch, side by side."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.experiment import Seeds
from app.api.schemas.model import Input, Output
from app.api.schemas.recipe import TrainingRecipeChoice

MAX_CHECKED = 200  # members


class SharingCheckBody(Input):
    """Members, drawn uniformly, that are trained from scratch once the search is over: whether weights order them so.

    On the skeleton and the data set of the supernet; every training is a job of its own.
    """

    members: int = Field(ge=2, le=MAX_CHECKED, description="How many; fewer where the space has no more")
    recipe: TrainingRecipeChoice | None = Field(
        default=None, description="Recipe of the trainings; default: the data set's"
    )
    seeds: Annotated[Seeds, Field(min_length=1)] = Field(
        default=[0], description="Seeds, all different: each member is trained once a seed"
    )


class RankCorrelationView(Output):
    """How alike two orders of the same members are."""

    coefficient: float | None = Field(description="In [-1, 1]; null where a side has no order")
    low: float | None = Field(description="Lower end of the 95 % interval (percentile bootstrap)")
    high: float | None = Field(description="Its upper end")
    p_value: float | None = Field(description="How likely chance gives one at least as far from 0")
    p_method: str = Field(description="How that was found")
    n: int = Field(description="Members")


class SharedMemberView(Output):
    """One member, both ways, in percent of `selection`."""

    index: str = Field(description="Rank of the genotype, decimal")
    inherited: float = Field(description="With inherited weights")
    standalone: float = Field(description="Trained from scratch, the mean over the seeds")
    deviation: float | None = Field(description="Sample standard deviation between the seeds; null of one")
    jobs: list[str] = Field(description="UUIDs of the trainings, by seed")


class SharingView(Output):
    """Whether the weights of the supernet order members as trainings of their own do."""

    split: str = Field(description="Split that both were measured on")
    recipe: str = Field(description="Name of the recipe of the trainings")
    recipe_digest: str = Field(description="Its digest")
    seeds: list[int] = Field(description="Seeds of the trainings")
    spearman: RankCorrelationView = Field(description="Spearman's rho")
    kendall: RankCorrelationView = Field(description="Kendall's tau-b")
    pairs: list[SharedMemberView] = Field(description="The members that were measured both ways, as they were drawn")
    notes: list[str] = Field(description="What the numbers do not say, and which members are missing")
