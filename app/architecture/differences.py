"""Differences: what the options of a space's decisions cost more than the cheapest, estimated by sampling.

For spaces whose open graph holds too many guards for expectations (`app.architecture.fairness`). A sample answers every
decision, met or not, uniformly and independently of the others; for each decision, what leads to it is answered so that
it is met, and its own answer is replaced by each option in turn, all else being kept: common random numbers. Of a
subset of k the k - 1 members drawn first are kept, and the options not among them come last in turn. Each member is
lowered and priced on its own; those that break a constraint or have no network are left out and counted.

    D_op = mean over the samples in which both have a price of (price with o - price with p)
    r    = argmax_p min_o D_op                         the cheapest option, of each measure its own
    difference of o = D_or, its standard error = standard deviation of the summands / sqrt(their number)

How many samples are drawn depends on the sizes of the networks, not on a clock: the same seed gives the same figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from random import Random
from statistics import fmean, stdev

from app.architecture.cost import cost
from app.architecture.errors import LoweringError
from app.architecture.expectation import Amounts
from app.architecture.fairness import Option, Place, Way, ways
from app.architecture.lower import lower
from app.space import ImageInput, SearchSpace, Skeleton
from app.space.algebra import Path, Symbol
from app.space.constraints import valid
from app.space.decision import Decision
from app.space.places import Writer, position_of, read

SAMPLES = 200  # at most
WORK = 120_000  # nodes that all networks together may have, each network _EACH on top: a few seconds
FEWEST = 4  # samples in which two options are compared; of fewer nothing is said
MEASURES = 3  # params, MACs, activations
_EACH = 40  # nodes that take as long as what every network takes, whatever its size
Row = list[Amounts | None]  # one price an option, None where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Differences to the cheapest option, and how they were found."""

    places: tuple[Place, ...]  # a decision each, in the order of the grammar; amounts in params, MACs, activations
    undetermined: tuple[Path, ...]  # decisions of which too few samples say something
    samples: int
    members: int  # that were priced, each once
    invalid: int  # left out: those that break a constraint or are no members
    without_network: int  # left out: those that cannot be lowered


def differences(space: SearchSpace, skeleton: Skeleton, image: ImageInput, seed: int = 0, work: int = WORK) -> Sampled:
    """What every option of every decision costs more than the cheapest one there; sampling ends after some work."""
    open_to = [d for d in space.plan.decisions() if d.answers > 1]
    led = ways(space.plan.part)
    rows: dict[Path, list[Row]] = {d.path: [] for d in open_to}
    members, samples = _Members(space, skeleton, image), 0
    while open_to and samples < SAMPLES and members.work < work:
        keys = _Keys(samples, Random(f"{seed}/{samples}"))
        samples += 1
        for decision in open_to:
            if members.work >= work:
                break
            rows[decision.path].append(_priced(members, keys, decision, led[decision.path]))
    found: list[Place] = []
    undetermined: list[Path] = []
    for decision in open_to:
        options = _compared(decision, rows[decision.path])
        if options is None:
            undetermined.append(decision.path)
        else:
            found.append(Place(decision.kind, (decision.path,), options))
    return Sampled(
        places=tuple(found),
        undetermined=tuple(undetermined),
        samples=samples,
        members=sum(price is not None for price in members.prices.values()),
        invalid=len(members.invalid),
        without_network=sum(price is None for price in members.prices.values()),
    )


@dataclass(slots=True)
class _Keys:
    """One sample: a random key for every option of every decision; those with the least keys are taken."""

    number: int
    rng: Random
    _known: dict[tuple[Path, int], list[float]] = field(default_factory=dict[tuple[Path, int], list[float]])

    def order(self, path: Path, n: int) -> list[int]:
        """The positions of n options by their keys."""
        keys = self._known.get((path, n))
        if keys is None:
            keys = self._known[path, n] = [self.rng.random() for _ in range(n)]
        return sorted(range(n), key=keys.__getitem__)


class _Sample(Writer):
    """A member being written: some answers are certain, or one of some, and the others are the sample's."""

    def __init__(self, keys: _Keys, way: Way, answers: Mapping[Path, tuple[Symbol, ...]]) -> None:
        super().__init__(answers)
        self._keys, self._way = keys, way

    def answer(self, path: Path, options: tuple[Symbol, ...], k: int) -> list[int]:
        if path in self.decisions:
            return super().answer(path, options, k)
        order = self._keys.order(path, len(options))
        leading = {position_of(options, symbol) for symbol in self._way.get(path, ())}
        return sorted(sorted(order, key=lambda position: position not in leading)[:k])


class _Members:
    """The prices of members, each lowered once."""

    def __init__(self, space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> None:
        self._space, self._skeleton, self._image = space, skeleton, image
        self._valid = valid(space) if space.constraints else None
        self.prices: dict[int, Amounts | None] = {}
        self.invalid: set[int | tuple[object, ...]] = set()
        self.work = 0

    def price(self, keys: _Keys, way: Way, answers: Mapping[Path, tuple[Symbol, ...]]) -> Amounts | None:
        """What the member of a sample costs with some answers replaced; None where it is left out."""
        plan = self._space.plan
        sample = _Sample(keys, way, answers)
        genotype = sample.write(plan.part, "")
        if sample.faults:  # where a shared rule has no such option at this depth
            self.invalid.add((keys.number, *answers.items()))
            return None
        index = plan.rank(genotype)
        if index not in self.prices:
            if index in self.invalid or (self._valid is not None and not self._valid(index)):
                self.invalid.add(index)
                return None
            self.prices[index] = self._lowered(index)
        return self.prices[index]

    def _lowered(self, index: int) -> Amounts | None:
        space = self._space
        self.work += _EACH
        try:
            graph = lower(space.grammar, self._skeleton, self._image, read(space.plan.part, index))
        except LoweringError:
            return None
        self.work += len(graph.nodes)
        total = cost(graph)
        return float(total.params), float(total.macs), float(total.activations)


def _priced(members: _Members, keys: _Keys, decision: Decision, way: Way) -> Row:
    """What a sample costs with each option of a decision; None where it is left out, or is there in any case."""
    kept: tuple[Symbol, ...] = ()
    if decision.kind == "subset":
        order = keys.order(decision.path, len(decision.options))
        kept = tuple(decision.options[position] for position in order[: decision.k - 1])
    there = {position_of(decision.options, symbol) for symbol in kept}
    return [
        None if position in there else members.price(keys, way, {decision.path: (*kept, option)})
        for position, option in enumerate(decision.options)
    ]


def _compared(decision: Decision, rows: list[Row]) -> tuple[Option, ...] | None:
    """The options with their differences to the cheapest; None where too few samples compare them."""
    priced = [sum(row[o] is not None for row in rows) for o in range(len(decision.options))]
    columns: list[list[tuple[float, float]]] = []
    for measure in range(MEASURES):
        best: list[tuple[float, float]] | None = None
        for p in range(len(priced)):
            found = [_difference(rows, o, p, measure) for o in range(len(priced))]
            known = [pair for pair in found if pair is not None]
            if len(known) == len(found) and (best is None or min(known)[0] > min(best)[0]):
                best = known
        if best is None:
            return None
        columns.append(best)
    return tuple(
        Option(
            symbol,
            amounts=tuple(max(0.0, column[o][0]) for column in columns),
            errors=tuple(column[o][1] for column in columns),
            samples=priced[o],
        )
        for o, symbol in enumerate(decision.options)
    )


def _difference(rows: list[Row], o: int, p: int, measure: int) -> tuple[float, float] | None:
    """Mean and standard error of what option o costs more than option p; None of too few samples."""
    found = [a[measure] - b[measure] for row in rows if (a := row[o]) is not None and (b := row[p]) is not None]
    return (fmean(found), stdev(found) / sqrt(len(found))) if len(found) >= FEWEST else None
