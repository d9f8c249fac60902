"""Bounded: the valid member that answers decisions with the least regret and costs no more than it may.

The regret of a member is the sum over the decisions that it meets of how much worse its answer is than the best one
there; decisions that it never meets count for nothing. In turn:

    the answer without limits      if it is valid and within the limits
    elimination (`fronts.py`)      exact where costs are sums over guards that ask few decisions
    members by their regret        the first that is valid and cheap enough is the best, whatever costs are made of
    one decision at a time         from the cheapest members and some others: the best that is found, said to be that

A latency is that of `entries`, which computes equal things once, so that it is no sum over guards; elimination then
works with a sum that is not below it, and its answer is the best only where the order of regrets says so too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from math import inf
from random import Random

from app.architecture.constraints import judge_of
from app.architecture.entries import entries
from app.architecture.errors import LoweringError
from app.architecture.expectation import Amounts
from app.architecture.extremes import smallest
from app.architecture.fronts import Answer, Best, TooMany, answers_of, least_regret
from app.architecture.graph import Graph, tariff
from app.architecture.guard import Guard
from app.architecture.lower import lower
from app.architecture.prices import price_of
from app.architecture.workload import latencies as latencies_of
from app.space import ImageInput, SearchSpace, Skeleton
from app.space.algebra import Path
from app.space.constraints import valid
from app.space.errors import InvalidGenotype, Unmet
from app.space.places import read
from app.space.validity import space_repair, valid_ranks

COSTS = ("params", "macs", "latency_ms")
PRICED = 6_000  # members that are looked at in the order of their regrets
CLIMBED = 20_000  # members that are looked at one decision at a time
LOWERED = 400  # of each, where members are lowered
STARTS = 3  # members from which others are reached one decision at a time
DRAWN = 100  # from which they are taken
NEAR = 2_000  # neighbours of a member that are looked at

Regrets = Mapping[Path, Sequence[float]]  # one an option; of a subset, each member's own


class Unattainable(ValueError):
    """No member is within the limits, as far as could be told: `least` is the least cost that was met."""

    def __init__(self, cost: str, limit: float, least: float, *, exact: bool) -> None:
        self.cost, self.limit, self.least, self.exact = cost, limit, least, exact
        if least > limit:
            known = "members have at least" if exact else "the least that was found is"
            message = f"{known} {least:.15g} {cost}, allowed are {limit:.15g}"
        else:
            message = f"no member was found within {limit:.15g} {cost} and the other limits at once"
        super().__init__(f"max_{cost}: {message}")


@dataclass(frozen=True, slots=True)
class Bounded:
    """A member by its rank, its regret, what it costs, and whether no valid member within the limits regrets less."""

    index: int
    regret: float
    costs: Mapping[str, float]
    exact: bool


@dataclass(frozen=True, slots=True)
class Meter:
    """What members of a space cost on a skeleton: params, MACs and, by a table, milliseconds times a factor."""

    space: SearchSpace
    skeleton: Skeleton
    image: ImageInput
    graph: Graph
    latencies: Mapping[str, float]
    factor: float = 1.0

    def of(self, index: int, costs: Iterable[str]) -> dict[str, float]:
        """The costs of the member of a rank; LoweringError where it has no network, KeyError of a missing latency."""
        price = price_of(self.space, self.skeleton, self.image, index)
        found: dict[str, float] = {"params": price.params, "macs": price.macs}
        if "latency_ms" in costs:
            made = lower(self.space.grammar, self.skeleton, self.image, read(self.space.plan.part, index))
            found["latency_ms"] = self.factor * sum(self.latencies[e.key] * n for e, n in entries(made).items())
        return {cost: found[cost] for cost in costs}

    def amounts(self, costs: Sequence[str]) -> list[tuple[Guard, Amounts]]:
        """The costs as sums over guards. LoweringError where the latencies are too many to list."""
        fixed = {"params": 0, "macs": 1}
        found = [
            (guard, tuple([float((params, macs)[fixed[c]]) if c in fixed else 0.0 for c in costs]))
            for guard, params, macs, _ in tariff(self.graph).entries
        ]
        if "latency_ms" in costs:
            table, _ = latencies_of(self.graph, self.latencies)
            found += [(g, tuple([self.factor * ms if c == "latency_ms" else 0.0 for c in costs])) for _, g, ms in table]
        return found


def bounded(meter: Meter, regrets: Regrets, limits: Mapping[str, float]) -> Bounded:
    """The valid member of least regret within limits by name of cost. Raises Unattainable, or Unmet of a space without
    valid members. Regrets are finite; of the same, the member that answers with earlier options is taken."""
    return _Search(meter, regrets, limits).run()


class _Search:
    def __init__(self, meter: Meter, regrets: Regrets, limits: Mapping[str, float]) -> None:
        self.meter, self.space = meter, meter.space
        self.regrets, self.limits = regrets, dict(limits)
        self.plan = meter.space.plan
        self.decisions = self.plan.decisions()
        self._valid, self._judge = valid(self.space), judge_of(self.space)
        self._answers: dict[Path, list[tuple[float, Answer]]] = {}
        self._best = {d.path: sum(sorted(regrets[d.path])[: d.k]) for d in self.decisions}
        self._places = {d.path: {o: i for i, o in enumerate(map(_key, d.options))} for d in self.decisions}
        self._excesses: dict[int, float] = {}
        self._least = dict.fromkeys(self.limits, inf)

    def run(self) -> Bounded:
        """The best, or the best that is found."""
        first = next(self._by_regret(1), None)
        if first is not None and self._excess(first) == 0:
            return self._answer(first, exact=True)
        found, impossible = self._eliminated()
        additive = "latency_ms" not in self.limits
        if found is not None and found.exact and additive:
            rank = self._rank(found)
            if rank is not None and self._excess(rank) == 0:
                return self._answer(rank, exact=True)
        if impossible and additive:
            self._look_for_cheap()
            raise self._refusal(exact=True)
        most = PRICED if additive else LOWERED
        seen = 0
        for rank in self._by_regret(most):
            seen += 1
            if self._excess(rank) == 0:
                return self._answer(rank, exact=True)
        if seen >= self.plan.size:  # all members there are
            raise self._refusal(exact=True)
        return self._reached(found)

    # -- what members are

    def _regret(self, rank: int) -> float:
        made = read(self.plan.part, rank)
        total = 0.0
        for path, answer in made.items():
            places = self._places[path]
            total += sum(self.regrets[path][places[_key(symbol)]] for symbol in answer) - self._best[path]
        return total

    def _excess(self, rank: int) -> float:
        """By how much a member exceeds the limits, as shares of them; infinite of one that is not valid."""
        found = self._excesses.get(rank)
        if found is None:
            found = self._excesses[rank] = self._measured(rank)
        return found

    def _measured(self, rank: int) -> float:
        if not (self._valid(rank) and (self._judge is None or self._judge(rank))):
            return inf
        try:
            costs = self.meter.of(rank, self.limits)
        except LoweringError:
            return inf
        for name, cost in costs.items():
            self._least[name] = min(self._least[name], cost)
        return sum(max(0.0, costs[n] - limit) / max(limit, 1e-9) for n, limit in self.limits.items())

    def _rank(self, best: Best) -> int | None:
        try:
            return self.plan.rank(self.plan.write(best.decided))
        except InvalidGenotype:
            return None

    def _answer(self, rank: int, *, exact: bool) -> Bounded:
        return Bounded(rank, self._regret(rank), self.meter.of(rank, self.limits or COSTS[:2]), exact)

    def _refusal(self, *, exact: bool) -> Exception:
        over = [name for name, limit in self.limits.items() if self._least[name] > limit]
        if not self.limits or any(least == inf for least in self._least.values()):
            return Unmet(self.plan.size)
        name = (over or list(self.limits))[0]
        return Unattainable(name, self.limits[name], self._least[name], exact=exact)

    # -- elimination

    def _eliminated(self) -> tuple[Best | None, bool]:
        """What elimination finds, conditions not looked at; and whether it tells that nothing is within the limits."""
        if not self.limits:
            return None, False
        try:
            amounts = self.meter.amounts([*self.limits])
            found = least_regret(amounts, self.decisions, self.regrets, tuple(self.limits.values()))
        except (TooMany, LoweringError):
            return None, False
        return found, found is None

    def _look_for_cheap(self) -> None:
        """Meets members that cost as little as there is of each cost alone, so that a refusal can tell."""
        for name in self.limits:
            amounts = [(g, a) for g, a in self.meter.amounts([name]) if any(a)]
            low, high = 0.0, sum(a[0] for _, a in amounts)
            while low < high:  # costs here are whole numbers
                middle = (low + high) // 2
                found = least_regret(amounts, self.decisions, self.regrets, (middle,))
                low, high = (low, middle) if found is not None else (middle + 1, high)
            found = least_regret(amounts, self.decisions, self.regrets, (low,))
            rank = None if found is None else self._rank(found)
            if rank is not None:
                self._excess(rank)
            self._least[name] = min(self._least[name], low)

    # -- members in the order of their regrets

    def _by_regret(self, most: int) -> Iterator[int]:
        """The ranks of at most so many members, the least regret first."""
        try:
            for d in self.decisions:
                if d.path not in self._answers:
                    self._answers[d.path] = answers_of(d, self.regrets[d.path])
        except TooMany:
            return
        paths = [d.path for d in self.decisions if len(self._answers[d.path]) > 1]
        heap: list[tuple[float, tuple[tuple[int, int], ...]]] = [(0.0, ())]  # (regret, ((decision, answer), ...))
        seen: set[int] = set()
        for _ in range(4 * most):
            if not heap or len(seen) >= most:
                return
            regret, taken = heappop(heap)
            chosen = {path: self._answers[path][0][1] for path in self._answers}
            chosen |= {paths[i]: self._answers[paths[i]][n][1] for i, n in taken}
            met = paths
            try:
                rank = self.plan.rank(self.plan.write(chosen))
            except InvalidGenotype:
                rank = None  # an option of a shared rule that is not there at this depth
            if rank is not None:
                made = read(self.plan.part, rank)
                met = {path for path in paths if path in made or path.startswith("@")}
                if rank not in seen:
                    seen.add(rank)
                    yield rank
            last, number = taken[-1] if taken else (-1, 0)
            if last >= 0 and number + 1 < len(self._answers[paths[last]]):
                answers = self._answers[paths[last]]
                heappush(
                    heap, (regret - answers[number][0] + answers[number + 1][0], (*taken[:-1], (last, number + 1)))
                )
            for i in range(last + 1, len(paths)):
                if paths[i] in met:
                    heappush(heap, (regret + self._answers[paths[i]][1][0], (*taken, (i, 1))))

    # -- one decision at a time

    def _reached(self, found: Best | None) -> Bounded:
        starts = [rank for rank in self._starts(found) if self._excess(rank) < inf]
        starts = sorted(dict.fromkeys(starts), key=lambda r: (self._excess(r), self._regret(r)))[:STARTS]
        if not starts:
            raise Unmet(len(self._excesses))
        most = (CLIMBED if "latency_ms" not in self.limits else LOWERED) // len(starts)
        best = min((self._climbed(start, most) for start in starts), key=self._order)
        if self._excess(best) > 0:
            raise self._refusal(exact=False)
        return self._answer(best, exact=False)

    def _starts(self, found: Best | None) -> Iterator[int]:
        def repaired(rank: int) -> int:
            return self.plan.rank(space_repair(self.space, self.plan.unrank(rank), self._judge))

        if found is not None and (rank := self._rank(found)) is not None:
            yield repaired(rank)
        best = {d.path: answers_of(d, self.regrets[d.path])[0][1] for d in self.decisions if d.path in self._answers}
        if (rank := self._rank(Best(best, 0.0, True))) is not None:
            yield repaired(rank)
        yield smallest(self.space, self.meter.graph).index
        yield from valid_ranks(self.space, Random(0), DRAWN, self._judge)[0]

    def _order(self, rank: int) -> tuple[float, float, int]:
        return self._excess(rank), self._regret(rank), rank

    def _climbed(self, here: int, most: int) -> int:
        """The best neighbour in turn, until none is better or enough were looked at."""
        left = most
        while left > 0:
            near = [*islice(self.plan.neighbour_indices(here), min(NEAR, left))]
            left -= max(len(near), 1)
            best = min(near, key=self._order, default=here)
            if self._order(best)[:2] >= self._order(here)[:2]:
                break
            here = best
        return here


def _key(symbol: object) -> tuple[bool, object]:
    return isinstance(symbol, bool), symbol
