"""Results over several seeds as they travel."""

from pydantic import Field

from app.api.schemas.evaluation import EvaluationKindName, SplitName
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity


class SummaryLinks(Output):
    """Where to go from a summary."""

    architecture: str = Field(description="What was measured")
    evaluations: str = Field(description="The evaluations that are summed up")


class SummaryView(Output):
    """Results of one architecture that compare: of one data set, split, kind and recipe."""

    architecture_id: str = Field(description="What was measured")
    space: SpaceIdentity = Field(description="The space of its genotype")
    index: str = Field(description="Rank of the genotype by which it is catalogued, decimal")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds for one image")
    dataset: str = Field(description="The data set")
    split: SplitName = Field(description="The split that was measured on")
    kind: EvaluationKindName = Field(description="How the weights came about")
    recipe: str = Field(description="Name of the recipe")
    recipe_digest: str = Field(description="Its digest")
    metric: str = Field(description="What is summed up")
    evaluations: int = Field(description="Results")
    n: int = Field(description="Different seeds among them")
    seeds: list[int] = Field(description="These seeds, the smallest twenty")
    mean: float = Field(description="Mean over the results; of an accuracy, in percent")
    deviation: float | None = Field(description="Sample standard deviation; null of one result, which has none")
    minimum: float = Field(description="The smallest")
    maximum: float = Field(description="The largest")
    links: SummaryLinks = Field(description="Where to go from here")


class SummaryPage(Output):
    """A page of architectures, each with all that compares of it."""

    items: list[SummaryView] = Field(description="By architecture, data set, split, kind and recipe")
    next: str | None = Field(description="Cursor of the next page; null on the last one")
