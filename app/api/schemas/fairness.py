"""Questions for what a space's options cost beside each other, and their answers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.model import Input, Output
from app.api.schemas.profile import BatchSize, Direction, Precision, TableView
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import SpaceIdentity

Method = Literal["exact expectation", "sampled differences to the cheapest option"]
MeasureName = Literal["params", "macs", "activations", "latency_ms"]
ChartForm = Literal["json", "svg"]
ThemeName = Literal["auto", "light", "dark"]

Measure = Annotated[MeasureName, Field(description="What a chart shows; `latency_ms` needs a device")]
Form = Annotated[ChartForm, Field(description="`json`: every figure; `svg`: a chart of one measure")]
Width = Annotated[int, Field(ge=320, le=4000, description="Width in pixels that a chart is laid out for")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Seed of the samples, where costs are sampled")]
Theme = Annotated[
    ThemeName, Field(description="Colours of a chart; `auto`: light, and dark where the reader prefers it")
]


class FairnessQuestion(Input):
    """How unequal are the options of a space's decisions on a skeleton?"""

    skeleton: SkeletonChoice | None = Field(
        default=None,
        description="Name of one of the space's skeletons, or one as an object; default: `cifar`, else the first",
    )
    input: ImageBody | None = Field(default=None, description="The input image; default: the space's own")
    device: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Device whose lookup table adds latencies; GET /v1/profiles/devices lists them",
    )
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads; default: the newest table's")
    batch_size: BatchSize = 1
    precision: Precision = "float32"
    direction: Direction = "forward"
    form: Form = "json"
    measure: Measure = "macs"
    width: Width = 1200
    theme: Theme = "auto"
    seed: Seed = 0


class StandardErrorView(Output):
    """How far sampled differences are from the true ones, typically."""

    params: float = Field(description="Standard error in learnable numbers; 0 for the cheapest option")
    macs: float = Field(description="Standard error in multiply-adds for one image; 0 for the cheapest option")
    activations: float = Field(description="Standard error in numbers put out for one image; 0 for the cheapest option")


class OptionCostView(Output):
    """What one option costs where it stands; where costs are sampled, what it costs more than the cheapest option."""

    option: Any = Field(description="The option")
    params: float = Field(description="Expected learnable numbers")
    macs: float = Field(description="Expected multiply-adds for one image")
    activations: float = Field(description="Expected numbers that convolutions and linear layers put out for one image")
    latency_ms: float | None = Field(
        description="Expected milliseconds of one pass by the table; null without one, or where it lacks something"
    )
    standard_error: StandardErrorView | None = Field(description="Of sampled differences; null where costs are exact")
    samples: int | None = Field(
        description="Samples in which a member with this option has a price; null where costs are exact"
    )


class SpreadView(Output):
    """How unequal the options of one decision are in one measure."""

    ratio: float | None = Field(description="Dearest over cheapest of those that cost anything; null where none does")
    peak: float | None = Field(description="Dearest over the mean of all; null where none costs anything")
    variation: float | None = Field(description="Standard deviation over mean of all; null where none costs anything")
    free: float = Field(description="Share of the options that cost nothing")
    weights: list[float] = Field(description="Cost over mean cost, an option each: dimensionless, their mean is 1")
    inverse: list[float] = Field(
        description="1 / (1 + weight), scaled so that the mean is 1: large for cheap options, finite for free ones"
    )


class PlaceView(Output):
    """Decisions with the same options that cost the same."""

    kind: Literal["choice", "subset", "length"] = Field(description="What is decided")
    decisions: list[str] = Field(description="Their paths")
    options: list[OptionCostView] = Field(description="Their options, in the grammar's order")
    spreads: dict[str, SpreadView] = Field(description="By measure; `latency_ms` only where all latencies are known")
    kendall: float | None = Field(
        description="Kendall's tau-b between MACs and latency of these options; null unless both are known and differ"
    )


class OverallView(Output):
    """How unequal options are over all decisions, in one measure."""

    decisions: int = Field(description="Decisions among whose options one costs something")
    unequal: int = Field(description="Those whose options cost differently")
    greatest: float | None = Field(description="Greatest ratio of dearest to cheapest that costs anything")
    middle: float | None = Field(description="Median of these ratios over the decisions")
    at: str | None = Field(description="Path of a decision with the greatest ratio")
    variation: float | None = Field(description="Mean over the decisions of standard deviation over mean")
    free: float = Field(description="Share of all options of all decisions that cost nothing")


class FairnessTableView(Output):
    """What a device's table says of a space's options."""

    table: TableView = Field(description="The lookup table")
    needed: int = Field(description="Entries that members of the space can need on this skeleton")
    missing: list[str] = Field(description="Those that the table lacks")
    options: int = Field(description="Options of places whose latencies are all known")
    kendall: float | None = Field(description="Kendall's tau-b between MACs and latency over all these options")
    spearman: float | None = Field(description="Spearman's rho over the same")
    kendall_within: float | None = Field(description="Mean of tau-b within each place, where both differ")


class SamplingView(Output):
    """How differences were sampled."""

    seed: int = Field(description="The seed: the same gives the same figures")
    members: int = Field(description="Members that were priced, each once")
    invalid: int = Field(description="Members left out because they break a constraint")
    without_network: int = Field(description="Members left out because they have no network on this skeleton")
    undetermined: list[str] = Field(description="Decisions left out: too few samples have a price with all options")


class FairnessView(Output):
    """How unequal the options of a space's decisions are on a skeleton."""

    space: SpaceIdentity = Field(description="The space")
    skeleton: dict[str, Any] = Field(description="The skeleton")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    method: Method = Field(
        description="How costs were found; differences are sampled where the decisions hang together too much for sums"
    )
    samples: int | None = Field(
        description="Samples, each an answer to every decision of the space; null where costs are exact"
    )
    sampling: SamplingView | None = Field(description="How they were sampled; null where costs are exact")
    assumed: str = Field(description="What was assumed of all other decisions")
    places: list[PlaceView] = Field(description="Every decision, equal ones together, in the grammar's order")
    overall: dict[str, OverallView] = Field(description="The whole space, by measure")
    latency: FairnessTableView | None = Field(description="What the device's table adds; null without a device")
