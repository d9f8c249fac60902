"""Local search (White et al., 2020, arXiv:2005.02960): move to the first neighbour that is better, or start anew.

Each climb starts from the best of `starts` random members. The neighbours of where it stands are proposed in random
order until one of them is told to be better. Where all have been proposed and none was, a new climb starts.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from workers.strategies.discrete.archive import Archive, Fitness, single, told
from workers.strategies.discrete.document import written
from workers.strategies.discrete.protocol import Measured, Problem, Proposal

AROUND = 1_000  # neighbours looked at; where a member has more, so many mutants are drawn


class LocalSearch:
    """Where the climb stands, and the neighbours still to be proposed."""

    def __init__(self, problem: Problem, *, starts: int = 10) -> None:
        single(problem, "local search")
        if starts < 1:
            raise ValueError(f"starts {starts}: at least 1")
        self._archive = Archive(problem, "local_search", starts=starts)
        self._starts = starts
        self._drawn = 0  # random members proposed for this climb
        self._summit: tuple[int, Fitness] | None = None  # the best member of this climb
        self._around: list[int] | None = None  # its neighbours not proposed yet, the next one last; None before a look

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.proposals(n, self._next)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`."""
        for one in self._archive.learn(measured):
            fitness = self._archive.fitness(one)
            if fitness is not None and (self._summit is None or fitness > self._summit[1]):
                self._summit, self._around = (one.proposal.rank, fitness), None

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`."""
        return self._archive.state(
            drawn=self._drawn,
            summit=None if self._summit is None else [str(self._summit[0]), list(self._summit[1])],
            around=None if self._around is None else written(self._around),
        )

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        found, size = self._archive.opened(document), self._archive.space.plan.size
        drawn = found.field("drawn").whole()
        at, near = found.field("summit").maybe(), found.field("around").maybe()
        summit = None if at is None else told(at, size)
        around = None if near is None else near.ranks(size)
        self._archive.restore(found)
        self._drawn, self._summit, self._around = drawn, summit, around

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()

    def _next(self) -> int | None:
        if self._summit is not None and self._drawn >= self._starts:
            if self._around is None:
                self._around = self._neighbours(self._summit[0])
            while self._around:
                rank = self._archive.listed(self._around.pop())
                if rank is not None:
                    return rank
            self._summit, self._around, self._drawn = None, None, 0
        self._drawn += 1
        return self._archive.fresh()

    def _neighbours(self, rank: int) -> list[int]:
        found = list(islice(self._archive.space.plan.neighbour_indices(rank), AROUND + 1))
        if len(found) > AROUND:
            found = list(dict.fromkeys(self._archive.mutant(rank) for _ in range(AROUND)))
        self._archive.rng.shuffle(found)
        return found
