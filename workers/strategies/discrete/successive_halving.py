"""Successive halving (Jamieson and Talwalkar, 2016, arXiv:1502.07943): many members cheaply, the better ones dearly.

A bracket starts with `eta`^k random members at the least fidelity. Once all of them are measured, the better 1/`eta`
are measured at `eta` times the fidelity, and so on until one is left at the most. While a bracket waits for what is
being measured, the next one starts, so an ask never has to wait. A member that goes on is no repeat: it is measured
once at a fidelity. Where repeats are allowed, members are drawn that were drawn before, and are measured once more for
each time.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.strategies.discrete.archive import Archive, Fitness, single
from workers.strategies.discrete.document import Found, written
from workers.strategies.discrete.protocol import Measured, Problem, Proposal


@dataclass(slots=True)
class Bracket:
    """Members that compete at one fidelity."""

    rung: int = 0
    ranks: list[int] = field(default_factory=list[int])
    results: list[Fitness | None] = field(default_factory=list[Fitness | None])  # None: failed, or not yet measured
    waiting: set[int] = field(default_factory=set[int])  # places in `ranks` that are not measured

    def enter(self, rank: int) -> None:
        """A member that is to be measured."""
        self.waiting.add(len(self.ranks))
        self.ranks.append(rank)
        self.results.append(None)

    def place(self, rank: int) -> int | None:
        """Where a member waits to be measured."""
        return next((i for i in sorted(self.waiting) if self.ranks[i] == rank), None)

    def better(self, count: int) -> list[int]:
        """The best `count` of those measured, best first; of equals, the one that was entered first."""
        measured = [(result, -i) for i, result in enumerate(self.results) if result is not None]
        return [self.ranks[-i] for _, i in sorted(measured, reverse=True)[:count]]


class SuccessiveHalving:
    """Brackets that are not finished, and members that go on at a higher fidelity."""

    def __init__(self, problem: Problem, *, least: int = 1, most: int = 27, eta: int = 3) -> None:
        """`least`, `most`: the fidelities of the first rung and at most of the last, such as epochs."""
        single(problem, "successive halving")
        if eta < 2 or not 1 <= least <= most:
            raise ValueError(f"least {least}, most {most}, eta {eta}: expected 1 <= least <= most and eta >= 2")
        self._archive = Archive(problem, "successive_halving", least=least, most=most, eta=eta)
        self._eta = eta
        self._fidelities = [least]
        while self._fidelities[-1] * eta <= most:
            self._fidelities.append(self._fidelities[-1] * eta)
        self._first = eta ** (len(self._fidelities) - 1)  # members of a bracket at the least fidelity
        self._filling: Bracket | None = None
        self._brackets: list[Bracket] = []  # filled, oldest first
        self._promoted: deque[Proposal] = deque()

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`; fewer also where the space is used up and brackets wait to be told."""
        found: list[Proposal] = []
        while len(found) < n and (proposal := self._next()) is not None:
            found.append(proposal)
        return tuple(found)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`; what was not asked at its fidelity is only remembered."""
        for one in self._archive.learn(measured):
            for bracket in [*self._brackets, *([] if self._filling is None else [self._filling])]:
                at = self._fidelities[bracket.rung] == one.proposal.fidelity
                place = bracket.place(one.proposal.rank) if at else None
                if place is not None:
                    bracket.results[place] = self._archive.fitness(one)
                    bracket.waiting.remove(place)
                    break
        self._halve()

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`."""
        return self._archive.state(
            filling=None if self._filling is None else _written(self._filling),
            brackets=[_written(bracket) for bracket in self._brackets],
            promoted=[[str(proposal.rank), proposal.fidelity] for proposal in self._promoted],
        )

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        found = self._archive.opened(document)
        at = found.field("filling").maybe()
        filling = None if at is None else self._read(at, most=self._first - 1)
        brackets = [self._read(bracket) for bracket in found.field("brackets").items()]
        promoted = [self._promotion(proposal) for proposal in found.field("promoted").items()]
        self._archive.restore(found)
        self._filling, self._brackets, self._promoted = filling, brackets, deque(promoted)

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()

    def _read(self, found: Found, most: int | None = None) -> Bracket:
        items = found.field("ranks").items(most=self._first if most is None else most)
        ranks = [item.rank(self._archive.space.plan.size) for item in items]
        results: list[Fitness | None] = []
        for result in found.field("results").items(len(ranks)):
            both = None if result.maybe() is None else result.items(2)
            results.append(None if both is None else (both[0].number(), both[1].number()))
        waiting = found.field("waiting")
        places = {place.whole(most=len(ranks) - 1) for place in waiting.items(most=len(ranks))}
        return Bracket(found.field("rung").whole(most=len(self._fidelities) - 1), ranks, results, places)

    def _promotion(self, found: Found) -> Proposal:
        rank, fidelity = found.items(2)
        if fidelity.whole() not in self._fidelities:
            raise fidelity.refused(f"one of {', '.join(map(str, self._fidelities))}")
        return Proposal(rank.rank(self._archive.space.plan.size), fidelity.whole())

    def _next(self) -> Proposal | None:
        if self._promoted:
            return self._promoted.popleft()
        rank = self._archive.fresh()
        if rank is None:
            self._close()
            return self._promoted.popleft() if self._promoted else None
        if self._filling is None:
            self._filling = Bracket()
        self._filling.enter(rank)
        if len(self._filling.ranks) == self._first:
            self._close()
        return Proposal(rank, self._fidelities[0])

    def _close(self) -> None:
        """No more members enter the bracket that is being filled."""
        if self._filling is not None:
            self._brackets.append(self._filling)
            self._filling = None
            self._halve()

    def _halve(self) -> None:
        """Promote the better members of every bracket that is measured."""
        for bracket in [bracket for bracket in self._brackets if not bracket.waiting]:
            better = bracket.better(max(1, len(bracket.ranks) // self._eta))
            following = Bracket(bracket.rung + 1)
            if not better or following.rung == len(self._fidelities):
                self._brackets.remove(bracket)
                continue
            for rank in better:
                following.enter(rank)
                self._promoted.append(Proposal(rank, self._fidelities[following.rung]))
            self._brackets[self._brackets.index(bracket)] = following


def _written(bracket: Bracket) -> dict[str, Any]:
    return {
        "rung": bracket.rung,
        "ranks": written(bracket.ranks),
        "results": [None if result is None else list(result) for result in bracket.results],
        "waiting": sorted(bracket.waiting),
    }
