"""Discrete searches: a strategy proposes members of a space, an evaluator measures them, until the budget is spent."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.dataset import DatasetName
from app.api.schemas.estimate import EstimateView
from app.api.schemas.evaluation import EvaluationKindName, SplitName
from app.api.schemas.experiment import SEED_LIMIT, Seeds
from app.api.schemas.job import DeviceName
from app.api.schemas.model import FREE_TEXT, Input, Output
from app.api.schemas.recipe import SearchRecipeChoice, TrainingRecipeChoice
from app.api.schemas.sharing import SharingCheckBody, SharingView
from app.api.schemas.skeleton import SkeletonChoice
from app.api.schemas.space import SpaceIdentity

MAX_BUDGET = 10_000
MAX_OBJECTIVES = 4  # the time that hypervolume takes grows with their number as an exponent
MAX_IMAGES = 1024  # of the batch that proxies look at
MAX_LEVELS = 16
MAX_CANDIDATES = 100_000
MAX_FIDELITY = 100_000
MAX_CHILDREN = 64  # at a time; each begins with a copy of the supernet

StrategyName = Literal["random", "evolution", "local_search", "bananas", "nsga2", "successive_halving"]
GoalName = Literal["maximise", "minimise"]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Named = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.@-]{0,127}$")]
Fidelity = Annotated[int, Field(ge=1, le=MAX_FIDELITY)]
MaxCost = Annotated[int, Field(ge=0, lt=2**53)]


class SoughtBody(Input):
    """A number of every member, and which way is better."""

    metric: MetricName = Field(
        description="What the evaluator measures, or a cost: `params`, `macs`, `latency_ms` (with `latency_device`)"
    )
    goal: GoalName | None = Field(
        default=None, description="Which way is better; default: costs and `loss` are minimised, all else maximised"
    )


class LevelBody(Input):
    """The results that stand for a fidelity."""

    fidelity: Fidelity = Field(description="Number by which the strategy asks for it, such as epochs")
    recipe: Named = Field(description="Name or digest of the recipe of these results")


class CatalogueEvaluatorBody(Input):
    """Results that the catalogue has, such as a published table's: of one data set, split, kind, recipe, skeleton.

    What is left out is what all results of the space that the caller sees agree on; where they do not, the answer
    lists what there is. Results of several of these are never mixed.
    """

    kind: Literal["catalogue"] = Field(description="Results that the catalogue has")
    dataset: Named | None = Field(default=None, description="Data set, as the results name it")
    split: SplitName | None = Field(
        default=None, description="Split that was measured on; on `test` the search is an oracle experiment"
    )
    recipe: Named | None = Field(
        default=None, description="Name or digest of their recipe; with `fidelities`, that of the highest"
    )
    evaluation: EvaluationKindName | None = Field(default=None, description="How the weights came about")
    fidelities: Annotated[list[LevelBody], Field(min_length=1, max_length=MAX_LEVELS)] | None = Field(
        default=None, description="Recipes by fidelity, for a strategy that needs fidelities"
    )


class TrainingEvaluatorBody(Input):
    """A training from scratch for every member and seed, each a job of its own; measured on `selection`."""

    kind: Literal["training"] = Field(description="Every member is trained from scratch")
    dataset: DatasetName = Field(description="`name` or `name@digest` of a data set; GET /v1/datasets lists them")
    recipe: TrainingRecipeChoice | None = Field(
        default=None,
        description="Recipe; default: the data set's. A strategy that needs fidelities decides the number of epochs",
    )
    seeds: Annotated[Seeds, Field(min_length=1)] = Field(
        default=[0], description="Seeds, all different: a member is worth the mean over them"
    )


class InheritedEvaluatorBody(Input):
    """Members with the weights of one supernet, trained first on members drawn; measured on `selection`."""

    kind: Literal["inherited"] = Field(description="Every member inherits the weights of one supernet")
    dataset: DatasetName = Field(description="`name` or `name@digest` of a data set; GET /v1/datasets lists them")
    recipe: SearchRecipeChoice | None = Field(
        default=None, description="Search recipe of the supernet; default: the data set's"
    )
    skeleton: SkeletonChoice | None = Field(
        default=None, description="Skeleton of the supernet; default: by image size"
    )
    paths: Literal["uniform", "sandwich"] = Field(
        default="uniform",
        description="`uniform`: the supernet learns from one uniformly drawn member a step; `sandwich`: from the "
        "largest, and the smallest and some between learn from what the largest answers",
    )
    children: int = Field(
        default=0,
        ge=0,
        le=MAX_CHILDREN,
        description="Jobs that each batch of members is divided over, for several workers to share; 0: the search "
        "judges them itself",
    )
    check: SharingCheckBody | None = Field(
        default=None, description="Find out whether the weights order members as trainings do; default: do not"
    )


class ProxyEvaluatorBody(Input):
    """Zero-cost proxies of untrained networks: those that are among the objectives."""

    kind: Literal["proxies"] = Field(description="Numbers of untrained networks")
    dataset: DatasetName = Field(description="`name` or `name@digest` of a data set; GET /v1/datasets lists them")
    images: int = Field(default=64, ge=2, le=MAX_IMAGES, description="Images in the batch, the same for all members")


EvaluatorBody = Annotated[
    CatalogueEvaluatorBody | TrainingEvaluatorBody | InheritedEvaluatorBody | ProxyEvaluatorBody,
    Field(discriminator="kind"),
]


class WarmStartBody(Input):
    """Members that are measured first: of some drawn uniformly, those of which a proxy is largest."""

    proxy: MetricName = Field(default="synflow", description="A zero-cost proxy")
    candidates: int = Field(default=100, ge=1, le=MAX_CANDIDATES, description="Members that are drawn")
    kept: int = Field(default=10, ge=1, le=MAX_BUDGET, description="Members that are measured, as part of the budget")
    dataset: DatasetName | None = Field(
        default=None, description="Data set of the proxy's images; default: the evaluator's, where it has one"
    )
    images: int = Field(default=64, ge=2, le=MAX_IMAGES, description="Images in the proxy's batch")


class StrategyFields(Input):
    """A discrete strategy and its parameters."""

    strategy: StrategyName = Field(description="GET /v1/strategies describes them")
    parameters: dict[Annotated[str, Field(max_length=64)], int] = Field(
        default={}, description="Parameters that differ from the strategy's defaults"
    )


class DiscreteSearchFields(Input):
    """What discrete searches and their comparisons have in common."""

    space: SpaceReference
    evaluator: EvaluatorBody = Field(description="What measures the members that the strategy proposes")
    objectives: Annotated[list[SoughtBody], Field(min_length=1, max_length=MAX_OBJECTIVES)] | None = Field(
        default=None,
        description="What is sought. Default: `accuracy`, of proxies `synflow`; with `nsga2` also `macs`, minimised",
    )
    budget: int = Field(ge=1, le=MAX_BUDGET, description="Evaluations at most, failed ones too")
    batch: int | None = Field(
        default=None,
        ge=1,
        le=MAX_BUDGET,
        description="Members that are proposed and measured at a time; default: 1, of trainings and for each of the "
        "`children` that judge 8 but where members go on at higher fidelities",
    )
    max_params: MaxCost | None = Field(default=None, description="Learnable numbers that a member has at most")
    max_macs: MaxCost | None = Field(default=None, description="Multiply-adds that a member takes at most")
    max_latency_ms: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        allow_inf_nan=False,
        description="Milliseconds that a member takes at most, predicted from the table of `latency_device`",
    )
    latency_device: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=FREE_TEXT,
        description="Device whose lookup table latencies are predicted from; GET /v1/profiles/devices lists them",
    )
    warm_start: WarmStartBody | None = Field(
        default=None, description="Measure first what a proxy prefers; default: nothing"
    )
    skeleton: SkeletonChoice | None = Field(
        default=None,
        description="Skeleton of the architectures: their costs, what is trained, what is looked up. Default: by image "
        "size; of the catalogue, that of the results",
    )
    repeats: bool = Field(
        default=False, description="Whether a member may be measured again, at the same fidelity where there are any"
    )
    device: DeviceName = Field(
        default="auto",
        description="`auto` takes a GPU where a live worker has one; what computes no network is for the CPU",
    )


class DiscreteSearchBody(DiscreteSearchFields, StrategyFields):
    """A discrete search of a space."""

    seed: int = Field(default=0, ge=0, lt=SEED_LIMIT, description="Seed of everything that the strategy draws")


class DiscretePlanView(Output):
    """What a POST would start, without starting it, and what its trainings would take one after another."""

    kind: Literal["discrete_search"] = Field(description="Kind of the job")
    space: SpaceIdentity = Field(description="The space")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it would wait in")
    workers: int = Field(description="Live workers that serve this queue")
    evaluations: int = Field(description="Members that would be measured at most, again at another fidelity included")
    trainings: int = Field(description="Trainings from scratch at most, each a job of its own")
    epochs: int = Field(description="Epochs of all trainings at most; of inherited weights, those of the supernet")
    estimate: EstimateView = Field(
        description="Time and memory of what is trained, from what was measured, and where it fits; `times` of trained "
        "members are epochs of all together"
    )
    oracle: bool = Field(description="Whether the search would be guided by results on the test split")
    label: str | None = Field(description="What is then shown with every number of it; else null")
    request: dict[str, Any] = Field(description="The job's request, with every default chosen")


class SoughtView(Output):
    """A number that is sought."""

    metric: str = Field(description="Its name")
    goal: GoalName = Field(description="Which way is better")


class FoundView(Output):
    """A member that a search found."""

    index: str = Field(description="Rank of the genotype, decimal")
    genotype: Any = Field(description="The genotype")
    values: dict[str, float] = Field(description="What was measured of it, and its costs, by metric")
    n: int = Field(description="The evaluation that measured it, from 1")


class SearchHypervolumeView(Output):
    """How much the front of a search dominates, in the product of the objectives' units."""

    value: float = Field(description="Of the whole search")
    reference: dict[str, float] = Field(description="The worst that was measured, by metric")
    curve: list[float] = Field(description="After each evaluation, with the same reference")


class SearchBoundsView(Output):
    """What members may cost at most, inclusive."""

    max_params: int | None = Field(description="Learnable numbers; null without a bound")
    max_macs: int | None = Field(description="Multiply-adds for one image; null without a bound")
    max_latency_ms: float | None = Field(description="Predicted milliseconds; null without a bound")


class DiscreteReportBodyView(Output):
    """What a discrete search found, and how far to trust it."""

    strategy: str = Field(description="Name of the strategy")
    parameters: dict[str, int] = Field(description="Every parameter of the strategy")
    objectives: list[SoughtView] = Field(description="What was sought")
    bounds: SearchBoundsView = Field(description="What members could cost at most")
    evaluator: str = Field(description="Kind of the evaluator")
    judged_by: dict[str, Any] = Field(
        description="Data set, split, recipe and its digest, and the digest of the results that were seen"
    )
    oracle: bool = Field(description="Whether the search was guided by results on the test split")
    label: str | None = Field(description="What is to be shown with every number of an oracle experiment; else null")
    evaluations: int = Field(description="Evaluations made, failed ones too")
    failed: int = Field(description="Evaluations without a value")
    budget: int = Field(description="Evaluations that were allowed")
    exhausted: bool = Field(description="Whether the space had nothing left before the budget was spent")
    fidelity: int | None = Field(
        description="The highest fidelity, which alone counts for what was found; null without fidelities"
    )
    best: FoundView | None = Field(description="The best by the one objective; null of several, or where all failed")
    curve: list[float | None] = Field(
        description="The best value of the one objective after each evaluation; empty of several"
    )
    front: list[FoundView] = Field(description="Of several objectives, what nothing beats in all, by the first")
    hypervolume: SearchHypervolumeView | None = Field(description="Of several objectives; else null")
    sharing: SharingView | None = Field(description="Of inherited weights, where `check` was asked for; else null")
    notes: list[str] = Field(description="What these numbers do not say by themselves")
    strategy_seconds: float = Field(description="Processor time of proposing and learning, in seconds")
    seconds: float = Field(description="Wall-clock time in seconds")
    gpu_hours: float = Field(description="Hours on a GPU")


class DiscreteReportView(Output):
    """The report of a discrete search."""

    search_id: str = Field(description="UUID of the search")
    space: SpaceIdentity = Field(description="The space that was searched")
    report: DiscreteReportBodyView = Field(description="The report")
