"""The archive of a search: which members it has met, its random generator, and members that it has not met."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from random import Random
from typing import Any

from app.architecture import judge_of
from app.space import NoOther, OutOfRange
from app.space.constraints import valid
from app.space.errors import Unmet
from app.space.validity import valid_ranks
from app.space.variation import mutated
from workers.strategies.discrete.protocol import Measured, Problem, Proposal

LISTED = 50_000  # members; a space of no more is listed once drawing brings nothing new
SOON = 100  # draws in a row that bring nothing new before that
VAIN = 1_000  # the same in a larger space, which is then given up
BRED = 100  # variants made in vain before a member is drawn instead

Fitness = tuple[float, float]  # larger is better: minus the violation, then the value, signed so


class Archive:
    """Members met so far: those proposed, and those only told of. It says what may be proposed next."""

    def __init__(self, problem: Problem, strategy: str) -> None:
        self.problem = problem
        self.space = problem.space
        self.rng = Random(problem.seed)
        self.met = 0  # proposals made, and members told of that were never proposed
        self._strategy = strategy
        self._seen: set[int] = set()
        self._proposed = 0
        judges = (valid(self.space), judge_of(self.space), problem.feasible)
        asked = [judge for judge in judges if judge is not None]
        self._suits = lru_cache(LISTED)(lambda rank: all(judge(rank) for judge in asked))

    def proposals(self, n: int, following: Callable[[], int | None]) -> tuple[Proposal, ...]:
        """Up to `n` of the members that `following` gives, until it gives none."""
        found: list[Proposal] = []
        while len(found) < n and (rank := following()) is not None:
            found.append(Proposal(rank))
        return tuple(found)

    def fresh(self) -> int | None:
        """A uniformly random member that may be proposed; None where there is none left.

        Every member is found in a space of up to LISTED; in a larger one, VAIN draws in a row end the search for one.
        """
        size = self.space.plan.size
        draws = SOON if size <= LISTED else VAIN
        for _ in range(draws):
            ((rank,), _) = valid_ranks(self.space, self.rng, 1)
            if self._admit(rank):
                return rank
        if size <= LISTED:
            rest = [rank for rank in range(size) if self.problem.repeats or rank not in self._seen]
            self.rng.shuffle(rest)
            found = next((rank for rank in rest if self._admit(rank)), None)
            if found is not None or not rest:
                return found
        if not self._proposed and len(self._seen) < size:
            raise Unmet(size if size <= LISTED else draws)
        return None

    def bred(self, make: Callable[[], int]) -> int | None:
        """The first of what `make` makes that may be proposed, else a fresh member."""
        for _ in range(BRED):
            try:
                rank = make()
            except NoOther:
                break
            if self._admit(rank):
                return rank
        return self.fresh()

    def listed(self, rank: int) -> int | None:
        """A member given by its rank, where it may be proposed."""
        return rank if self._admit(rank) else None

    def mutant(self, rank: int) -> int:
        """A member one decision away; NoOther in a space of one member."""
        return mutated(self.space.plan.part, rank, self.rng)

    def learn(self, measured: Iterable[Measured]) -> tuple[Measured, ...]:
        """Check measurements and enter their members; nothing is entered where one makes no sense."""
        found = tuple(measured)
        for one in found:
            self._check(one)
        for one in found:
            if one.proposal.rank not in self._seen:
                self._seen.add(one.proposal.rank)
                self.met += 1
        return found

    def fitness(self, measured: Measured) -> Fitness | None:
        """How good a member is under the one objective; None where its evaluation failed."""
        if measured.values is None:
            return None
        sign = 1.0 if self.problem.objectives[0].goal == "maximise" else -1.0
        return -measured.violation, sign * measured.values[0]

    def state(self, **own: Any) -> dict[str, Any]:
        """A document of the archive and of what a strategy has of its own."""
        version, words, following = self.rng.getstate()
        return {
            "strategy": self._strategy,
            "space": self.space.digest,
            "random": [version, list(words), following],
            "met": self.met,
            "proposed": self._proposed,
            "seen": written(sorted(self._seen)),
            **own,
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`; ValueError for the state of another strategy or space."""
        for name, expected in (("strategy", self._strategy), ("space", self.space.digest)):
            if document[name] != expected:
                raise ValueError(f"/{name}: the state is of {document[name]!r}, not of {expected!r}")
        version, words, following = document["random"]
        self.rng.setstate((version, tuple(words), following))
        self.met, self._proposed = document["met"], document["proposed"]
        self._seen = set(read(document["seen"]))

    def _admit(self, rank: int) -> bool:
        """Enter a member as proposed, where it may be."""
        if (rank in self._seen and not self.problem.repeats) or not self._suits(rank):
            return False
        self._seen.add(rank)
        self._proposed += 1
        self.met += 1
        return True

    def _check(self, measured: Measured) -> None:
        rank, size, names = measured.proposal.rank, self.space.plan.size, self.problem.objectives
        if not 0 <= rank < size:
            raise OutOfRange(rank, size)
        values = measured.values
        if values is not None and (len(values) != len(names) or not all(map(math.isfinite, values))):
            expected = ", ".join(objective.name for objective in names)
            raise ValueError(f"values of member {rank}: {values}; expected a finite number for each of {expected}")
        if not 0 <= measured.violation < math.inf:
            raise ValueError(f"violation of member {rank}: {measured.violation}; expected a finite number, at least 0")


def single(problem: Problem, strategy: str) -> None:
    """ValueError unless there is one objective."""
    if len(problem.objectives) != 1:
        names = ", ".join(objective.name for objective in problem.objectives) or "none"
        raise ValueError(f"objectives: {names}; {strategy} takes one")


def written(ranks: Iterable[int]) -> list[str]:
    """Ranks in a document: decimal strings, as they may exceed what JSON numbers hold."""
    return [str(rank) for rank in ranks]


def read(ranks: Iterable[str]) -> list[int]:
    """The inverse of `written`."""
    return [int(rank) for rank in ranks]
