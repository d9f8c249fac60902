"""Neighbours: every member in which exactly one decision is answered differently.

    Choice   another option; the fields that both options have alike keep their answers, the option's own fields
             take every answer
    Subset   one member replaced by an option not taken, keeping and opening fields in the same way
    Repeat   the next shorter or the next longer of its lengths, at the end of the list: items are dropped, or added
             with every answer

Each neighbour comes exactly once, and the relation is symmetric: what a move opens, the move back closes. Moves are
computed on ranks, so a neighbour shares nothing with the genotype it came from.
"""

from collections.abc import Iterator

from app.space import digits
from app.space.part import Alternatives, Members, Part, Point, Product, Sequence, bare


def moves(part: Part, index: int) -> Iterator[int]:
    """The ranks of the neighbours of the member of rank `index`."""
    part = bare(part)
    match part:
        case Product(fields, strides):
            for (_, inner), stride in zip(fields, strides, strict=True):
                digit = index // stride % inner.size
                for other in moves(inner, digit):
                    yield index + (other - digit) * stride
        case Alternatives(menu, offsets):
            here, digit = digits.option(part, index)
            for position, (inner, offset) in enumerate(zip(menu.parts, offsets, strict=True)):
                found = moves(inner, digit) if position == here else _every(*carried(menu.parts[here], digit, inner))
                for other in found:
                    yield offset + other
        case Members():
            yield from _member_moves(part, index)
        case Sequence():
            yield from _sequence_moves(part, index)
        case _:
            return


def carried(old: Part, digit: int, new: Part) -> tuple[int, list[tuple[int, int]]]:
    """What another option keeps of this one, as a rank of the other, and the (size, stride) of what it opens."""
    old, new = bare(old), bare(new)
    if not isinstance(new, Product):
        return 0, []
    kept: dict[tuple[str, Part], int] = {}
    if isinstance(old, Product):
        for (name, inner), stride in zip(old.fields, old.strides, strict=True):
            kept[name, inner] = digit // stride % inner.size
    base = sum(kept.get(field, 0) * stride for field, stride in zip(new.fields, new.strides, strict=True))
    opened = [
        (inner.size, stride)
        for (name, inner), stride in zip(new.fields, new.strides, strict=True)
        if (name, inner) not in kept and not isinstance(inner, Point)
    ]
    return base, opened


def _every(base: int, opened: list[tuple[int, int]]) -> Iterator[int]:
    """`base` plus every combination of digits: lazily, as there may be very many."""
    if not opened:
        yield base
        return
    (size, stride), *rest = opened
    digit = 0
    while digit < size:
        yield from _every(base + digit * stride, rest)
        digit += 1


def _member_moves(part: Members, index: int) -> Iterator[int]:
    chosen = digits.members(part, index)
    taken = {position for position, _ in chosen}
    for j, (position, digit) in enumerate(chosen):
        old, others = part.menu.parts[position], chosen[:j] + chosen[j + 1 :]
        for other in moves(old, digit):
            yield digits.members_index(part, [*others, (position, other)])
        for free, new in enumerate(part.menu.parts):
            if free not in taken:
                for other in _every(*carried(old, digit, new)):
                    yield digits.members_index(part, [*others, (free, other)])


def _sequence_moves(part: Sequence, index: int) -> Iterator[int]:
    size = part.body.size
    length, items = digits.length(part, index)
    for place, digit in enumerate(digits.items(part, length, items)):
        for other in moves(part.body, digit):
            yield index + (other - digit) * size ** (length - 1 - place)
    ordered = sorted(part.lengths)
    here = ordered.index(length)
    for n in ordered[here - 1 : here] if here else ():
        yield part.offsets[n] + items // size ** (length - n)
    for n in ordered[here + 1 : here + 2]:
        yield from _every(part.offsets[n] + items * size ** (n - length), [(size ** (n - length), 1)])
