"""Prices: what every member of a space costs on one skeleton, by arithmetic on its rank.

The rank falls apart into the digits of independent units (`app.space.units`). Whatever the open graph has under guards
that ask about the same units is one table: params, MACs and activations are a sum over the tables. The depth is a
longest way through the open graph, of which only joins with more than one way in are left; which ways a join has is a
table too. A table of few entries remembers them; a larger one follows its guards anew.

Nothing is lowered for a member, and nothing is estimated: the figures are those of `cost`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Generic, TypeVar

from app.architecture.cost import cost
from app.architecture.errors import LoweringError
from app.architecture.graph import MAPS, Graph, Node, tariff
from app.architecture.guard import FALSE, TRUE, Guard, Question, all_of, questions
from app.architecture.lower import lower
from app.space import GrammarError, ImageInput, SearchSpace, Skeleton
from app.space.algebra import Path
from app.space.part import Part
from app.space.places import decisions, read
from app.space.units import units_of

T = TypeVar("T")
Walk = Any  # True, False, or (number of a question, where each answer leads, ..., where no answer leads)
Terms = dict[tuple[Guard, int], int]  # (when, join) -> layers between it and here
Ways = tuple[tuple[int, int], ...]  # (position among the sources of a join, layers between)

_KEPT = 8_192  # entries of one table
_INLINED = 64  # ways into a join whose guards are multiplied out
_MANY = 20  # members priced before a price list is made: about the time that it takes


@dataclass(frozen=True, slots=True)
class Price:
    """What a member costs, in the units of `Cost`."""

    params: int
    macs: int
    activations: int
    depth: int


class _Unit:
    """One digit of a rank, and the answers that it gives."""

    def __init__(self, path: Path, part: Part) -> None:
        self.path, self.part, self.size = path, part, part.size
        self.questions: list[tuple[int, Question]] = []
        self.known: dict[int, list[tuple[int, int]]] = {}

    def answers(self, digit: int) -> list[tuple[int, int]]:
        """(number of a question, answer) of every question that is met."""
        found = self.known.get(digit)
        if found is None:
            made = read(self.part, digit, self.path)
            found = [(n, a) for n, q in self.questions if (a := q.answer(made)) is not None]
            if self.size <= _KEPT:
                self.known[digit] = found
        return found


class _Member:
    """The digits of a rank, and its answers where a table asks for them."""

    __slots__ = ("_answers", "_list", "digits")

    def __init__(self, prices: "Prices", index: int) -> None:
        digits: list[int] = []
        for size in prices.radix:
            index, digit = divmod(index, size)
            digits.append(digit)
        self.digits, self._list = digits, prices
        self._answers: list[int] | None = None

    @property
    def answers(self) -> list[int]:
        """The answer to every question; -1 where it is not met."""
        if self._answers is None:
            found = self._answers = [-1] * self._list.asked
            for unit, digit in zip(self._list.units, self.digits, strict=True):
                for number, answer in unit.answers(digit):
                    found[number] = answer
        return self._answers


class _Table(Generic[T]):
    """What depends on some units alone."""

    __slots__ = ("_known", "few", "made", "units")

    def __init__(self, units: tuple[int, ...], size: int, make: Callable[[list[int]], T]) -> None:
        self.units, self.few, self.made = units, size <= _KEPT, make
        self._known: dict[Any, T] = {}

    def at(self, member: _Member) -> T:
        """The entry of a member."""
        if not self.few:
            return self.made(member.answers)
        units = self.units
        key = member.digits[units[0]] if len(units) == 1 else tuple([member.digits[u] for u in units])
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self.made(member.answers)
        return found


class Prices:
    """The price list of a space on one skeleton; it never changes but for what it remembers, and threads may share it.

    `part` is the plan's, `graph` the open graph. GrammarError where the grammar has too many places for a list.
    """

    def __init__(self, part: Part, graph: Graph) -> None:
        self.units = [_Unit(u.path, u.part) for u in units_of(part)][::-1]  # the least significant digit first
        self.radix = [unit.size for unit in self.units]
        self._numbers: dict[tuple[int, ...], int] = {}
        self._owners: dict[tuple[int, ...], int] = {}
        self._walks: dict[int, Walk] = {id(TRUE): True, id(FALSE): False}
        entries = tariff(graph).entries
        guards = [g for g, *_ in entries] + [g for node in graph.nodes.values() for g in node.guards]
        owners = {d.path: i for i, unit in enumerate(self.units) for d in decisions(unit.part, unit.path)}
        for number, question in enumerate(questions(guards)):
            self._numbers[question.place] = number
            self._owners[question.place] = owner = owners[question.path]
            self.units[owner].questions.append((number, question))
        self.asked = len(self._numbers)
        self._asks: dict[int, tuple[int, ...]] = {}
        self._guards = guards  # alive, so that their identities are keys
        self._bills = [self._table(units, _bill(bill)) for units, bill in self._by_units(entries)]
        self._tables: list[_Table[Ways]] = []
        self._joins: list[tuple[int, tuple[int, ...]]] = []  # (its table, its sources)
        self._last = self._longest(graph)

    @property
    def small(self) -> bool:
        """Whether every table remembers its entries."""
        return all(table.few for table in (*self._bills, *self._tables))

    def of(self, index: int) -> Price:
        """The price of the member of a rank."""
        member = _Member(self, index)
        params = macs = activations = 0
        for table in self._bills:
            n, m, a = table.at(member)
            params += n
            macs += m
            activations += a
        ways = [table.at(member) for table in self._tables]
        depths = [0]
        for table, sources in self._joins:
            deepest = 0
            for position, layers in ways[table]:
                depth = depths[sources[position]] + layers
                if depth > deepest:
                    deepest = depth
            depths.append(deepest)
        return Price(params, macs, activations, depths[self._last[0]] + self._last[1])

    def floors(self) -> tuple[int, int, bool]:
        """The least params, the least MACs, and whether some members of the grammar have so few.

        Tables that share units are added up over all digits of these. Where those are too many, the least entries of
        tables are added up, which no member is below; a table that is itself too large then counts for nothing, for
        no entry is negative.
        """
        params = macs = 0
        exact = True
        for group in self._sharing():
            units = tuple(sorted({u for table in group for u in table.units}))
            together = prod(self.units[u].size for u in units) <= _KEPT
            exact = exact and (together or not group)
            for part in [group] if together else [[table] for table in group if table.few]:
                n, m = self._least(part)
                params, macs = params + n, macs + m
        return params, macs, exact

    def _sharing(self) -> list[list[_Table[tuple[int, int, int]]]]:
        """The tables of the bill in groups, no two of which look at a unit in common."""
        groups: list[tuple[set[int], list[_Table[tuple[int, int, int]]]]] = []
        for table in self._bills:
            units, tables = set(table.units), [table]
            apart: list[tuple[set[int], list[_Table[tuple[int, int, int]]]]] = []
            for theirs, others in groups:
                if theirs & units:
                    units |= theirs
                    tables += others
                else:
                    apart.append((theirs, others))
            groups = [*apart, (units, tables)]
        return [tables for _, tables in groups]

    def _least(self, tables: list[_Table[tuple[int, int, int]]]) -> tuple[int, int]:
        """The least sums of params and of MACs over all digits of the units that some tables look at."""
        units = sorted({u for table in tables for u in table.units})
        answers = [-1] * self.asked
        params: list[int] = []
        macs: list[int] = []
        for digits in product(*(range(self.units[u].size) for u in units)):
            for u, digit in zip(units, digits, strict=True):
                for number, _ in self.units[u].questions:
                    answers[number] = -1
                for number, answer in self.units[u].answers(digit):
                    answers[number] = answer
            entries = [table.made(answers) for table in tables]
            params.append(sum(entry[0] for entry in entries))
            macs.append(sum(entry[1] for entry in entries))
        return min(params), min(macs)

    # -- guards as walks over answers

    def _walk(self, guard: Guard) -> Walk:
        found = self._walks.get(id(guard))
        if found is None:
            assert guard.question is not None
            # an unmet choice takes none of its options, an unmet subset not this member: -1 finds that
            last = (False,) if guard.question.member is None else ()
            found = (self._numbers[guard.question.place], (*map(self._walk, guard.then), *last))
            self._walks[id(guard)] = found
            self._guards.append(guard)
        return found

    def _units_asked(self, guard: Guard) -> tuple[int, ...]:
        """The units that a guard asks about, rising."""
        found = self._asks.get(id(guard))
        if found is None:
            found = tuple(sorted({self._owners[q.place] for q in questions([guard])}))
            self._asks[id(guard)] = found
            self._guards.append(guard)
        return found

    def _all_units(self, guards: Iterable[Guard]) -> tuple[int, ...]:
        return tuple(sorted({u for g in guards for u in self._units_asked(g)}))

    def _table(self, units: tuple[int, ...], make: Callable[[list[int]], T]) -> _Table[T]:
        return _Table(units, prod(self.units[u].size for u in units), make)

    def _by_units(
        self, entries: Iterable[tuple[Guard, int, int, int]]
    ) -> Iterable[tuple[tuple[int, ...], list[tuple[Walk, int, int, int]]]]:
        bills: dict[tuple[int, ...], list[tuple[Walk, int, int, int]]] = {}
        for guard, *amounts in entries:
            n, m, a = amounts
            bills.setdefault(self._units_asked(guard), []).append((self._walk(guard), n, m, a))
        return bills.items()

    # -- the longest way

    def _longest(self, graph: Graph) -> tuple[int, int]:
        """The join whose depth is that of the first output, and the layers after it."""
        needed = _behind(graph, graph.outputs[0])
        readers = dict.fromkeys(needed, 0)
        for name in needed:
            for source in graph.nodes[name].inputs:
                readers[source] += 1
        found: dict[str, Terms] = {}
        tables: dict[object, int] = {}
        for node in graph.nodes.values():
            if node.name in needed:
                terms = self._terms(node, found, tables)
                many = readers[node.name] > 1 or node.name == graph.outputs[0]
                found[node.name] = self._joined(terms, tables) if many else terms
        (((_, join), layers),) = found[graph.outputs[0]].items()
        return join, layers

    def _terms(self, node: Node, found: dict[str, Terms], tables: dict[object, int]) -> Terms:
        """The ways into a node."""
        layers = int(node.op in MAPS)
        guards = node.guards or (TRUE,) * len(node.inputs)
        terms: Terms = {} if node.inputs else {(TRUE, 0): layers}
        for guard, source in zip(guards, node.inputs, strict=True):
            ways = found[source]
            inlined = len(node.inputs) == 1 or (
                len(ways) <= _INLINED and len(self._all_units([guard, *(g for g, _ in ways)])) < 2
            )
            for (g, join), between in (ways if inlined else self._joined(ways, tables)).items():
                key = (all_of(guard, g), join)
                if key[0] is not FALSE:
                    terms[key] = max(terms.get(key, 0), between + layers)
        return terms

    def _joined(self, terms: Terms, tables: dict[object, int]) -> Terms:
        """One way: from a join of these."""
        if len(terms) == 1 and next(iter(terms))[0] is TRUE:
            return terms
        sources = tuple(dict.fromkeys(join for _, join in terms))
        shape = tuple((g, sources.index(join), layers) for (g, join), layers in terms.items())
        number = tables.setdefault(shape, len(self._tables))
        if number == len(self._tables):
            walks = [(self._walk(g), position, layers) for g, position, layers in shape]
            self._tables.append(self._table(self._all_units(g for g, _ in terms), _ways(walks)))
        self._joins.append((number, sources))
        return {(TRUE, len(self._joins)): 0}


def _holds(walk: Walk, answers: list[int]) -> bool:
    while walk.__class__ is tuple:
        walk = walk[1][answers[walk[0]]]
    return walk


def _bill(entries: list[tuple[Walk, int, int, int]]) -> Callable[[list[int]], tuple[int, int, int]]:
    def make(answers: list[int]) -> tuple[int, int, int]:
        params = macs = activations = 0
        for walk, n, m, a in entries:
            if _holds(walk, answers):
                params, macs, activations = params + n, macs + m, activations + a
        return params, macs, activations

    return make


def _ways(terms: list[tuple[Walk, int, int]]) -> Callable[[list[int]], Ways]:
    def make(answers: list[int]) -> Ways:
        longest: dict[int, int] = {}
        for walk, position, layers in terms:
            if layers >= longest.get(position, 0) and _holds(walk, answers):
                longest[position] = layers
        return tuple(longest.items())

    return make


def _behind(graph: Graph, output: str) -> set[str]:
    """The nodes that an output reads, itself among them."""
    found, waiting = {output}, [output]
    while waiting:
        new = [i for i in graph.nodes[waiting.pop()].inputs if i not in found]
        found.update(new)
        waiting.extend(new)
    return found


class _Pricing:
    """Prices on a skeleton; by a list once that pays, for a list takes about as long as some networks."""

    def __init__(self) -> None:
        self._asked = 0
        self._list: Prices | None = None

    def of(self, space: SearchSpace, skeleton: Skeleton, image: ImageInput, index: int) -> Price:
        """The price of a member; LoweringError where it has no network."""
        self._asked = asked = self._asked + 1  # compared as counted here, whatever another thread counts
        if asked == _MANY:
            self.make(space, skeleton, image)
        if self._list is not None:
            return self._list.of(index)
        total = cost(lower(space.grammar, skeleton, image, read(space.plan.part, index)))
        return Price(total.params, total.macs, total.activations, total.depth)

    def make(self, space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> Prices | None:
        """The list, made now if it was not yet; None where there is none."""
        if self._list is None and self._asked <= _MANY:
            self._asked = _MANY + 1  # once: what cannot be made today cannot be made tomorrow
            try:
                self._list = Prices(space.plan.part, lower(space.grammar, skeleton, image))
            except (LoweringError, GrammarError):
                return None  # too large as a whole, or some members have no network
        return self._list


@lru_cache(maxsize=8)
def _pricing(digest: str, skeleton: Skeleton, image: ImageInput) -> _Pricing:
    return _Pricing()


def price_of(space: SearchSpace, skeleton: Skeleton, image: ImageInput, index: int) -> Price:
    """What the member of a rank costs; LoweringError where it has no network on this skeleton and image."""
    return _pricing(space.digest, skeleton, image).of(space, skeleton, image, index)


def priced_quickly(space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> bool:
    """Whether prices are looked up in small tables, so that thousands of members can be asked about."""
    found = _pricing(space.digest, skeleton, image).make(space, skeleton, image)
    return found is not None and found.small


def least_prices(space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> tuple[int, int, bool] | None:
    """What no member is below in params and in MACs, and whether members are that cheap; None where there is no list.

    Constraints are not looked at: of a space that has any, the figures are a bound.
    """
    found = _pricing(space.digest, skeleton, image).make(space, skeleton, image)
    if found is None:
        return None
    params, macs, exact = found.floors()
    return params, macs, exact and not space.constraints
