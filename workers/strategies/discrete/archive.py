"""The archive of a search: which members it has met, its random generator, and members that it has not met.

A new member is drawn uniformly as long as that brings any. Then, once and for all,

listed      a space of up to LISTED members is gone through, in random order: every member is found
descents    in a larger one, where it is known by how much a bound is passed, random members are changed one decision
            after another until they keep to it; they are no longer uniform
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from random import Random
from typing import Any, Literal

from app.architecture import excess_of, judge_of
from app.space import NoOther, OutOfRange
from app.space.constraints import valid
from app.space.errors import Unmet
from app.space.validity import valid_ranks
from app.space.variation import mutated
from workers.strategies.discrete.document import Found, written
from workers.strategies.discrete.protocol import Measured, Problem, Proposal

VERSION = 2  # of state documents
LISTED = 50_000  # members; a space of no more is listed once drawing brings nothing new
SOON = 100  # draws in a row that bring nothing new before that
LED = 2_000  # the same in a larger space before members are led towards the bounds
VAIN = 20_000  # the same in one where nothing leads
DESCENTS, STEPS = 5, 2_000  # descents in vain before a search gives up, and changes that each may try
BRED = 100  # variants made in vain before a member is drawn instead

Source = Literal["drawn", "listed", "descents"]
Fitness = tuple[float, float]  # larger is better: minus the violation, then the value, signed so


class Archive:
    """Members met so far: those proposed, and those only told of. It says what may be proposed next."""

    def __init__(self, problem: Problem, strategy: str, **parameters: int) -> None:
        self.problem = problem
        self.space = problem.space
        self.rng = Random(problem.seed)
        self.met = 0  # proposals made, and members told of that were never proposed
        self._seen: set[int] = set()
        self._proposed = 0
        self._source: Source = "drawn"
        self._list: list[int] | None = None  # members that suit, the next one last
        self._of: Mapping[str, object] = {
            "version": VERSION,
            "strategy": strategy,
            "parameters": parameters,
            "space": self.space.digest,
            "objectives": [[objective.name, objective.goal] for objective in problem.objectives],
            "seed": problem.seed,
            "repeats": problem.repeats,
        }
        judges = (valid(self.space), judge_of(self.space), problem.feasible)
        asked = [judge for judge in judges if judge is not None]
        self._suits = lru_cache(LISTED)(lambda rank: all(judge(rank) for judge in asked))
        self._excesses = [excess for excess in (excess_of(self.space), problem.excess) if excess is not None]

    def proposals(self, n: int, following: Callable[[], int | None]) -> tuple[Proposal, ...]:
        """Up to `n` of the members that `following` gives, until it gives none."""
        found: list[Proposal] = []
        while len(found) < n and (rank := following()) is not None:
            found.append(Proposal(rank))
        return tuple(found)

    def fresh(self) -> int | None:
        """A random member that may be proposed; None where there is none left, or none found in a large space."""
        small = self.space.plan.size <= LISTED
        tried = 0
        if self._source == "drawn":
            draws = SOON if small else LED if self._excesses else VAIN
            rank, tried = self._drawn(draws)
            if rank is not None:
                return rank
            self._source = "listed" if small else "descents" if self._excesses else "drawn"
        rank = self._listed() if self._source == "listed" else self._led() if self._source == "descents" else None
        if rank is None and not self._proposed and len(self._seen) < self.space.plan.size:
            raise NoneFound(self.space.plan.size if small else tried, self._source)
        return rank

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

    def open(self, rank: int) -> bool:
        """Whether a member may be proposed."""
        return (self.problem.repeats or rank not in self._seen) and self._suits(rank)

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

    def notes(self) -> tuple[str, ...]:
        """That random members are no longer uniform, where that is so."""
        said = (
            "members within the bounds are rare: random ones were changed until they kept to them, and are not uniform"
        )
        return (said,) if self._source == "descents" else ()

    def state(self, **own: Any) -> dict[str, Any]:
        """A document of the archive and of what a strategy has of its own."""
        version, words, following = self.rng.getstate()
        return {
            **self._of,
            "random": [version, list(words), following],
            "met": self.met,
            "proposed": self._proposed,
            "source": self._source,
            "seen": written(sorted(self._seen)),
            **own,
        }

    def opened(self, document: object) -> Found:
        """A state of this very search; ValueError for any other."""
        found = Found(document)
        for name, expected in self._of.items():
            found.field(name).same(expected)
        return found

    def restore(self, found: Found) -> None:
        """The inverse of `state`; ValueError, and nothing has changed, where it is damaged."""
        rng = _generator(found.field("random"))
        met = found.field("met").whole()
        proposed = found.field("proposed").whole(most=met)
        source = self._source_of(found.field("source"))
        seen = set(found.field("seen").ranks(self.space.plan.size))
        self.rng.setstate(rng)
        self.met, self._proposed, self._source, self._seen, self._list = met, proposed, source, seen, None

    def _source_of(self, found: Found) -> Source:
        match found.value:
            case "drawn":
                return "drawn"
            case "listed" if self.space.plan.size <= LISTED:
                return "listed"
            case "descents" if self.space.plan.size > LISTED and self._excesses:
                return "descents"
            case _:
                raise found.refused("where members of this space come from")

    def _drawn(self, draws: int) -> tuple[int | None, int]:
        """A uniformly random member, and how many draws it took."""
        for n in range(1, draws + 1):
            try:
                ((rank,), _) = valid_ranks(self.space, self.rng, 1)
            except Unmet as error:
                return None, error.tried
            if self._admit(rank):
                return rank, n
        return None, draws

    def _listed(self) -> int | None:
        """The next of all members in a random order that the seed alone decides."""
        if self._list is None:
            self._list = [rank for rank in range(self.space.plan.size) if self._suits(rank)]
            Random(self.problem.seed).shuffle(self._list)
        if self.problem.repeats:
            return self.listed(self.rng.choice(self._list)) if self._list else None
        while self._list:
            if self._admit(rank := self._list.pop()):
                return rank
        return None

    def _led(self) -> int | None:
        """A random member, changed until it keeps to the bounds: a change that leads away from them is undone."""
        suits = valid(self.space) or (lambda rank: True)
        for _ in range(DESCENTS):
            try:
                ((rank,), _) = valid_ranks(self.space, self.rng, 1)
                excess = self._excess(rank)
                for _ in range(STEPS):
                    if excess == 0 and self._admit(rank):
                        return rank
                    near = self.mutant(rank)
                    if suits(near) and (further := self._excess(near)) <= excess:
                        rank, excess = near, further
            except (NoOther, Unmet):
                return None
        return None

    def _excess(self, rank: int) -> float:
        return sum(excess(rank) for excess in self._excesses)

    def _admit(self, rank: int) -> bool:
        """Enter a member as proposed, where it may be."""
        if not self.open(rank):
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


class NoneFound(Unmet):
    """Not one member of a space may be proposed, as far as was looked."""

    def __init__(self, tried: int, source: Source) -> None:
        super().__init__(tried)
        if source == "descents":
            self.args = (f"{self}, nor did {DESCENTS} descents of up to {STEPS} changes towards the bounds reach one",)


def single(problem: Problem, strategy: str) -> None:
    """ValueError unless there is one objective."""
    if len(problem.objectives) != 1:
        names = ", ".join(objective.name for objective in problem.objectives) or "none"
        raise ValueError(f"objectives: {names}; {strategy} takes one")


def told(found: Found, size: int) -> tuple[int, Fitness]:
    """A member and its fitness from a document: [rank, [minus the violation, value]]."""
    rank, fitness = found.items(2)
    violation, value = fitness.items(2)
    return rank.rank(size), (violation.number(), value.number())


def _generator(found: Found) -> tuple[Any, ...]:
    """The state of a random generator."""
    version, words, following = found.items(3)
    version.same(3)
    numbers = tuple(word.whole(most=2**32 - 1) for word in words.items(625))
    state = (3, numbers, following.value if following.maybe() is None else following.number())
    try:
        Random(0).setstate(state)
    except (TypeError, ValueError, OverflowError) as error:
        raise found.refused(f"the state of a random generator ({error})") from None
    return state
