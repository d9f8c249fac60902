"""One discrete search, without a job: ask, measure, tell, remember, until the budget is spent.

What it does depends on the request and on what is measured, and on nothing else: no clock, no order of a hash. A state
taken at any pause and restored in another process goes on with the very same trajectory.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any, Literal

from app.architecture import LoweringError
from app.experiment import ORACLE, DiscreteReport, DiscreteSearchRequest, Measurement, SharingReport
from app.experiment.latency import Unmeasured
from app.space import SearchSpace
from workers.discrete.found import as_found, best, counting, curve, front, highest, missing, volume
from workers.discrete.record import read, written
from workers.evaluators import Costs, Evaluator, Reading
from workers.strategies.discrete import DISCRETE, Measured, Objective, Problem, Proposal

By = Literal["strategy", "warm start"]


class NothingMeasured(ValueError):
    """Not one evaluation of a search succeeded."""


class Exploration:
    """A search as far as it has come."""

    def __init__(
        self,
        request: DiscreteSearchRequest,
        space: SearchSpace,
        evaluator: Evaluator,
        *,
        costs: Costs | None = None,
        warm: Sequence[int] = (),
    ) -> None:
        """
        Args:
            request: what is searched; its evaluator is the one that is given.
            space: the request's.
            evaluator: measures what is proposed.
            costs: of the request's members; searches that differ in strategy and seed alone may share them.
            warm: ranks to be measured first, as part of the budget, in this order.
        """
        self.request, self.space, self.evaluator = request, space, evaluator
        self.costs = costs or Costs(request, space)
        objectives = tuple(Objective(sought.metric, sought.goal) for sought in request.objectives)
        problem = Problem(
            space=space,
            objectives=objectives,
            seed=request.seed,
            feasible=self.costs.feasible if self.costs.bounded else None,
            excess=self.costs.excess if self.costs.bounded else None,
            repeats=request.repeats,
        )
        self._strategy = DISCRETE[request.strategy](problem, **request.parameters)
        self._warm = list(dict.fromkeys(warm))
        self._asked: tuple[Proposal, ...] = ()
        self._by: By = "strategy"
        self._strategy_seconds = 0.0
        self.trajectory: list[Measurement] = []
        self.exhausted = False  # whether there was nothing left to propose

    # -- the loop

    def run(self, pause: Callable[[], None] = lambda: None) -> None:
        """Spend what is left of the budget.

        `pause` is called whenever something was asked or told, with a state that is whole; what it raises ends the
        run, as does what the evaluator raises, and another run goes on from there.
        """
        while self.left and not self.exhausted:
            if not self._asked:
                self._ask(min(self.request.batch, self.left))
                pause()
            if self._asked:
                self._tell(self.evaluator.measure(len(self.trajectory) + 1, self._asked))
                pause()

    @property
    def left(self) -> int:
        """Evaluations that the budget has left."""
        return self.request.budget - len(self.trajectory)

    @property
    def failed(self) -> int:
        """Evaluations that failed."""
        return sum(one.values is None for one in self.trajectory)

    @property
    def strategy_seconds(self) -> float:
        """Processor time of proposing and learning, in seconds."""
        return self._strategy_seconds

    def _ask(self, count: int) -> None:
        self._by = "warm start" if self._warm else "strategy"
        if self._warm:
            self._asked = tuple(Proposal(rank) for rank in self._warm[:count])
            del self._warm[:count]
            return
        with self._thinking():
            self._asked = self._strategy.ask(count)
        self.exhausted = not self._asked

    def _tell(self, readings: Sequence[Reading]) -> None:
        first, sought = len(self.trajectory) + 1, self.request.objectives
        found = [
            self._measurement(n, proposal, reading)
            for n, (proposal, reading) in enumerate(zip(self._asked, readings, strict=True), first)
        ]
        told = [
            Measured(proposal, None if one.values is None else tuple([one.values[o.metric] for o in sought]))
            for proposal, one in zip(self._asked, found, strict=True)
        ]
        with self._thinking():
            self._strategy.tell(told)
        self.trajectory += found
        self._asked = ()

    def _measurement(self, n: int, proposal: Proposal, reading: Reading) -> Measurement:
        """What was measured and what is known; a failure where that is not what is sought."""
        values, failure = None, reading.failure
        if reading.values is not None:
            try:
                known = self.costs.of(proposal.rank)
            except (LoweringError, Unmeasured) as error:
                failure = f"its costs are not known: {error}"
            else:
                values = {name: value for name, value in reading.values.items() if isfinite(value)} | dict(known)
                if failure := missing({**reading.values, **known}, self.request.objectives):
                    values = None
        return Measurement(
            n=n,
            index=str(proposal.rank),
            fidelity=proposal.fidelity,
            values=values,
            by=self._by,
            several=1 if values is None else reading.several,
            deviations=None if values is None else reading.deviations,
            job=reading.job,
            failure=None if values is not None else failure or "nothing was measured, and no reason was given",
        )

    @contextmanager
    def _thinking(self) -> Iterator[None]:
        started = time.process_time()
        yield
        self._strategy_seconds += time.process_time() - started

    # -- states

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON."""
        return {
            "strategy": self._strategy.state(),
            "evaluator": dict(self.evaluator.state()),
            "warm": [str(rank) for rank in self._warm],
            "by": self._by,
            "asked": [[str(proposal.rank), proposal.fidelity] for proposal in self._asked],
            "exhausted": self.exhausted,
            "strategy_seconds": self._strategy_seconds,
            "trajectory": [written(one) for one in self.trajectory],
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`, for a new exploration of the same request. Raises what strategy and evaluator raise
        of a state that is not theirs; the exploration is of no use then."""
        self.evaluator.restore(document["evaluator"])
        self._strategy.restore(document["strategy"])
        self._warm = [int(rank) for rank in document["warm"]]
        self._by = document["by"]
        self._asked = tuple(Proposal(int(rank), fidelity) for rank, fidelity in document["asked"])
        self.exhausted = document["exhausted"]
        self._strategy_seconds = document["strategy_seconds"]
        self.trajectory = [read(one) for one in document["trajectory"]]

    # -- what was found

    def report(
        self, *, seconds: float = 0.0, notes: Sequence[str] = (), sharing: SharingReport | None = None
    ) -> DiscreteReport:
        """What there is so far.

        Args:
            seconds: wall-clock time of the search.
            notes: what else is worth knowing, before what the exploration itself notes.
            sharing: what the weights are worth, where they are shared and that was asked.
        """
        request, trajectory = self.request, self.trajectory
        several = len(request.objectives) > 1
        top = None if several else best(trajectory, request.objectives[0])
        return DiscreteReport(
            strategy=request.strategy,
            parameters=request.parameters,
            objectives=request.objectives,
            bounds=request.bounds,
            evaluator=request.evaluator.kind,
            judged_by=self.evaluator.judged_by(),
            oracle=request.oracle,
            label=ORACLE if request.oracle else None,
            evaluations=len(trajectory),
            failed=self.failed,
            budget=request.budget,
            exhausted=self.exhausted,
            fidelity=highest(trajectory),
            best=None if top is None else as_found(top, self.space),
            curve=() if several else curve(trajectory, request.objectives[0]),
            front=tuple(as_found(one, self.space) for one in front(trajectory, request.objectives)) if several else (),
            hypervolume=volume(trajectory, request.objectives) if several else None,
            sharing=sharing,
            notes=(*notes, *self._notes()),
            strategy_seconds=self._strategy_seconds,
            seconds=seconds,
            gpu_hours=self.evaluator.gpu_hours(),
        )

    def _notes(self) -> Iterator[str]:
        made = len(self.trajectory)
        if self.exhausted:
            yield f"the space had nothing left to propose after {made} evaluations"
        failures = [one for one in self.trajectory if one.failure is not None]
        if failures:
            first = failures[0]
            yield f"{len(failures)} of {made} evaluations failed; the first, evaluation {first.n}: {first.failure}"
        low = made - len(failures) - sum(one is not None for one in counting(self.trajectory))
        if low:
            yield f"{low} evaluations were at lower fidelities, and say nothing of what was found"
        if self.costs.bounded:
            kept, drawn = self.costs.share()
            yield f"of {drawn} members drawn uniformly {kept} keep to the bounds; the others are never proposed"
        yield from self._strategy.notes()
