"""Comparisons of strategies: the same search by each of them, once a seed, and what can be said of them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.discrete_search import (
    DiscreteSearchFields,
    GoalName,
    SearchBoundsView,
    SoughtView,
    StrategyFields,
)
from app.api.schemas.drawing import PIXELS, THEMES
from app.api.schemas.experiment import SEED_LIMIT
from app.api.schemas.model import Input, Output
from app.api.schemas.space import SpaceIdentity
from app.architecture.draw import NARROWEST, PAGE, WIDEST, Theme

MAX_STRATEGIES = 20
MAX_SEEDS = 500
MAX_SEARCHES = 500
SearchId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Label = Annotated[str, Field(pattern=r"^[A-Za-z][\w .,:()=+-]{0,63}$")]


class ComparedBody(StrategyFields):
    """A strategy of a comparison."""

    label: Label | None = Field(
        default=None, description="Its name in the comparison; default: the strategy's, with what parameters were given"
    )


class StrategyComparisonBody(DiscreteSearchFields):
    """The same search by several strategies, once a seed each."""

    strategies: Annotated[list[ComparedBody], Field(min_length=1, max_length=MAX_STRATEGIES)] = Field(
        description="The strategies, no two alike"
    )
    seeds: int = Field(default=20, ge=1, le=MAX_SEEDS, description="Runs of each strategy, from as many seeds")
    first_seed: int = Field(default=0, ge=0, lt=SEED_LIMIT - MAX_SEEDS, description="The least of the seeds")


class SearchesBody(Input):
    """Searches that have ended, to be compared as if one job had made them."""

    searches: Annotated[list[SearchId], Field(min_length=2, max_length=MAX_SEARCHES)] = Field(
        description="UUIDs of discrete searches that have succeeded, alike in all but strategy, parameters and seed"
    )
    form: Literal["json", "csv", "curves", "svg"] = Field(
        default="json", description="The report, its table or its curves as comma-separated values, or the drawing"
    )
    theme: Theme = Field(default="auto", description=f"Colours of the drawing: {THEMES}")
    width: int = Field(default=PAGE, ge=NARROWEST, le=WIDEST, description=f"Room of the drawing: {PIXELS}")


class ComparisonPlanView(Output):
    """What a POST would start, without starting it. No time is given: it is that of its jobs."""

    kind: Literal["comparison"] = Field(description="Kind of the job")
    space: SpaceIdentity = Field(description="The space")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it would wait in")
    workers: int = Field(description="Live workers that serve this queue")
    strategies: list[str] = Field(description="The strategies by their labels")
    runs: int = Field(description="Searches in all, one for each strategy and seed")
    jobs: bool = Field(description="Whether the runs would be jobs of their own, or made by the one job")
    evaluations: int = Field(description="Evaluations of all runs at most")
    trainings: int = Field(description="Trainings from scratch of all runs at most, each a job of its own")
    epochs: int = Field(description="Epochs of all trainings at most; of inherited weights, of all supernets")
    oracle: bool = Field(description="Whether the searches would be guided by results on the test split")
    label: str | None = Field(description="What is then shown with every number of it; else null")
    request: dict[str, Any] = Field(description="The job's request, with every default chosen")


class ComparisonView(Output):
    """A comparison of strategies as it stands."""

    id: str = Field(description="UUID of the comparison; also of its job")
    state: str = Field(description="State of its job")
    space: SpaceIdentity = Field(description="The space that is searched")
    evaluator: str = Field(description="Kind of what measures")
    objectives: list[SoughtView] = Field(description="What is sought")
    strategies: list[str] = Field(description="The strategies by their labels")
    seeds: list[int] = Field(description="The seeds")
    budget: int = Field(description="Evaluations of a run at most")
    runs: int = Field(description="Searches in all, one for each strategy and seed")
    oracle: bool = Field(description="Whether the searches are guided by results on the test split")
    label: str | None = Field(description="What is to be shown with every number of an oracle experiment; else null")
    links: dict[str, str] = Field(description="Its job, report, tables and drawing, and the runs that are jobs")


class ComparedCurveView(Output):
    """Values after so many evaluations, over the runs that have one by then; null where none has."""

    at: list[int] = Field(description="Evaluations, at most 200 places")
    mean: list[float | None] = Field(description="Mean over the runs")
    deviation: list[float | None] = Field(description="Sample standard deviation; null of fewer than two")
    p10: list[float | None] = Field(description="10th percentile")
    p50: list[float | None] = Field(description="Median")
    p90: list[float | None] = Field(description="90th percentile")
    runs: list[int] = Field(description="Runs that have a value")
    ended: list[int] = Field(description="Runs that had ended before, whose last value is carried on")


class RunEndView(Output):
    """What one run ended with."""

    seed: int = Field(description="Its seed")
    value: float | None = Field(description="Its final value; null where nothing was measured that counts")
    index: str | None = Field(description="Rank of the member with it, decimal; null with several objectives")
    n: int | None = Field(description="The evaluation that brought it, from 1")
    evaluations: int = Field(description="Evaluations made, failed ones too")
    failed: int = Field(description="Evaluations without a value")
    exhausted: bool = Field(description="Whether the space had nothing left before the budget was spent")
    search: str | None = Field(description="UUID of the search, where it is a job of its own")


class StrategyOutcomeView(Output):
    """A strategy over its seeds, by the final values of its runs."""

    label: str = Field(description="Its name in the comparison")
    strategy: str = Field(description="The strategy")
    parameters: dict[str, int] = Field(description="Every parameter")
    n: int = Field(description="Runs that have a final value; all statistics are over these")
    missing: int = Field(description="Runs that have none")
    mean: float | None = Field(description="Mean of the final values")
    deviation: float | None = Field(description="Their sample standard deviation; null of fewer than two")
    median: float | None = Field(description="Their median")
    least: float | None = Field(description="The smallest")
    most: float | None = Field(description="The largest")
    area: float | None = Field(description="Mean over the runs of the mean of a run's value over all evaluations")
    reached: int = Field(description="Runs that were as good as the target at some time")
    evaluations_to_target: int | None = Field(
        description="Evaluations after which half of all runs had been; null where fewer ever were"
    )
    regret: float | None = Field(description="By how much the mean misses the best of the table, where it is known")
    of_front: float | None = Field(description="Mean hypervolume as a share of the true front's, where it is known")
    evaluations: int = Field(description="Evaluations of all runs")
    failed: int = Field(description="Of these without a value")
    strategy_seconds: float = Field(description="Processor time of proposing and learning, of all runs, in seconds")
    seconds: float = Field(description="Time of all runs in seconds")
    gpu_hours: float = Field(description="Hours on a GPU, of all runs")
    curve: ComparedCurveView = Field(description="The anytime curve")
    runs: list[RunEndView] = Field(description="Every run")


class PairView(Output):
    """Two strategies beside each other. Differences are the first's less the second's."""

    first: str = Field(description="Label of the first")
    second: str = Field(description="Label of the second")
    difference: float = Field(description="Difference of the means")
    low: float | None = Field(description="Lower end of its 95 % bootstrap interval; null where one has a single run")
    high: float | None = Field(description="Upper end")
    a12: float = Field(description="How often a run of the first has the larger value, ties by half (Vargha-Delaney)")
    effect: str = Field(description="What such an effect is called: negligible, small, medium or large")
    u: float = Field(description="Mann-Whitney's U: pairs of runs in which the first has the larger value")
    p_value: float = Field(description="Mann-Whitney, two-sided")
    p_holm: float = Field(description="The same, corrected for all pairs of the report (Holm)")
    least_p: float = Field(description="The smallest uncorrected p-value that so many runs could have given at all")
    method: str = Field(description="How the p-value was found: exact, or approximated")
    better: str | None = Field(description="Label of the one that is better at the report's level; null where neither")
    says: str = Field(description="The same in a sentence")


class KnownTableView(Output):
    """What is known of all members that a search may propose."""

    members: int = Field(description="Valid members within the bounds")
    best: dict[str, float] = Field(description="Best value of each objective by itself")
    worst: dict[str, float] = Field(description="Worst value of each")
    front_hypervolume: float | None = Field(description="Hypervolume of the true front, with several objectives")
    at: list[int] = Field(description="Evaluations")
    random: list[float] = Field(
        description="Exact expectation of uniform random search after so many evaluations; empty with several "
        "objectives or a warm start"
    )


class ComparisonReportBodyView(Output):
    """Strategies beside each other, on the same footing."""

    objectives: list[SoughtView] = Field(description="What was sought")
    compared: str = Field(description="What is compared: the metric, or with several objectives the hypervolume")
    goal: GoalName = Field(description="Which way is better")
    reference: dict[str, float] | None = Field(
        description="Reference of all hypervolumes: the worst of the table, or of all runs; null of one objective"
    )
    bounds: SearchBoundsView = Field(description="What members could cost at most")
    evaluator: str = Field(description="Kind of what measured")
    judged_by: dict[str, Any] = Field(
        description="Data set, split, recipe and its digest, and the digest of the results that were seen"
    )
    oracle: bool = Field(description="Whether the searches were guided by results on the test split")
    label: str | None = Field(description="What is to be shown with every number of an oracle experiment; else null")
    budget: int = Field(description="Evaluations of a run at most")
    batch: int = Field(description="Members that were proposed and measured at a time")
    seeds: list[int] = Field(description="All seeds")
    fidelity: int | None = Field(description="Fidelity at which values count; null: the evaluator's own")
    level: float = Field(description="Level of significance, of all pairs together")
    target: float | None = Field(description="The worst of the strategies' medians: what `reached` is about")
    strategies: list[StrategyOutcomeView] = Field(description="Every strategy")
    pairs: list[PairView] = Field(description="Every pair of strategies that have values")
    table: KnownTableView | None = Field(description="The whole table, where every member's values are known")
    notes: list[str] = Field(description="What has to be known before the numbers")
    environment: dict[str, Any] = Field(description="Device, and versions of code and torch")
    seconds: float = Field(description="Time in seconds")
    gpu_hours: float = Field(description="Hours on a GPU")


class ComparisonReportView(Output):
    """The report of a comparison."""

    comparison_id: str | None = Field(description="UUID of the comparison; null where searches were compared")
    space: SpaceIdentity = Field(description="The space that was searched")
    report: ComparisonReportBodyView = Field(description="The report")
