"""Mutation and crossover: members made from members at random. The generator is always an argument.

mutation    one of the decisions that have another answer, each equally likely; then one of its other answers, each
            equally likely; then what that opens, uniform over its members. It is always one of the neighbours
            (`moves.py`), but not uniform over them: an answer that opens much has no more weight for it
crossover   each decision answered as one of the two parents answers it, both equally likely; where only one of
            them meets a decision, as that one does. What neither meets, or what is no option at the depth where
            the child meets it, is drawn
"""

from collections.abc import Callable
from functools import partial
from random import Random

from app.space import digits
from app.space.algebra import Genotype, Path, Symbol
from app.space.decision import Decisions
from app.space.errors import NoOther
from app.space.moves import carried
from app.space.part import Alternatives, Members, Part, Product, Sequence, bare
from app.space.places import Writer, position_of

Change = Callable[[Random], int]  # draws another rank


def mutated(part: Part, index: int, rng: Random) -> int:
    """The rank of a mutant of the member of rank `index`; NoOther where the space holds nothing else."""
    changes = _changes(part, index)
    if not changes:
        raise NoOther("the space has one member only: no decision of it has another answer")
    return rng.choice(changes)(rng)


def crossed(part: Part, first: Decisions, second: Decisions, rng: Random) -> Genotype:
    """A child of the members that make these decisions."""
    return _Crossing(first, second, rng).write(part, "")


class _Crossing(Writer):
    """A child being written: every answer comes from a parent that made the decision, or is drawn."""

    def __init__(self, first: Decisions, second: Decisions, rng: Random) -> None:
        super().__init__(first)
        self.parents = (first, second)
        self.rng = rng

    def answer(self, path: Path, options: tuple[Symbol, ...], k: int) -> list[int]:
        answers = [
            [position_of(options, symbol) for symbol in parent[path]] for parent in self.parents if path in parent
        ]
        possible = [found for answer in answers if len(found := [p for p in answer if p is not None]) == k]
        return sorted(self.rng.choice(possible) if possible else self.rng.sample(range(len(options)), k))


def _changes(part: Part, index: int) -> list[Change]:
    """One entry for each decision of a member that has another answer."""
    part = bare(part)
    if part.size <= 1:
        return []
    match part:
        case Product(fields, strides):
            found: list[Change] = []
            for (_, inner), stride in zip(fields, strides, strict=True):
                digit = index // stride % inner.size
                found += [partial(_inside, index - digit * stride, stride, c) for c in _changes(inner, digit)]
            return found
        case Alternatives(menu, offsets):
            here, digit = digits.option(part, index)
            found = [partial(_inside, offsets[here], 1, change) for change in _changes(menu.parts[here], digit)]
            others = [position for position in range(len(menu.parts)) if position != here]
            return [*found, partial(_other_option, part, here, digit, others)] if others else found
        case Members():
            return _member_changes(part, index)
        case Sequence():
            return _sequence_changes(part, index)
        case _:
            return []


def _inside(base: int, stride: int, change: Change, rng: Random) -> int:
    return base + change(rng) * stride


def _drawn(old: Part, digit: int, new: Part, rng: Random) -> int:
    """A member of another option that keeps what both have alike."""
    base, opened = carried(old, digit, new)
    return base + sum(rng.randrange(size) * stride for size, stride in opened)


def _other_option(part: Alternatives, here: int, digit: int, others: list[int], rng: Random) -> int:
    other = rng.choice(others)
    return part.offsets[other] + _drawn(part.menu.parts[here], digit, part.menu.parts[other], rng)


def _member_changes(part: Members, index: int) -> list[Change]:
    chosen, parts = digits.members(part, index), part.menu.parts
    found: list[Change] = []
    for j, (position, digit) in enumerate(chosen):
        rest = chosen[:j] + chosen[j + 1 :]
        found += [partial(_member_inside, part, rest, position, change) for change in _changes(parts[position], digit)]
    taken = {position for position, _ in chosen}
    free = [position for position in range(len(parts)) if position not in taken]
    return [*found, partial(_other_member, part, chosen, free)] if free else found


def _member_inside(part: Members, rest: list[tuple[int, int]], position: int, change: Change, rng: Random) -> int:
    return digits.members_index(part, [*rest, (position, change(rng))])


def _other_member(part: Members, chosen: list[tuple[int, int]], free: list[int], rng: Random) -> int:
    """One of the options taken, exchanged for one that is not."""
    j, new = rng.randrange(len(chosen)), rng.choice(free)
    position, digit = chosen[j]
    drawn = _drawn(part.menu.parts[position], digit, part.menu.parts[new], rng)
    return digits.members_index(part, [*chosen[:j], *chosen[j + 1 :], (new, drawn)])


def _sequence_changes(part: Sequence, index: int) -> list[Change]:
    size = part.body.size
    length, items = digits.length(part, index)
    found: list[Change] = []
    for place, digit in enumerate(digits.items(part, length, items)):
        stride = size ** (length - 1 - place)
        found += [partial(_inside, index - digit * stride, stride, change) for change in _changes(part.body, digit)]
    ordered = sorted(part.lengths)
    here = ordered.index(length)
    others = ordered[max(here - 1, 0) : here] + ordered[here + 1 : here + 2]
    return [*found, partial(_other_length, part, length, items, others)] if others else found


def _other_length(part: Sequence, length: int, items: int, others: list[int], rng: Random) -> int:
    """The next shorter or the next longer list; items are dropped or drawn at its end."""
    n, size = rng.choice(others), part.body.size
    if n < length:
        return part.offsets[n] + items // size ** (length - n)
    longer = size ** (n - length)
    return part.offsets[n] + items * longer + rng.randrange(longer)
