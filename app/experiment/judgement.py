"""The report of a comparison from its runs: pure, and the same whether one job made them or many.

Every pair of strategies is tested by ranks, and the p-values are corrected for all pairs (`significance`). With several
objectives a run's value is the hypervolume of its front, up to one reference for all runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean, median, stdev

from app.experiment.chance import expected_best
from app.experiment.comparison import ComparedStrategy, ComparisonReport, KnownTable, Pair, RunEnd, StrategyOutcome
from app.experiment.curves import Course, area, curve, places, reached
from app.experiment.discrete import ORACLE, DiscreteSearchRequest, Goal
from app.experiment.fronts import Point, costs, front, hypervolume
from app.experiment.runs import Run, common_reference, course, named
from app.experiment.significance import (
    Difference,
    RankTest,
    difference,
    holm,
    magnitude,
    mann_whitney,
    resampled_means,
    vargha_delaney,
)

LEVEL = 0.05
FEW = 10  # seeds below which a note says how little they tell

Table = Sequence[tuple[float, ...]]  # values of the objectives, of every member that may be proposed


def comparison_report(
    search: DiscreteSearchRequest,
    strategies: Sequence[ComparedStrategy],
    runs: Sequence[Run],
    *,
    judged_by: Mapping[str, object],
    environment: Mapping[str, object],
    table: Table | None = None,
    notes: Iterable[str] = (),
    seconds: float = 0.0,
    gpu_hours: float = 0.0,
) -> ComparisonReport:
    """The report on runs of strategies, each named by its label.

    `table` is every member's values where all are known; then random search's exact expectation stands beside the
    strategies, and what they miss. `search` is what all runs have in common.
    """
    return _Comparison(search, strategies, runs, table).report(
        judged_by=judged_by, environment=environment, notes=notes, seconds=seconds, gpu_hours=gpu_hours
    )


class _Comparison:
    """What the parts of a report share."""

    def __init__(
        self,
        search: DiscreteSearchRequest,
        strategies: Sequence[ComparedStrategy],
        runs: Sequence[Run],
        table: Table | None,
    ) -> None:
        self.search, self.strategies, self.objectives = search, strategies, search.objectives
        self.several = len(self.objectives) > 1
        self.goals = [sought.goal for sought in self.objectives]
        self.goal: Goal = "maximise" if self.several else self.objectives[0].goal
        self.compared = "hypervolume" if self.several else self.objectives[0].metric
        levels = {run.fidelity for run in runs if run.steps}
        self.fidelity = None if None in levels or not levels else max(of for of in levels if of is not None)
        self.lower = [run for run in runs if run.steps and run.fidelity != self.fidelity]
        kept = [run for run in runs if run.fidelity == self.fidelity]
        self.runs = runs
        self.table = table
        self.reference: Point | None = None
        if self.several:
            worst = table if table is not None else [run.worst for run in kept if run.worst is not None]
            self.reference = common_reference(worst, self.goals)
        self.courses: dict[tuple[str, int], Course] = {(run.label, run.seed): () for run in runs}
        for run in kept:
            self.courses[run.label, run.seed] = course(run, self.objectives, self.reference)

    def report(
        self,
        *,
        judged_by: Mapping[str, object],
        environment: Mapping[str, object],
        notes: Iterable[str],
        seconds: float,
        gpu_hours: float,
    ) -> ComparisonReport:
        """All of it."""
        finals = {one.label: self._finals(one.label) for one in self.strategies}
        medians = [median(values) for values in finals.values() if values]
        target = None if not medians else min(medians) if self.goal == "maximise" else max(medians)
        known = self._known()
        return ComparisonReport(
            objectives=tuple(self.objectives),
            compared=self.compared,
            goal=self.goal,
            reference=None if self.reference is None else named(costs(self.reference, self.goals), self.objectives),
            bounds=self.search.bounds,
            evaluator=self.search.evaluator.kind,
            judged_by=judged_by,
            oracle=self.search.oracle,
            label=ORACLE if self.search.oracle else None,
            budget=self.search.budget,
            batch=self.search.batch,
            seeds=tuple(sorted({run.seed for run in self.runs})),
            fidelity=self.fidelity,
            level=LEVEL,
            target=target,
            strategies=tuple(self._outcome(one, finals[one.label], target, known) for one in self.strategies),
            pairs=self._pairs(finals),
            table=known,
            notes=(*notes, *self._notes(finals)),
            environment=environment,
            seconds=seconds,
            gpu_hours=gpu_hours,
        )

    def _of(self, label: str) -> list[Run]:
        return [run for run in self.runs if run.label == label]

    def _finals(self, label: str) -> list[float]:
        """The final values of a strategy's runs, of those that have one."""
        return [found[-1][1] for run in self._of(label) if (found := self.courses[run.label, run.seed])]

    def _outcome(
        self, one: ComparedStrategy, finals: list[float], target: float | None, known: KnownTable | None
    ) -> StrategyOutcome:
        runs, budget = self._of(one.label), self.search.budget
        courses = [self.courses[run.label, run.seed] for run in runs]
        maximise = self.goal == "maximise"
        firsts = [None if target is None else reached(found, target, maximise=maximise) for found in courses]
        hits = [first for first in firsts if first is not None]
        areas = [found for each in courses if (found := area(each, budget)) is not None]
        mean = fmean(finals) if finals else None
        whole = None if known is None else known.front_hypervolume
        return StrategyOutcome(
            label=one.label,
            strategy=one.strategy,
            parameters=one.parameters,
            n=len(finals),
            missing=len(runs) - len(finals),
            mean=mean,
            deviation=stdev(finals) if len(finals) > 1 else None,
            median=median(finals) if finals else None,
            least=min(finals, default=None),
            most=max(finals, default=None),
            area=fmean(areas) if areas else None,
            reached=len(hits),
            evaluations_to_target=_half(hits, len(runs)),
            regret=None if known is None or self.several or not finals else self._regret(known, finals),
            of_front=None if not whole or mean is None else mean / whole,
            evaluations=sum(run.evaluations for run in runs),
            failed=sum(run.failed for run in runs),
            strategy_seconds=sum(run.strategy_seconds for run in runs),
            seconds=sum(run.seconds for run in runs),
            gpu_hours=sum(run.gpu_hours for run in runs),
            curve=curve(courses, [run.evaluations for run in runs], budget),
            runs=tuple(self._end(run) for run in runs),
        )

    def _regret(self, known: KnownTable, finals: Sequence[float]) -> float:
        best = known.best[self.objectives[0].metric]
        return fmean(abs(best - value) for value in finals)

    def _end(self, run: Run) -> RunEnd:
        found = self.courses[run.label, run.seed]
        return RunEnd(
            seed=run.seed,
            value=found[-1][1] if found else None,
            index=run.steps[-1].index if found and not self.several else None,
            n=found[-1][0] if found else None,
            evaluations=run.evaluations,
            failed=run.failed,
            exhausted=run.exhausted,
            search=run.search,
        )

    def _pairs(self, finals: Mapping[str, list[float]]) -> tuple[Pair, ...]:
        labels = [one.label for one in self.strategies if finals[one.label]]
        pairs = list(combinations(labels, 2))
        means = {label: resampled_means(finals[label], f"{label} bootstrap") for label in labels}
        tests = [mann_whitney(finals[a], finals[b]) for a, b in pairs]
        corrected = holm([test.p_value for test in tests])
        return tuple(
            self._pair(a, b, finals, test, p, difference(finals[a], finals[b], means[a], means[b]))
            for (a, b), test, p in zip(pairs, tests, corrected, strict=True)
        )

    def _pair(
        self, a: str, b: str, finals: Mapping[str, list[float]], test: RankTest, p: float, means: Difference
    ) -> Pair:
        a12 = vargha_delaney(finals[a], finals[b])
        larger_is_better = self.goal == "maximise"
        better = None if p > LEVEL else a if (a12 > 0.5) == larger_is_better else b
        sizes = (len(finals[a]), len(finals[b]))
        return Pair(
            first=a,
            second=b,
            difference=means.mean,
            low=means.low,
            high=means.high,
            a12=a12,
            effect=magnitude(a12),
            u=test.u,
            p_value=test.p_value,
            p_holm=p,
            least_p=test.least_p,
            method=test.method,
            better=better,
            says=_sentence(a, b, better, means, a12, p, sizes),
        )

    def _known(self) -> KnownTable | None:
        if not self.table:
            return None
        points = [costs(values, self.goals) for values in self.table]
        best, worst = (tuple(map(choose, zip(*points, strict=True))) for choose in (min, max))
        return KnownTable(
            members=len(points),
            best=named(costs(best, self.goals), self.objectives),
            worst=named(costs(worst, self.goals), self.objectives),
            front_hypervolume=self._whole(points),
            at=places(self.search.budget),
            random=self._by_chance(),
        )

    def _whole(self, points: Sequence[Point]) -> float | None:
        if self.reference is None:
            return None
        return hypervolume([points[i] for i in front(points)], self.reference)

    def _by_chance(self) -> tuple[float, ...]:
        if self.several or self.search.warm_start is not None or not self.table:
            return ()
        values, maximise = [value for (value,) in self.table], self.goal == "maximise"
        return tuple(
            expected_best(values, n, maximise=maximise, repeats=self.search.repeats) for n in places(self.search.budget)
        )

    def _notes(self, finals: Mapping[str, list[float]]) -> list[str]:
        """What a reader has to know before the numbers."""
        found: list[str] = []
        for one in self.strategies:
            runs = self._of(one.label)
            without = [run for run in runs if not self.courses[run.label, run.seed]]
            if without:
                found.append(f"{one.label}: {len(without)} of {len(runs)} runs have no value that counts")
            if lower := [run for run in self.lower if run.label == one.label]:
                what = "the evaluator's own" if self.fidelity is None else self.fidelity
                found.append(f"{one.label}: {len(lower)} runs were never measured at the fidelity {what}, which counts")
            if short := [run for run in runs if run.evaluations < self.search.budget]:
                found.append(
                    f"{one.label}: {len(short)} of {len(runs)} runs ended before the budget of {self.search.budget}; "
                    "curves carry their last value on"
                )
        sizes = {label: len(values) for label, values in finals.items()}
        if sizes and min(sizes.values()) < FEW:
            found.append(
                f"few seeds: {', '.join(f'{label} {n}' for label, n in sizes.items())}; of fewer than {FEW} even a "
                "large effect may pass for chance"
            )
        return found


def _half(hits: Sequence[int], runs: int) -> int | None:
    """After how many evaluations half of all runs had reached the target; None where fewer than half ever did."""
    needed = (runs + 1) // 2
    return sorted(hits)[needed - 1] if runs and len(hits) >= needed else None


def _sentence(
    a: str, b: str, better: str | None, means: Difference, a12: float, p: float, sizes: tuple[int, int]
) -> str:
    interval = "" if means.low is None else f" (95 % interval {means.low:.4g} to {means.high:.4g})"
    n = f"n = {sizes[0]}" if sizes[0] == sizes[1] else f"n = {sizes[0]} and {sizes[1]}"
    told = f"p = {p:.2g} after Holm's correction, {n}"
    gap = f"the mean of {a} less that of {b} is {means.mean:.4g}{interval}"
    if better is None:
        return f"no difference between {a} and {b} can be claimed: {told}; {gap}"
    by = " by ranks, though not by the mean" if means.mean * (a12 - 0.5) < 0 else ""
    other = b if better == a else a
    return f"{better} is better than {other}{by}: {told}; {gap}; {magnitude(a12)} effect, A12 = {a12:.3f}"
