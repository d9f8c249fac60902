"""unrank: from [0, size) to the members of a part, as closures made once. The inverse of `ranking.py`."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from app.space.algebra import Genotype
from app.space.part import Alternatives, Members, Nothing, Part, Point, Product, Sequence, Shared, bare

Unrank = Callable[[int], Genotype]


class Unranks:
    """The unrank closures of a plan's parts, each made once. Every call makes new lists and objects.

    A Subset of few members, such as the two edges of a DARTS node, remembers those that it has made and hands out
    copies: half the time of making them again.
    """

    def __init__(self) -> None:
        self._made: dict[Part, Unrank] = {}
        self._remembered = 20_000  # members that all parts of a plan together may still keep

    def of(self, part: Part) -> Unrank:
        """The closure that turns an index in [0, size) into the member."""
        if part not in self._made:
            self._made[part] = self._make(part)
        return self._made[part]

    def _make(self, part: Part) -> Unrank:
        match part:
            case Point(value):
                return lambda _: value
            case Product():
                return self._product(part)
            case Alternatives():
                return self._alternatives(part)
            case Members():
                if part.size <= self._remembered and all(_is_flat(option) for option in part.menu.parts):
                    self._remembered -= part.size
                    return _remembering(self._members(part), part.size)
                return self._members(part)
            case Sequence():
                return self._sequence(part)
            case Shared(_, inner):
                return self.of(inner)
            case Nothing():
                return _unrank_nothing

    def _product(self, part: Product) -> Unrank:
        template: dict[str, Genotype] = {n: inner.value if isinstance(inner, Point) else 0 for n, inner in part.fields}
        varying = [
            (name, self.of(inner), stride)
            for (name, inner), stride in zip(part.fields, part.strides, strict=True)
            if not isinstance(inner, Point)
        ]

        def unrank_product(index: int) -> Genotype:
            made = template.copy()
            for name, unrank, stride in varying:
                digit, index = divmod(index, stride)
                made[name] = unrank(digit)
            return made

        if len(varying) == 1:
            name, only, _ = varying[0]

            def unrank_one(index: int) -> Genotype:
                made = template.copy()
                made[name] = only(index)
                return made

            return unrank_one
        return unrank_product

    def _alternatives(self, part: Alternatives) -> Unrank:
        if not part.menu.records:
            return part.menu.symbols.__getitem__
        unranks, offsets = [self.of(inner) for inner in part.menu.parts], part.offsets

        def unrank_alternatives(index: int) -> Genotype:
            position = bisect_right(offsets, index) - 1
            return unranks[position](index - offsets[position])

        return unrank_alternatives

    def _members(self, part: Members) -> Callable[[int], list[Any]]:
        unranks, k, ways = [self.of(inner) for inner in part.menu.parts], part.k, part.ways
        # skipped[r][p]: members that begin before position p, when r are to be taken from all of the options
        skipped = [[row[0] - here for here in row] for row in ways]
        steps = [(ways[r], skipped[r], ways[r - 1]) for r in range(k, 0, -1)]

        def unrank_members(index: int) -> list[Any]:
            made: list[Any] = []
            start = 0
            for row, before, rest in steps:
                index += row[0] - row[start]
                position = bisect_right(before, index) - 1
                start = position + 1
                digit, index = divmod(index - before[position], rest[start])
                made.append(unranks[position](digit))
            return made

        return unrank_members

    def _sequence(self, part: Sequence) -> Unrank:
        unrank, size = self.of(part.body), part.body.size
        lengths, offsets = part.lengths, [part.offsets[n] for n in part.lengths]

        def unrank_sequence(index: int) -> Genotype:
            place = bisect_right(offsets, index) - 1
            index -= offsets[place]
            made: list[Genotype] = []
            for _ in range(lengths[place]):
                index, digit = divmod(index, size)
                made.append(unrank(digit))
            made.reverse()
            return made

        return unrank_sequence


def _is_flat(part: Part) -> bool:
    """An object of scalars: a copy of it shares nothing."""
    part = bare(part)
    return isinstance(part, Product) and all(
        isinstance(inner := bare(field), Point) or (isinstance(inner, Alternatives) and not inner.menu.records)
        for _, field in part.fields
    )


def _remembering(unrank: Callable[[int], list[Any]], size: int) -> Unrank:
    """The same, with each list of flat objects made once and copied from then on."""
    made: list[list[dict[str, Genotype]] | None] = [None] * size
    copy = dict[str, Genotype].copy

    def unrank_remembered(index: int) -> Genotype:
        items = made[index]
        if items is None:
            items = made[index] = unrank(index)
        return [*map(copy, items)]

    return unrank_remembered


def _unrank_nothing(_: int) -> Genotype:
    return []
