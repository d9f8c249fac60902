"""Comparisons whose runs are made by the job itself, one after the other: where an evaluation is cheap.

    phase      epochs                 metrics
    compare    strategies × seeds     evaluations, of all runs that are done

All strategies have the first seed before any has the second, so that what is cancelled compares as many runs of each.
A checkpoint holds the runs that are done and the state of the one that is not; a comparison that goes on from it ends
with the very same report, seconds apart. Where the results that it is judged by are others by then, it starts over and
says so.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.experiment.comparison import ComparedStrategy, ComparisonRequest
from app.experiment.discrete import DiscreteSearchRequest
from app.experiment.job import JobResult
from app.experiment.judgement import Table
from app.experiment.runs import Run, Step
from app.settings import load_settings
from app.space import space_from_json
from workers.comparison.known import known_table
from workers.comparison.outcome import NoRun, outcome, run_of, search_of
from workers.comparison.warm import warm_start
from workers.discrete import record
from workers.discrete.exploration import Exploration
from workers.evaluators import Costs, evaluator_for
from workers.progress import Progress, Stopped

PHASE = "compare"
CHECKPOINT_SECONDS = 2.0  # between two checkpoints
SHARE = 20  # and so many times what writing one takes
STEP_SECONDS = 0.5  # between two tellings of how far it is
SHOWN = 10  # runs without a value of which the report says why
TOLD = 100  # runs of which metrics are kept; where there are more, of as many spread over them

Pair = tuple[ComparedStrategy, int]


class Inside:
    """One attempt at a comparison."""

    def __init__(self, request: ComparisonRequest, progress: Progress) -> None:
        self.request, self.progress = request, progress
        self.space = space_from_json(request.search.document)
        search = replace(request.search, device=request.device)
        self.evaluator = evaluator_for(search, self.space, progress)
        self.costs = Costs(search, self.space)
        self.pairs: list[Pair] = [(one, seed) for seed in request.seeds for one in request.strategies]
        self.runs: list[Run] = []
        self.warm: dict[int, tuple[int, ...]] = {}  # by seed
        self.going: Mapping[str, Any] | None = None  # state of the run that is not done, as it was resumed
        self.current: Exploration | None = None
        self.began = 0.0  # of the current run, less what earlier attempts have spent on it
        self.failures: list[str] = []  # of runs in which every evaluation failed, the first
        self.notes: list[str] = []
        self.earlier_seconds = 0.0
        self.started = self._saved = self._step_told = time.monotonic()
        self._patience = CHECKPOINT_SECONDS
        self._marks = {round(place * len(self.pairs) / TOLD) for place in range(1, TOLD + 1)}
        self._resume()

    def run(self) -> JobResult:
        """All runs that are left. Raises Stopped, and NoRun where nothing was measured in any."""
        try:
            for one, seed in self.pairs[len(self.runs) :]:
                self.runs.append(self._explore(one, seed))
                self.current = None
                self._tell()
                self._pause()
            if not any(run.steps for run in self.runs):
                raise NoRun(f"not one evaluation of {len(self.runs)} runs succeeded: {self.failures[0]}")
            table = known_table(self.request.search, self.space, self.evaluator, self.costs, self._pause)
        except Stopped as stopped:
            if stopped.reason == "cancel":
                raise Stopped("cancel", self._outcome(stopped_in=PHASE)) from stopped
            raise
        return self._outcome(table=table)

    def _explore(self, one: ComparedStrategy, seed: int) -> Run:
        """One run, from where an earlier attempt left it."""
        search = search_of(self.request, one, seed)
        self.began, spent = time.monotonic(), self.evaluator.gpu_hours()
        going, self.going = self.going, None
        exploration = self.current = self._resumed(search, going) or self._new(search)
        exploration.run(self._pause)
        found = run_of(
            self.request,
            one.label,
            seed,
            exploration.trajectory,
            exhausted=exploration.exhausted,
            strategy_seconds=exploration.strategy_seconds,
            seconds=time.monotonic() - self.began,
            gpu_hours=self.evaluator.gpu_hours() - spent,
        )
        if not found.steps:
            first = exploration.trajectory[0].failure if exploration.trajectory else "there was no member to propose"
            self.failures.append(f"{one.label}, seed {seed}: {first}")
        return found

    def _new(self, search: DiscreteSearchRequest) -> Exploration:
        warm = self._warm(search.seed)
        return Exploration(search, self.space, self.evaluator, costs=self.costs, warm=warm)

    def _resumed(self, search: DiscreteSearchRequest, going: Mapping[str, Any] | None) -> Exploration | None:
        """The run that an earlier attempt left; None where there was none, or where its state is another version's."""
        if going is None:
            return None
        exploration = self._new(search)
        try:
            exploration.restore(going["exploration"])
        except ValueError as error:
            self._note(f"{search.strategy}, seed {search.seed} starts over: {error}")
            return None
        self.began -= going["seconds"]
        return exploration

    def _note(self, text: str) -> None:
        self.progress.note(text)
        self.notes.append(text)

    def _warm(self, seed: int) -> tuple[int, ...]:
        """The members that runs from a seed measure first."""
        if seed not in self.warm:
            search = replace(self.request.search, seed=seed, device=self.request.device)
            self.warm[seed] = warm_start(search, self.space, self.progress)
        return self.warm[seed]

    # -- between two steps

    def _pause(self) -> None:
        """Commit the state, tell how far it is, and stop where that is asked."""
        now = time.monotonic()
        due = now - self._saved >= self._patience
        if due:
            self._checkpoint()
        if now - self._step_told >= STEP_SECONDS:
            self._step_told = now
            self.progress.report(PHASE, len(self.runs), len(self.pairs), self._metrics(), step=0, steps=1)
        reason = self.progress.should_stop()
        if reason is not None:
            if reason == "drain" and not due:
                self._checkpoint()
            raise Stopped(reason)

    def _tell(self) -> None:
        done = len(self.runs)
        if done in self._marks:
            self.progress.report(PHASE, done, len(self.pairs), self._metrics())

    def _metrics(self) -> dict[str, float]:
        return {"evaluations": float(sum(run.evaluations for run in self.runs))}

    def _checkpoint(self) -> None:
        started = time.monotonic()
        self.progress.checkpoint(PHASE, len(self.runs), self._write)
        self._saved = time.monotonic()
        self._patience = max(CHECKPOINT_SECONDS, SHARE * (self._saved - started))

    def _write(self, file: Path) -> None:
        going = None
        if self.current is not None:
            going = {"exploration": self.current.state(), "seconds": time.monotonic() - self.began}
        document = {
            "runs": [asdict(run) for run in self.runs],
            "going": going,
            "warm": {str(seed): [str(rank) for rank in ranks] for seed, ranks in self.warm.items()},
            "evaluator": dict(self.evaluator.state()),
            "failures": self.failures,
            "notes": self.notes,
            "seconds": self.seconds,
        }
        record.save(file, document)

    def _resume(self) -> None:
        """Go on from the checkpoint of an earlier attempt, where there is one."""
        saved = self.progress.resume()
        if saved is None or saved.phase != PHASE:
            return
        try:
            document = record.load(saved.file)
            self.evaluator.restore(document["evaluator"])
        except ValueError as error:  # another version's, or the results that the runs were judged by have changed
            self._note(f"starting over, for the earlier attempt is of no use: {error}")
            return
        self.runs = [read_run(run) for run in document["runs"]]
        self.going = document["going"]
        self.warm = {int(seed): tuple(map(int, ranks)) for seed, ranks in document["warm"].items()}
        self.failures, self.notes = document["failures"], document["notes"]
        self.earlier_seconds = document["seconds"]

    # -- results

    @property
    def seconds(self) -> float:
        """Wall-clock time of all attempts."""
        return self.earlier_seconds + time.monotonic() - self.started

    def _outcome(self, table: Table | None = None, stopped_in: str | None = None) -> JobResult:
        """What there is: all of it, or what a cancelled comparison keeps."""
        notes = [*self.notes, *self.failures[:SHOWN]]
        if len(self.failures) > SHOWN:
            notes.append(f"and {len(self.failures) - SHOWN} further runs in which every evaluation failed")
        if stopped_in is not None:
            notes.append(f"cancelled after {len(self.runs)} of {len(self.pairs)} runs, which are all that is compared")
        return outcome(
            self.request,
            self.runs,
            judged_by=self.evaluator.judged_by(),
            provenance={**self.evaluator.provenance(), "code_version": load_settings().code_version},
            notes=notes,
            seconds=self.seconds,
            table=table,
            more={} if stopped_in is None else {"stopped_in": stopped_in},
        )


def read_run(document: Mapping[str, Any]) -> Run:
    """A run of a checkpoint."""
    steps = tuple(Step(**{**step, "values": tuple(step["values"])}) for step in document["steps"])
    worst = None if document["worst"] is None else tuple(document["worst"])
    return Run(**{**document, "steps": steps, "worst": worst})
