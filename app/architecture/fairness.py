"""Fairness: how unequal the options of a space's decisions are in what they cost, each where it stands.

The cost of an option is what the parts of the network that depend on its decision cost where it is taken, in
expectation over all other decisions, each drawn uniformly and independently, as far as the decision is met at all:

    choice, length    E[cost of every node that asks the decision | it is met and answered so]
    subset            E[cost of every node that asks for this member | it is met and the member taken]

A node's cost is that of all its tensors: of a kernel that may have 3, 5 or 7 rows, the whole convolution's. What leads
to a decision is certain (of a shared rule: the first way that leads there); the other members of a subset of k of n
are each there with (k - 1) / (n - 1). Constraints are not looked at.

    weights of n options    w_o = cost_o / mean cost                      mean 1; 1 each where nothing costs anything
    inverse                 v_o = n · 1/(1 + w_o) / Σ 1/(1 + w_p)         mean 1; a free option has a finite one too
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Row
from dataclasses import dataclass
from statistics import fmean, median, pstdev

from app.architecture.expectation import Amounts, Drawn, Expectation
from app.architecture.guard import Guard, Weight, position, questions
from app.space.algebra import Path, Symbol
from app.space.decision import Decision, Kind
from app.space.part import Alternatives, Members, Nothing, Part, Point, Product, Sequence, Shared
from app.space.path import length_path, shared_path, step
from app.space.places import decisions

Charge = tuple[str, Guard, Amounts]  # (node, when, amounts): one amount a measure
Way = Mapping[Path, tuple[Symbol, ...]]  # what is certain: the answers that lead on, equally likely
Asked = tuple[Path, Symbol | None]  # a decision, or one member of a subset


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a decision, and what it costs there: one amount a measure."""

    symbol: Symbol
    amounts: Amounts
    errors: Amounts | None = None  # their standard errors, where they were sampled
    samples: int | None = None  # in which it has a price, where they were sampled


@dataclass(frozen=True, slots=True)
class Place:
    """Decisions with the same options that cost the same."""

    kind: Kind
    paths: tuple[Path, ...]
    options: tuple[Option, ...]

    def costs(self, measure: int) -> tuple[float, ...]:
        """What each option costs in one measure."""
        return tuple(option.amounts[measure] for option in self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How unequal some costs are."""

    ratio: float | None  # dearest over cheapest of those that cost anything; None where none does
    peak: float | None  # dearest over mean
    variation: float | None  # standard deviation over mean
    free: float  # share of the options that cost nothing
    weights: tuple[float, ...]
    inverse: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The spreads of all decisions of a space."""

    decisions: int  # that choose among options that cost something
    unequal: int  # whose options cost differently
    greatest: float | None  # ratio
    middle: float | None  # median of the ratios
    at: Path | None  # a decision with the greatest ratio
    variation: float | None  # mean over the decisions
    free: float  # share of all options that cost nothing


def places(part: Part, charges: Iterable[Charge], measures: int) -> tuple[Place, ...]:
    """What the options of every decision cost, equal decisions together, in the order of the grammar."""
    open_to = {d.path: d for d in decisions(part) if d.answers > 1}
    paths = {path: way for path, way in ways(part).items() if path in open_to}
    bills = _Bills(charges, measures, paths, open_to)
    by_way: dict[object, tuple[Way, list[Decision]]] = {}
    for path, way in paths.items():
        by_way.setdefault(tuple(way.items()), (way, []))[1].append(open_to[path])
    costs: dict[Path, list[Amounts]] = {}
    for way, met in by_way.values():
        costs |= bills.of(met, way, open_to)
    found: dict[object, tuple[Decision, tuple[Option, ...], list[Path]]] = {}
    for path in paths:
        decision = open_to[path]
        options = tuple(Option(symbol, a) for symbol, a in zip(decision.options, costs[path], strict=True))
        named = tuple((type(o.symbol), o.symbol, o.amounts) for o in options)
        found.setdefault((decision.kind, decision.k, named), (decision, options, []))[2].append(path)
    return tuple(Place(decision.kind, tuple(alike), options) for decision, options, alike in found.values())


def spread(costs: tuple[float, ...]) -> Spread:
    """How unequal the costs of some options are."""
    dear = [c for c in costs if c > 0]
    mean = fmean(costs)
    weights = tuple(c / mean for c in costs) if dear else (1.0,) * len(costs)
    shares = [1 / (1 + w) for w in weights]
    return Spread(
        ratio=max(dear) / min(dear) if dear else None,
        peak=max(dear) / mean if dear else None,
        variation=pstdev(costs) / mean if dear else None,
        free=1 - len(dear) / len(costs),
        weights=weights,
        inverse=tuple(len(costs) * share / sum(shares) for share in shares),
    )


def overall(found: Iterable[Place], measure: int) -> Overall:
    """The spreads of all decisions in one measure."""
    spreads = [(place, spread(place.costs(measure))) for place in found]
    met = [(place, s, s.ratio, s.variation) for place, s in spreads if s.ratio is not None and s.variation is not None]
    ratios = [ratio for place, _, ratio, _ in met for _ in place.paths]
    options = sum(len(place.paths) * len(place.options) for place, _ in spreads)
    free = sum(len(place.paths) * len(place.options) * s.free for place, s in spreads)
    greatest = max(met, key=lambda row: row[2], default=None)
    return Overall(
        decisions=len(ratios),
        unequal=sum(len(place.paths) for place, _, _, variation in met if variation > 0),
        greatest=None if greatest is None else greatest[2],
        middle=median(ratios) if ratios else None,
        at=None if greatest is None else greatest[0].paths[0],
        variation=fmean([variation for place, _, _, variation in met for _ in place.paths]) if met else None,
        free=free / options if options else 0.0,
    )


class _Bills:
    """What nodes cost by guard, those together that ask about the same decisions."""

    def __init__(
        self, charges: Iterable[Charge], measures: int, ways: Mapping[Path, Way], among: Mapping[Path, Decision]
    ) -> None:
        self.nothing = (0.0,) * measures
        self._asks: dict[int, frozenset[Asked]] = {}
        self._at: dict[Path, tuple[int, ...]] = {}  # the places of decisions in the order of questions
        by_node: dict[str, list[tuple[Guard, Amounts]]] = {}
        for node, guard, amounts in charges:
            by_node.setdefault(node, []).append((guard, amounts))
        alike: dict[frozenset[Asked], list[tuple[Guard, Amounts]]] = {}
        for bill in by_node.values():
            asked = frozenset[Asked]().union(*(self._asked(guard) for guard, _ in bill))
            alike.setdefault(asked, []).extend(bill)
        self._bills: list[Expectation] = []
        self._about: dict[Asked, list[int]] = {}  # the bills that ask it
        for asked, bill in alike.items():
            for key in asked:
                self._about.setdefault(key, []).append(len(self._bills))
            self._bills.append(Expectation(bill))
        # What comes before all that is met by chance, and before what leads to it, is drawn alike on every way there.
        late = {met for path, way in ways.items() if way for met in (path, *way)}
        drawn, start = Drawn(uniform({}, among)), min((self._at[path] for path in late if path in self._at), default=())
        self._late = [bill.after(start, drawn) for bill in self._bills]

    def of(self, met: Row[Decision], way: Way, among: Mapping[Path, Decision]) -> dict[Path, list[Amounts]]:
        """The expected amounts of every option of decisions that are met in the same way."""
        found: dict[Path, list[Amounts]] = {}
        drawn, choices = Drawn(uniform(way, among)), [d for d in met if d.kind != "subset"]
        bills = self._late if way else self._bills
        asking = {i: bills[i] for d in choices for i in self._about.get((d.path, None), ())}
        expected = {i: bill.at(drawn) for i, bill in asking.items()}
        slopes = Expectation(entry for bill in asking.values() for entry in bill.entries).slopes(
            drawn, {d.path for d in choices}
        )
        for decision in met:
            path, n = decision.path, len(decision.options)
            if decision.kind == "subset":
                found[path] = [self._taken(path, symbol, way, among) for symbol in decision.options]
                continue
            here = slopes.get(path, [self.nothing] * n)
            whole = _sum([self.nothing, *(expected[i] for i in self._about.get((path, None), ()))])
            rest = [e - s / n for e, s in zip(whole, _sum(here), strict=True)]
            found[path] = [_rounded(_sum([rest, slope])) for slope in here]
        return found

    def _taken(self, path: Path, symbol: Symbol, way: Way, among: Mapping[Path, Decision]) -> Amounts:
        """The expected amounts where a subset takes a member."""
        drawn, bills = Drawn(uniform({**way, path: (symbol,)}, among)), self._late if way else self._bills
        about = self._about.get((path, symbol), ())
        return _rounded(_sum([self.nothing, *(bills[i].at(drawn) for i in about)]))

    def _asked(self, guard: Guard) -> frozenset[Asked]:
        found = self._asks.get(id(guard))
        if found is None:
            asked = list(questions([guard]))
            found = frozenset((q.path, None if q.member is None else q.options[q.member]) for q in asked)
            self._at |= {q.path: min(q.place, self._at.get(q.path, q.place)) for q in asked}
            self._asks[id(guard)] = found
        return found


def _sum(rows: Row[Row[float]]) -> Amounts:
    return tuple([sum(column) for column in zip(*rows, strict=True)])


def _rounded(amounts: Row[float]) -> Amounts:
    """Without what floating point adds: at most twelve digits, none below a millionth."""
    return tuple([max(0.0, round(float(f"{amount:.12g}"), 6)) for amount in amounts])


def uniform(way: Way, among: Mapping[Path, Decision]) -> Weight:
    """The weight of options where some answers are certain and all other decisions are uniform."""

    def weight(path: Path, symbols: tuple[Symbol, ...]) -> float:
        certain, decision = way.get(path), among.get(path)
        if decision is None:  # the grammar leaves nothing open there
            return 1
        if decision.kind != "subset":
            options = certain or decision.options
            return sum(position(options, symbol) >= 0 for symbol in symbols) / len(options)
        k, n, taken = decision.k, len(decision.options), certain or ()
        if any(position(taken, symbol) >= 0 for symbol in symbols):
            return 1
        return (k - len(taken)) / (n - len(taken))

    return weight


def ways(part: Part) -> dict[Path, Way]:
    """What has to be answered for a decision to be met, by its path; of a shared rule the first way there."""
    found: dict[Path, Way] = {}
    met: set[Shared] = set()
    waiting: list[tuple[Part, Path, Way]] = [(part, "", {})]
    while waiting:
        part, path, way = waiting.pop()
        inner = list(_within(part, path, way, found))
        if isinstance(part, Shared):
            inner = [] if part in met else inner
            met.add(part)
        waiting.extend(reversed(inner))
    return found


def _within(part: Part, path: Path, way: Way, found: dict[Path, Way]) -> Iterator[tuple[Part, Path, Way]]:
    """The parts inside a part, each with the way there; notes the decision that is made here."""
    match part:
        case Product(fields):
            yield from ((field, step(path, name), way) for name, field in fields if not isinstance(field, Point))
        case Alternatives(menu) | Members(menu):
            found.setdefault(path, way)
            for option, symbol in zip(menu.parts, menu.symbols, strict=True):
                if not isinstance(option, Point):
                    yield option, step(path, symbol), {**way, path: (symbol,)}
        case Sequence(body, lengths):
            here = length_path(path)
            found.setdefault(here, way)
            for i in range(max(lengths)):
                yield body, step(path, i), {**way, here: tuple(n for n in lengths if n > i)}
        case Shared(rule, shared):
            yield shared, shared_path(rule), way
        case Point() | Nothing():
            return
