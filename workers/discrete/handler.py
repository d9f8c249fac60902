"""The handler of discrete searches: everything that a search is beside its exploration.

    phase     epochs        metrics
    search    the budget    best_<metric> and failed; of several objectives: front (its members) and failed

An epoch is an evaluation. Metrics are kept after 1, 2, 5, 10, 20, 50, ... evaluations and at the end.

The checkpoint is the record of the search. Where an evaluation is expensive it is committed before and after every
batch, from the first that is measured on: what children measured is never asked for twice. Where it is cheap it is
committed every second or so, and what came after it is done again, with the same outcome. A search goes on from its
checkpoint with the very same trajectory. Only where that is not possible does it start over, and says so: the results
of the catalogue that it is judged by are others by now, or the checkpoint is another version's.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.experiment import DiscreteSearchRequest, JobResult, SharingReport
from app.settings import load_settings
from app.space import SearchSpace, space_from_json
from workers.discrete import record
from workers.discrete.exploration import Exploration, NothingMeasured
from workers.discrete.found import best, front
from workers.evaluators import evaluator_for, sharing_of
from workers.progress import Progress, Resume, Stopped

PHASE = "search"
CHECKPOINT_SECONDS = 1.0  # between two checkpoints where evaluations are cheap
SHARE = 20  # and so many times what writing one takes
STEP_SECONDS = 0.5  # between two tellings of how far it is


def run(request: DiscreteSearchRequest, progress: Progress) -> JobResult:
    """Searches, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop, Waiting where
    children measure, NothingMeasured where not one evaluation succeeded."""
    return Attempt(request, progress).run()


class Attempt:
    """One attempt at a search."""

    def __init__(self, request: DiscreteSearchRequest, progress: Progress) -> None:
        self.request, self.progress = request, progress
        self.notes: list[str] = []
        self.sharing: SharingReport | None = None
        self.earlier_seconds = 0.0
        self.started = time.monotonic()
        self.space = space_from_json(request.document)
        self.evaluator = evaluator_for(request, self.space, progress)
        self.exploration = self._resumed(progress.resume()) or self._new(_warm(request, self.space, progress))
        self._told = len(self.exploration.trajectory)  # evaluations of which all is told that is kept
        self._step_told = self._saved = time.monotonic()
        self._patience = CHECKPOINT_SECONDS

    def run(self) -> JobResult:
        """All evaluations that are left."""
        exploration, budget = self.exploration, self.request.budget
        with self._keeping(PHASE):
            exploration.run(self._pause)
        made = len(exploration.trajectory)
        if exploration.failed == made:
            raise NothingMeasured(
                f"none of {made} evaluations succeeded; the first: {exploration.trajectory[0].failure}"
                if made
                else "the space had no member to propose"
            )
        self.progress.report(PHASE, made, budget, self._metrics())
        with self._keeping("sharing"):
            self.sharing = sharing_of(self.request, self.evaluator)
        return self._outcome()

    @contextmanager
    def _keeping(self, phase: str) -> Iterator[None]:
        """Where the search is cancelled within, whoever says so, what was found is kept."""
        try:
            yield
        except Stopped as stopped:
            if stopped.reason == "cancel":
                raise Stopped("cancel", self._outcome(stopped_in=phase)) from stopped
            raise

    def _new(self, warm: tuple[int, ...] = ()) -> Exploration:
        return Exploration(self.request, self.space, self.evaluator, warm=warm)

    def _resumed(self, saved: Resume | None) -> Exploration | None:
        """The exploration of an earlier attempt; None where there was none, or where it is of no use."""
        if saved is None or saved.phase != PHASE:  # of another phase: an evaluator's, before anything was measured
            return None
        exploration = self._new()
        try:
            document = record.load(saved.file)
            exploration.restore(document["exploration"])
        except ValueError as error:  # another version's, or the results that it was judged by have changed
            self._note(f"starting over, for the earlier attempt is of no use: {error}")
            self.evaluator = evaluator_for(self.request, self.space, self.progress)
            return None
        self.notes = document["notes"]
        self.earlier_seconds = document["seconds"]
        return exploration

    # -- between two steps

    def _pause(self) -> None:
        """Commit the state, tell how far the search is, and stop where that is asked."""
        now, expensive = time.monotonic(), self.evaluator.expensive
        # Until something is measured there is nothing to lose but what the evaluator has committed of its own.
        worth = bool(self.exploration.trajectory)
        due = worth and (expensive or now - self._saved >= self._patience)
        if due:
            self._checkpoint()
        self._tell(now)
        reason = self.progress.should_stop()
        if reason is not None:
            if reason == "drain" and worth and not due:
                self._checkpoint()
            raise Stopped(reason)

    def _checkpoint(self) -> None:
        started = time.monotonic()
        self.progress.checkpoint(PHASE, len(self.exploration.trajectory), self._write)
        self._saved = time.monotonic()
        self._patience = max(CHECKPOINT_SECONDS, SHARE * (self._saved - started))

    def _write(self, file: Path) -> None:
        document = {"exploration": self.exploration.state(), "notes": self.notes, "seconds": self.seconds}
        record.save(file, document)

    def _tell(self, now: float) -> None:
        made, budget = len(self.exploration.trajectory), self.request.budget
        if made == self._told:
            return
        if milestone(made) > self._told and made < budget:  # the end is told at the end
            self.progress.report(PHASE, made, budget, self._metrics())
        elif now - self._step_told >= STEP_SECONDS:
            self._step_told = now
            self.progress.report(PHASE, made, budget, self._metrics(), step=0, steps=1)
        self._told = made

    def _metrics(self) -> dict[str, float]:
        exploration, (objective, *others) = self.exploration, self.request.objectives
        found: dict[str, float] = {"failed": float(exploration.failed)}
        if others:
            return {"front": float(len(front(exploration.trajectory, self.request.objectives))), **found}
        top = best(exploration.trajectory, objective)
        if top is None or top.values is None:
            return found
        return {f"best_{objective.metric}": top.values[objective.metric], **found}

    def _note(self, text: str) -> None:
        self.progress.note(text)
        self.notes.append(text)

    # -- results

    @property
    def seconds(self) -> float:
        """Wall-clock time of all attempts."""
        return self.earlier_seconds + time.monotonic() - self.started

    def _outcome(self, stopped_in: str | None = None) -> JobResult:
        """What there is: all of it, or what a cancelled search keeps."""
        exploration = self.exploration
        report = exploration.report(seconds=self.seconds, notes=self.notes, sharing=self.sharing)
        result: dict[str, Any] = {
            "genotype": None if report.best is None else report.best.genotype,
            "report": asdict(report),
            "trajectory": [asdict(one) for one in exploration.trajectory],
            **self.evaluator.provenance(),
            "code_version": load_settings().code_version,
            "seed": self.request.seed,
            "seconds": report.seconds,
        }
        if stopped_in is not None:
            result["stopped_in"] = stopped_in
        measured = exploration.failed < len(exploration.trajectory)
        return JobResult(result=result, evaluations=self.evaluator.evaluations() if measured else ())


def milestone(made: int) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, ... that is no more than a number of evaluations; 0 of none."""
    reached, step = 0, 1
    while step <= made:
        reached = max(factor * step for factor in (1, 2, 5) if factor * step <= made)
        step *= 10
    return reached


def _warm(request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> tuple[int, ...]:
    """The members that are measured first."""
    if request.warm_start is None:
        return ()
    if request.strategy == "successive_halving":
        raise ValueError("/warm_start: successive halving measures its own members, at fidelities of its own")
    from workers.discrete.warm_start import warm_ranks

    return warm_ranks(request, space, progress)[: request.warm_start.kept]
