"""NSGA-II (Deb et al., 2002, doi:10.1109/4235.996017): fronts one behind the other, and crowding within a front.

The first `population` members are random. Then two parents, each the winner of a binary tournament, are crossed with
probability CROSSED, and one decision of the child is mutated: of l decisions each changes with 1/l on average. Once
`population` measured children are told, the best of parents and children are the next parents. The default population
is for some hundreds of evaluations; the paper's, for 25,000, is 100.

Where bounds are exceeded, constraint domination holds: a member that exceeds them by less dominates one that exceeds
them by more, whatever their values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.strategies.discrete.archive import Archive
from workers.strategies.discrete.document import Found
from workers.strategies.discrete.protocol import Measured, Problem, Proposal

CROSSED = 0.9  # Deb et al., 2002, section IV


@dataclass(frozen=True, slots=True)
class Individual:
    """A measured member; every cost is to be small."""

    rank: int
    violation: float
    costs: tuple[float, ...]

    def dominates(self, other: "Individual") -> bool:
        """Constraint domination (section VI): less violation, or no greater cost and a smaller one."""
        if self.violation != other.violation:
            return self.violation < other.violation
        pairs = list(zip(self.costs, other.costs, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


class NSGA2:
    """Parents, best first, and the children measured since they were chosen."""

    def __init__(self, problem: Problem, *, population: int = 20) -> None:
        if not problem.objectives:
            raise ValueError("objectives: none; NSGA-II takes one or more")
        if population < 2:
            raise ValueError(f"population {population}: at least 2")
        self._archive = Archive(problem, "nsga2", population=population)
        self._size = population
        self._signs = tuple(-1.0 if objective.goal == "maximise" else 1.0 for objective in problem.objectives)
        self._parents: list[Individual] = []
        self._children: list[Individual] = []

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.proposals(n, self._next)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`."""
        for one in self._archive.learn(measured):
            if one.values is None:
                continue
            costs = tuple(sign * value for sign, value in zip(self._signs, one.values, strict=True))
            self._children.append(Individual(one.proposal.rank, one.violation, costs))
            if len(self._children) == self._size:
                self._parents = survivors([*self._parents, *self._children], self._size)
                self._children = []

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`."""
        return self._archive.state(parents=_written(self._parents), children=_written(self._children))

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        found = self._archive.opened(document)
        parents = self._read(found.field("parents").items(most=self._size))
        children = self._read(found.field("children").items(most=self._size - 1))
        self._archive.restore(found)
        self._parents, self._children = parents, children

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()

    def _read(self, individuals: Iterable[Found]) -> list[Individual]:
        found: list[Individual] = []
        for one in individuals:
            rank, violation, costs = one.items(3)
            numbers = tuple(cost.number() for cost in costs.items(len(self._signs)))
            found.append(Individual(rank.rank(self._archive.space.plan.size), violation.number(0), numbers))
        return found

    def _next(self) -> int | None:
        return self._archive.bred(self._child) if self._parents else self._archive.fresh()

    def _child(self) -> int:
        plan, rng = self._archive.space.plan, self._archive.rng
        rank = self._parent()
        if rng.random() < CROSSED:
            (child,) = plan.crossover(rng, plan.unrank(rank), plan.unrank(self._parent()))
            rank = plan.rank(child)
        return self._archive.mutant(rank)

    def _parent(self) -> int:
        """The better of two: parents are in order."""
        count = len(self._parents)
        return self._parents[min(self._archive.rng.randrange(count) for _ in range(2))].rank


def fronts(individuals: Sequence[Individual]) -> list[list[Individual]]:
    """The individuals that no other dominates, then those that only the first dominate, and so on."""
    above = _domination(individuals)
    left = np.ones(len(individuals), np.bool_)
    found: list[list[Individual]] = []
    while left.any():
        front: list[int] = np.flatnonzero(left & ~above[left].any(0)).tolist()
        found.append([individuals[i] for i in front])
        left[front] = False
    return found


def _domination(individuals: Sequence[Individual]) -> NDArray[np.bool_]:
    """(N, N): whether the individual of the row dominates that of the column."""
    violation = np.array([one.violation for one in individuals])
    costs = np.array([one.costs for one in individuals])
    alike = violation[:, None] == violation
    no_greater, smaller = alike.copy(), np.zeros_like(alike)
    for cost in costs.T:
        no_greater &= cost[:, None] <= cost
        smaller |= cost[:, None] < cost
    return (violation[:, None] < violation) | (no_greater & smaller)


def crowding(front: Sequence[Individual]) -> list[float]:
    """For each individual the summed distance between its two neighbours in each cost, as a share of the cost's range.

    Infinite at both ends of a cost.
    """
    distances = [0.0] * len(front)
    for k in range(len(front[0].costs)):
        order = sorted(range(len(front)), key=lambda i: front[i].costs[k])
        low, high = front[order[0]].costs[k], front[order[-1]].costs[k]
        distances[order[0]] = distances[order[-1]] = math.inf
        if high > low:
            for before, i, after in zip(order, order[1:], order[2:], strict=False):
                distances[i] += (front[after].costs[k] - front[before].costs[k]) / (high - low)
    return distances


def survivors(individuals: Sequence[Individual], count: int) -> list[Individual]:
    """The best `count`, best first: by front, then the less crowded."""
    kept: list[Individual] = []
    for front in fronts(individuals):
        distances = crowding(front)
        order = sorted(range(len(front)), key=lambda i: -distances[i])
        kept += [front[i] for i in order]
        if len(kept) >= count:
            break
    return kept[:count]


def _written(individuals: Iterable[Individual]) -> list[Any]:
    return [[str(one.rank), one.violation, list(one.costs)] for one in individuals]
