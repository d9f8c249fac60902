"""Two spaces side by side: sizes, what their members cost, and what was measured of them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.model import Input, Output
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import SpaceSizeView
from app.api.schemas.variation import Seed


class ComparisonQuestion(Input):
    """Two spaces to compare."""

    spaces: Annotated[list[SpaceReference], Field(min_length=2, max_length=2)] = Field(description="The two spaces")
    skeletons: Annotated[list[SkeletonChoice | None], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Skeleton of each, by name or as an object; null: its default one"
    )
    input: ImageBody | None = Field(default=None, description="The image for both; default: each space's own")
    count: int = Field(default=200, ge=2, le=1000, description="Members of each that are drawn, uniformly, and priced")
    seed: Seed = 0
    bins: int = Field(default=20, ge=2, le=100, description="Bins of the histograms")


class DistributionView(Output):
    """How a number is distributed over a sample."""

    count: int = Field(description="Numbers in the sample")
    mean: float = Field(description="Their mean")
    minimum: float = Field(description="The smallest")
    p5: float = Field(description="5th percentile")
    p25: float = Field(description="25th percentile")
    median: float = Field(description="50th percentile")
    p75: float = Field(description="75th percentile")
    p95: float = Field(description="95th percentile")
    maximum: float = Field(description="The largest")
    histogram: list[int] = Field(description="How many fall into each bin; the last bin holds its upper edge")


class AccuracyView(Output):
    """Accuracies that are comparable: one data set, split and recipe. Not a sample of the space: what was measured."""

    dataset: str = Field(description="The data set")
    split: str = Field(description="The split on which they were measured")
    recipe: str = Field(description="Name of the recipe")
    recipe_digest: str = Field(description="Digest of the recipe")
    kind: str = Field(description="Kind of the evaluations: `trained`, `inherited` or `baseline`")
    count: int = Field(description="Evaluations")
    minimum: float = Field(description="The lowest accuracy in percent")
    p25: float = Field(description="25th percentile in percent")
    median: float = Field(description="50th percentile in percent")
    p75: float = Field(description="75th percentile in percent")
    maximum: float = Field(description="The highest accuracy in percent")


class ComparedView(Output):
    """One of two spaces."""

    sizes: SpaceSizeView = Field(description="Which space, and its sizes")
    skeleton: dict[str, Any] | None = Field(description="Skeleton its members were priced on; null if there is none")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    params: DistributionView | None = Field(description="Learnable numbers of uniform valid members; null if unknown")
    macs: DistributionView | None = Field(description="Multiply-adds for one image, of the same; null if unknown")
    priced: str = Field(description="How they were priced, and whether time cut the sample short; or why they were not")
    accuracy: list[AccuracyView] = Field(description="What the catalogue holds of it")


class EdgesView(Output):
    """Edges of the bins, the same for both spaces: one more than there are bins."""

    scale: Literal["linear", "logarithmic"] = Field(description="How the edges are spaced")
    values: list[float] = Field(description="The edges, rising")


class ComparisonView(Output):
    """Two spaces side by side."""

    seed: int = Field(description="Seed of both samples")
    spaces: list[ComparedView] = Field(description="The two, in the order asked")
    params_edges: EdgesView | None = Field(description="Bins of the parameters; null where none were counted")
    macs_edges: EdgesView | None = Field(description="Bins of the multiply-adds; null where none were counted")
