"""Fronts: for guarded amounts that add up, the answers of least regret at every sum of amounts that is worth having.

Decisions are eliminated one after another (Bertele and Brioschi, 1972, "Nonserial Dynamic Programming"). What is left
of those that are gone is, for each way to answer the others, a front: pairs (regret, amounts) none of which is as good
as another in both. Sums beyond the limits are dropped as soon as the rest cannot be cheap enough, so that the first
pair of the last front has the least regret of all answers within the limits.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, inf, prod

from app.architecture.guard import TRUE, Guard, questions
from app.space.algebra import Path, Symbol
from app.space.decision import Decision, Decisions

STEPS = 400_000  # answers looked at, and pairs made: a second or two
LONGEST = 3_000  # pairs of a front; longer ones are thinned out, and what is found may not be the best

Amounts = tuple[float, ...]
Answer = tuple[Symbol, ...]
Key = tuple[int, ...]  # numbers of answers, one a decision
Trace = tuple["Trace | None", "Trace | None", tuple[Path, int] | None]  # what was answered on the way to a pair
Pair = tuple[float, Amounts, Trace | None]  # (regret, amounts, answers)
Front = list[Pair]
Regrets = Mapping[Path, Sequence[float]]  # one an option; a subset's is the sum over its k members


class TooMany(Exception):
    """More steps than are taken."""


@dataclass(frozen=True, slots=True)
class Best:
    """Answers to all decisions that cost something, their regret, and whether there is no better within the limits."""

    decided: Decisions
    regret: float
    exact: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """A front for each way to answer some decisions, and the least of its amounts."""

    paths: tuple[Path, ...]
    fronts: Mapping[Key, Front]
    least: Amounts


def answers_of(decision: Decision, regrets: Sequence[float]) -> list[tuple[float, Answer]]:
    """(regret, answer) of a decision, the least regret first, of equals the grammar's first. TooMany of too many."""
    if comb(len(decision.options), decision.k) > STEPS:
        raise TooMany
    numbers = range(len(decision.options))
    best = sum(sorted(regrets)[: decision.k])
    found = [(sum(regrets[i] for i in taken) - best, taken) for taken in combinations(numbers, decision.k)]
    return [(r, tuple([decision.options[i] for i in taken])) for r, taken in sorted(found)]


def least_regret(
    amounts: Iterable[tuple[Guard, Amounts]], decisions: Iterable[Decision], regrets: Regrets, limits: Amounts
) -> Best | None:
    """The answers of least regret whose amounts sum up to the limits at most; None where there are none.

    Raises TooMany where decisions hang together too much, and where fronts were thinned out and nothing is left.
    """
    return _Elimination(list(amounts), {d.path: answers_of(d, regrets[d.path]) for d in decisions}, limits).best()


class _Elimination:
    def __init__(
        self,
        amounts: list[tuple[Guard, Amounts]],
        answers: Mapping[Path, list[tuple[float, Answer]]],
        limits: Amounts,
    ) -> None:
        self.answers, self.limits = answers, limits
        self.nothing = (0.0,) * len(limits)
        self.left, self.exact = STEPS, True
        self.fixed = _sum([a for guard, a in amounts if guard is TRUE], self.nothing)
        self.tables = self._tables(amounts)
        self.tables += [self._regrets(path) for path in dict.fromkeys(p for t in self.tables for p in t.paths)]

    def best(self) -> Best | None:
        waiting = {path: number for number, path in enumerate(self.answers)}
        waiting = {path: n for path, n in waiting.items() if any(path in t.paths for t in self.tables)}
        while waiting:
            _, _, path = min((self._size(path), number, path) for path, number in waiting.items())
            met = [table for table in self.tables if path in table.paths]
            others = [table for table in self.tables if path not in table.paths]
            self.tables = [*others, self._without(path, met, _sum([t.least for t in others], self.fixed))]
            del waiting[path]
        front: Front = [(0.0, self.fixed, None)]
        tables = sorted(self.tables, key=lambda t: len(t.fronts[()]))
        for number, table in enumerate(tables):
            front = self._added(front, table.fronts[()], _sum([t.least for t in tables[number + 1 :]], self.nothing))
        if not front:
            if self.exact:
                return None
            raise TooMany
        regret, _, trace = front[0]
        taken = _taken(trace)
        decided = {path: found[taken.get(path, 0)][1] for path, found in self.answers.items()}
        return Best(decided, regret, self.exact)

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMany

    def _tables(self, amounts: list[tuple[Guard, Amounts]]) -> list[_Table]:
        """The amounts by the decisions that they depend on."""
        by_paths: dict[tuple[Path, ...], list[tuple[Guard, Amounts]]] = {}
        for guard, amount in amounts:
            paths = tuple(dict.fromkeys(q.path for q in questions([guard])))
            if paths and any(amount):
                by_paths.setdefault(paths, []).append((guard, amount))
        found: list[_Table] = []
        for paths, under in by_paths.items():
            self._spend(prod(len(self.answers[p]) for p in paths) * len(under))
            fronts: dict[Key, Front] = {}
            for key in product(*(range(len(self.answers[p])) for p in paths)):
                decided = {p: self.answers[p][i][1] for p, i in zip(paths, key, strict=True)}
                total = _sum([amount for guard, amount in under if holds(guard, decided)], self.nothing)
                fronts[key] = [(0.0, total, None)]
            found.append(_Table(paths, fronts, self._least(fronts)))
        return found

    def _regrets(self, path: Path) -> _Table:
        fronts: dict[Key, Front] = {
            (i,): [(regret, self.nothing, None)] for i, (regret, _) in enumerate(self.answers[path])
        }
        return _Table((path,), fronts, self.nothing)

    def _least(self, fronts: Mapping[Key, Front]) -> Amounts:
        pairs = [amounts for front in fronts.values() for _, amounts, _ in front]
        return tuple(min(column) for column in zip(*pairs, strict=True)) if pairs else (inf,) * len(self.limits)

    def _scope(self, path: Path) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(p for t in self.tables if path in t.paths for p in t.paths if p != path))

    def _size(self, path: Path) -> int:
        return len(self.answers[path]) * prod(len(self.answers[p]) for p in self._scope(path))

    def _without(self, path: Path, met: Sequence[_Table], elsewhere: Amounts) -> _Table:
        """Tables that share a decision as one without it; `elsewhere`: what all others come to at least."""
        paths = self._scope(path)
        order = {p: i for i, p in enumerate((*paths, path))}
        reads = [(table, [order[p] for p in table.paths]) for table in met]
        reads.sort(key=lambda read: max(map(len, read[0].fronts.values())))
        self._spend(self._size(path) * len(met))
        fronts: dict[Key, Front] = {}
        for key in product(*(range(len(self.answers[p])) for p in paths)):
            pairs: Front = []
            for answer in range(len(self.answers[path])):
                whole = (*key, answer)
                front: Front = [(0.0, self.nothing, (None, None, (path, answer)))]
                for table, places in reads:
                    front = self._added(front, table.fronts[tuple([whole[i] for i in places])], elsewhere)
                pairs += front
            fronts[key] = self._undominated(pairs)
        return _Table(paths, fronts, self._least(fronts))

    def _added(self, one: Front, other: Front, elsewhere: Amounts) -> Front:
        """The sums of all pairs of two fronts, as a front; what is beyond the limits with what is elsewhere is gone."""
        room = tuple(limit - least for limit, least in zip(self.limits, elsewhere, strict=True))
        self._spend(len(one) * len(other))
        pairs: Front = []
        for regret, amounts, trace in one:
            for more, further, other_trace in other:
                total = tuple([a + b for a, b in zip(amounts, further, strict=True)])
                if all(t <= r for t, r in zip(total, room, strict=True)):
                    whole = (
                        trace if other_trace is None else other_trace if trace is None else (trace, other_trace, None)
                    )
                    pairs.append((regret + more, total, whole))
        return self._undominated(pairs) if len(pairs) > 1 else pairs

    def _undominated(self, pairs: Front) -> Front:
        """The pairs that no other is as good as in all, the least regret first."""
        kept: Front = []
        stairs: list[tuple[float, float]] = []  # of two amounts: rising in one, falling in the other
        for pair in sorted(pairs, key=lambda p: (p[0], p[1])):
            amounts = pair[1]
            if len(amounts) == 1:
                if not kept or amounts[0] < kept[-1][1][0]:
                    kept.append(pair)
            elif len(amounts) == 2:
                one, other = amounts
                place = bisect_right(stairs, (one, inf))
                if place and stairs[place - 1][1] <= other:
                    continue
                start = end = bisect_left(stairs, (one, -inf))
                while end < len(stairs) and stairs[end][1] >= other:
                    end += 1
                stairs[start:end] = [(one, other)]
                kept.append(pair)
            elif not any(all(a <= b for a, b in zip(before[1], amounts, strict=True)) for before in kept):
                kept.append(pair)
        return kept if len(kept) <= LONGEST else self._thinned(kept)

    def _thinned(self, front: Front) -> Front:
        self.exact = False
        cheapest = {min(range(len(front)), key=lambda i: front[i][1][m]) for m in range(len(self.limits))}
        spaced = {i * len(front) // LONGEST for i in range(LONGEST)}
        return [front[i] for i in sorted(cheapest | spaced)]


def holds(guard: Guard, decided: Decisions) -> bool:
    """Whether a guard holds under decisions; what is not decided takes no part."""
    while guard.question is not None:
        answer = guard.question.answer(decided)
        if answer is None or answer < 0:
            return False
        guard = guard.then[answer]
    return guard is TRUE


def _sum(amounts: Sequence[Amounts], start: Amounts) -> Amounts:
    return tuple(map(sum, zip(start, *amounts, strict=True)))


def _taken(trace: Trace | None) -> dict[Path, int]:
    found: dict[Path, int] = {}
    waiting = [trace]
    while waiting:
        one = waiting.pop()
        if one is not None:
            waiting += one[:2]
            if one[2] is not None:
                found[one[2][0]] = one[2][1]
    return found
