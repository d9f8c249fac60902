"""Extremes: the valid member of a space that costs the most, and the one that costs the least.

The cost is that of an open graph: MACs, of equal ones params. It is a sum of amounts under guards, each of which asks a
few decisions; the best answers are found by eliminating one decision after another (Bertele and Brioschi, 1972,
"Nonserial Dynamic Programming"), which is exact. Where that takes too many steps, or finds a member that constraints
refuse, members are improved one decision at a time from several starts, and the best found is said not to be exact.
Of a graph that is too entangled for a sum each member is resolved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from math import prod
from random import Random

from app.architecture.constraints import judge_of
from app.architecture.cost import cost
from app.architecture.errors import Entangled
from app.architecture.graph import Graph, Tariff, certain, resolve, tariff
from app.architecture.guard import TRUE, Guard, questions
from app.architecture.prices import Prices
from app.space import GrammarError, SearchSpace, Symbol
from app.space.algebra import Path
from app.space.constraints import valid
from app.space.decision import Decision, Decisions
from app.space.errors import InvalidGenotype
from app.space.places import read
from app.space.validity import space_repair, valid_ranks

STEPS = 500_000  # sums on the way to an exact answer: about a second
LOOKED_UP = 3_000_000  # guards that are looked at on the way to another one: some seconds
RESOLVED = 600  # members where the open graph has no prices, and each is resolved: as long
STARTS = 3
NEAR = 5_000  # neighbours of a member, of which some have very many

Answer = tuple[Symbol, ...]
Key = tuple[int, ...]  # numbers of answers, one a decision


@dataclass(frozen=True, slots=True)
class Extreme:
    """A member, what it costs, and whether no valid member is beyond it."""

    index: int
    params: int
    macs: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """An amount for each way to answer some decisions."""

    paths: tuple[Path, ...]
    amounts: Mapping[Key, int]


class _TooMany(Exception):
    """More steps than are taken."""


def largest(space: SearchSpace, graph: Graph) -> Extreme:
    """The member with the most MACs, of those with the most params. Raises Unmet where the space has no valid one."""
    return _extreme(space, graph, 1)


def smallest(space: SearchSpace, graph: Graph) -> Extreme:
    """The member with the fewest MACs, of those with the fewest params. Raises as `largest`."""
    return _extreme(space, graph, -1)


def _extreme(space: SearchSpace, graph: Graph, sign: int) -> Extreme:
    is_valid, judge = valid(space), judge_of(space)
    started: list[int] = []
    try:
        listed = tariff(graph)
    except Entangled:
        listed = None
    best = None if listed is None else _best(space, listed, sign)
    if best is not None and listed is not None:
        if is_valid(best) and (judge is None or judge(best)):
            params, macs = listed.price(certain(read(space.plan.part, best)))
            return Extreme(best, params, macs, True)
        started.append(space.plan.rank(space_repair(space, space.plan.unrank(best), judge)))
    started += valid_ranks(space, Random(0), STARTS, judge)[0]
    return _Climb(space, graph, listed, sign).best(started)


# -- exactly


def _best(space: SearchSpace, listed: Tariff, sign: int) -> int | None:
    """The member of the grammar at the end, whether it is valid or not; None where that takes too many steps."""
    unit = 1 + sum(params for _, params, _, _ in listed.entries)  # one MAC outweighs all params
    amounts = [(guard, sign * (macs * unit + params)) for guard, params, macs, _ in listed.entries]
    try:
        return space.plan.rank(space.plan.write(_answered(amounts, space.plan.decisions())))
    except (_TooMany, InvalidGenotype):
        return None


def _answered(amounts: Iterable[tuple[Guard, int]], decisions: Iterable[Decision]) -> Decisions:
    """The answers that make the sum of the amounts greatest. Raises _TooMany."""
    answers = {d.path: _answers(d) for d in decisions}
    tables, left = _tables(amounts, answers), STEPS
    waiting = {path: number for number, path in enumerate(answers) if any(path in t.paths for t in tables)}
    chosen: list[tuple[Path, tuple[Path, ...], Mapping[Key, int]]] = []
    while waiting:
        size, _, path = min((_size(path, tables, answers), number, path) for path, number in waiting.items())
        met = [table for table in tables if path in table.paths]
        left -= size * len(met)
        if left < 0:
            raise _TooMany
        table, best = _without(path, met, answers)
        tables = [t for t in tables if path not in t.paths] + [table]
        chosen.append((path, table.paths, best))
        del waiting[path]
    taken: dict[Path, int] = {}
    for path, paths, best in reversed(chosen):
        taken[path] = best[tuple([taken[p] for p in paths])]
    return {path: found[taken.get(path, 0)] for path, found in answers.items()}


def _answers(decision: Decision) -> Sequence[Answer]:
    if decision.answers > STEPS:
        raise _TooMany
    return [*combinations(decision.options, decision.k)]


def _tables(amounts: Iterable[tuple[Guard, int]], answers: Mapping[Path, Sequence[Answer]]) -> list[_Table]:
    """The amounts by the decisions that they depend on."""
    by_paths: dict[tuple[Path, ...], list[tuple[Guard, int]]] = {}
    for guard, amount in amounts:
        paths = tuple(dict.fromkeys(q.path for q in questions([guard])))
        if paths and amount:
            by_paths.setdefault(paths, []).append((guard, amount))
    left = STEPS
    tables: list[_Table] = []
    for paths, under in by_paths.items():
        left -= prod(len(answers[p]) for p in paths) * len(under)
        if left < 0:
            raise _TooMany
        found: dict[Key, int] = {}
        for key in product(*(range(len(answers[p])) for p in paths)):
            decided = {p: answers[p][i] for p, i in zip(paths, key, strict=True)}
            found[key] = sum(amount for guard, amount in under if _holds(guard, decided))
        tables.append(_Table(paths, found))
    return tables


def _holds(guard: Guard, decided: Decisions) -> bool:
    while guard.question is not None:
        answer = guard.question.answer(decided)
        if answer is None or answer < 0:
            return False
        guard = guard.then[answer]
    return guard is TRUE


def _scope(path: Path, tables: Iterable[_Table]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(p for t in tables if path in t.paths for p in t.paths if p != path))


def _size(path: Path, tables: Iterable[_Table], answers: Mapping[Path, Sequence[Answer]]) -> int:
    return len(answers[path]) * prod(len(answers[p]) for p in _scope(path, tables))


def _without(
    path: Path, tables: Sequence[_Table], answers: Mapping[Path, Sequence[Answer]]
) -> tuple[_Table, Mapping[Key, int]]:
    """Tables that share a decision as one without it, and which answer to it is the best where."""
    paths = _scope(path, tables)
    order = {p: i for i, p in enumerate((*paths, path))}
    reads = [(table.amounts, [order[p] for p in table.paths]) for table in tables]
    amounts: dict[Key, int] = {}
    best: dict[Key, int] = {}
    for key in product(*(range(len(answers[p])) for p in paths)):
        for answer in range(len(answers[path])):
            whole = (*key, answer)
            total = sum(known[tuple([whole[i] for i in places])] for known, places in reads)
            if key not in amounts or total > amounts[key]:
                amounts[key], best[key] = total, answer
    return _Table(paths, amounts), best


# -- as far as one decision at a time leads


class _Climb:
    """Members that cost more and more, or, with the other sign, less and less."""

    def __init__(self, space: SearchSpace, graph: Graph, listed: Tariff | None, sign: int) -> None:
        self.space, self.sign = space, sign
        self._valid, self._judge = valid(space), judge_of(space)
        self._graph, self._listed = graph, listed
        self._left = RESOLVED if listed is None else LOOKED_UP // max(len(listed.entries), 1)
        try:
            self._prices = None if listed is None else Prices(space.plan.part, graph)
        except GrammarError:
            self._prices = None

    def best(self, starts: Iterable[int]) -> Extreme:
        """The best that is reached from some members."""
        starts = [*dict.fromkeys(starts)]
        found = [self._climbed(start, self._left // len(starts)) for start in starts]
        (macs, params), index = max(found, key=lambda pair: (pair[0], -pair[1]))
        return Extreme(index, self.sign * params, self.sign * macs, False)

    def _climbed(self, index: int, most: int) -> tuple[tuple[int, int], int]:
        """Takes every better neighbour in turn, and looks on from where it was; `most`: members to be priced."""
        here, around = self._price(index), self._around(index)
        place = vain = 0
        for _ in range(most):
            if vain >= len(around):
                break
            near = around[place % len(around)]
            there = self._price(near)
            place, vain = place + 1, vain + 1
            if there > here and self._valid(near) and (self._judge is None or self._judge(near)):
                here, index, vain = there, near, 0
                around = self._around(index)
        return here, index

    def _around(self, index: int) -> list[int]:
        return [*islice(self.space.plan.neighbour_indices(index), NEAR)]

    def _price(self, index: int) -> tuple[int, int]:
        if self._prices is not None:
            price = self._prices.of(index)
            return self.sign * price.macs, self.sign * price.params
        decided = read(self.space.plan.part, index)
        if self._listed is not None:
            params, macs = self._listed.price(certain(decided))
        else:
            total = cost(resolve(self._graph, decided))
            params, macs = total.params, total.macs
        return self.sign * macs, self.sign * params
