"""Regularised evolution (Real et al., 2019, arXiv:1802.01548): the oldest dies, not the worst.

The first `population` members are random. Then the best of `tournament` members, drawn with replacement from the
population, has a child: a mutant in one decision. What is told enters the population, and the oldest leaves it.

The defaults are for some hundreds of evaluations; the paper's, for 20,000, are a population of 100 and tournaments of
25.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from workers.strategies.discrete.archive import Archive, Fitness, single, told
from workers.strategies.discrete.protocol import Measured, Problem, Proposal


class Evolution:
    """A population ordered by age."""

    def __init__(self, problem: Problem, *, population: int = 20, tournament: int = 10) -> None:
        single(problem, "evolution")
        if population < 1 or tournament < 1:
            raise ValueError(f"population {population}, tournament {tournament}: each is at least 1")
        self._archive = Archive(problem, "evolution", population=population, tournament=tournament)
        self._population: deque[tuple[int, Fitness]] = deque(maxlen=population)
        self._first, self._tournament = population, tournament

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.proposals(n, self._next)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`."""
        for one in self._archive.learn(measured):
            fitness = self._archive.fitness(one)
            if fitness is not None:
                self._population.append((one.proposal.rank, fitness))

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`."""
        return self._archive.state(population=[[str(rank), list(fitness)] for rank, fitness in self._population])

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        found = self._archive.opened(document)
        members = found.field("population").items(most=self._first)
        population = [told(member, self._archive.space.plan.size) for member in members]
        self._archive.restore(found)
        self._population.clear()
        self._population.extend(population)

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()

    def _next(self) -> int | None:
        if self._archive.met < self._first or not self._population:
            return self._archive.fresh()
        return self._archive.bred(self._child)

    def _child(self) -> int:
        rivals = self._archive.rng.choices(self._population, k=self._tournament)
        parent, _ = max(rivals, key=lambda entry: entry[1])
        return self._archive.mutant(parent)
