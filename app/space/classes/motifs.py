"""Hierarchies of motifs up to the names of the motifs: renaming them throughout changes nothing.

A space suits whose root is a `hierarchy` with interchangeable motifs (equal terms) before everything that names them.
A renaming p of n motifs leaves a member as it is where it maps every motif to an equal one and every name in an edge
to itself. With c(p) cycles and f(p) fixed points, M contents of a motif and q labels of an edge that are no names,

    classes = 1/n! · sum over p of  M^c(p) · prod over edges of (q + f(p))        (Burnside's lemma)

and permutations of one cycle type are taken together.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial, prod
from typing import TYPE_CHECKING

from app.space.algebra import Genotype, Grammar, Record, Term
from app.space.classes.cells import values_of
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.derived import derived
from app.space.part import Product, bare

if TYPE_CHECKING:
    from app.space.document import SearchSpace

_MOST = 30  # motifs: 5,604 cycle types


@dataclass(frozen=True, slots=True)
class Edge:
    """A choice among names of all motifs, in their order, and other labels."""

    stride: int
    labels: int  # no names
    names: dict[int, int]  # position among the options -> motif

    @property
    def positions(self) -> dict[int, int]:
        """Motif -> position among the options."""
        return {motif: position for position, motif in self.names.items()}


@dataclass(frozen=True, slots=True)
class Motifs:
    """The structure of a hierarchy. Rank = sum of digits times strides, most significant first."""

    strides: tuple[int, ...]  # of the motifs
    contents: int  # of one motif
    edges: tuple[Edge, ...]  # of everything after the motifs

    @property
    def many(self) -> int:
        """Motifs."""
        return len(self.strides)

    def split(self, index: int) -> tuple[list[int], list[int]]:
        """The digits of the motifs and of the edges."""
        digits: list[int] = []
        for stride in (*self.strides, *(edge.stride for edge in self.edges)):
            digit, index = divmod(index, stride)
            digits.append(digit)
        return digits[: self.many], digits[self.many :]

    def first_used(self, digits: list[int]) -> list[int]:
        """The motifs that edges name, in the order in which they first do."""
        named = [edge.names[digit] for edge, digit in zip(self.edges, digits, strict=True) if digit in edge.names]
        return list(dict.fromkeys(named))


@derived
def motifs_of(space: "SearchSpace") -> Motifs | None:
    """The motifs of a space that is a hierarchy; None of any other."""
    root, part = space.grammar.follow(space.grammar.root), bare(space.plan.part)
    if not isinstance(root, Record) or root.builds != "hierarchy" or not isinstance(part, Product):
        return None
    fields = [(name, space.grammar.follow(term)) for name, term in root.fields]
    names = tuple(name for name, term in fields if term == fields[0][1])
    graphs = fields[len(names) :]
    if names != tuple(name for name, _ in fields[: len(names)]) or not graphs or len(names) > _MOST:
        return None
    if set(names) & set(_labels(space.grammar, fields[0][1])):
        return None
    edges: list[Edge] = []
    for (_, term), (_, inner), stride in list(zip(fields, part.fields, part.strides, strict=True))[len(names) :]:
        graph = bare(inner)
        if not isinstance(term, Record) or not isinstance(graph, Product):
            return None
        for (_, choice), within in zip(term.fields, graph.strides, strict=True):
            values = values_of(space.grammar, choice)
            named = {position: names.index(str(v)) for position, v in enumerate(values) if v in names}
            if not values or tuple(named.values()) not in ((), tuple(range(len(names)))):
                return None
            edges.append(Edge(stride * within, len(values) - len(named), named))
    return Motifs(part.strides[: len(names)], part.fields[0][1].size, tuple(edges))


def _labels(grammar: Grammar, term: Term) -> Iterator[object]:
    if isinstance(term, Record):
        for _, inner in term.fields:
            yield from values_of(grammar, inner)


def _motifs(space: "SearchSpace") -> Motifs:
    found = motifs_of(space)
    assert found is not None
    return found


def lowest(space: "SearchSpace", index: int) -> int:
    """Motifs in the order of their contents, equal ones in the order in which edges first name them."""
    motifs = _motifs(space)
    contents, digits = motifs.split(index)
    used = motifs.first_used(digits)
    ranks = {motif: i for i, motif in enumerate([*used, *(m for m in range(motifs.many) if m not in used)])}
    order = sorted(range(motifs.many), key=lambda motif: (contents[motif], ranks[motif]))
    renamed = {motif: i for i, motif in enumerate(order)}
    rank = sum(contents[motif] * stride for motif, stride in zip(order, motifs.strides, strict=True))
    for edge, digit in zip(motifs.edges, digits, strict=True):
        rank += edge.stride * (edge.positions[renamed[edge.names[digit]]] if digit in edge.names else digit)
    return rank


def orbit(space: "SearchSpace", genotype: Genotype) -> int:
    """Every renaming gives another member, but for those of equal motifs that no edge names."""
    motifs = _motifs(space)
    contents, digits = motifs.split(space.plan.rank(genotype))
    used = motifs.first_used(digits)
    idle = Counter(content for motif, content in enumerate(contents) if motif not in used)
    return factorial(motifs.many) // prod(map(factorial, idle.values()))


def count(space: "SearchSpace") -> Classes:
    """Burnside's lemma over the cycle types of the renamings."""
    motifs = _motifs(space)
    total = 0
    for cycles in _partitions(motifs.many, motifs.many):
        lengths = Counter(cycles)
        alike = factorial(motifs.many) // prod(n**many * factorial(many) for n, many in lengths.items())
        fixed = prod(edge.labels + (lengths[1] if edge.names else 0) for edge in motifs.edges)
        total += alike * motifs.contents ** len(cycles) * fixed
    method = f"Burnside's lemma over the renamings of {motifs.many} motifs"
    return Classes(exact=total // factorial(motifs.many), method=method)


def _partitions(n: int, most: int) -> Iterator[tuple[int, ...]]:
    """The ways to write n as a sum of numbers up to `most`, largest first."""
    if n == 0:
        yield ()
    for first in range(min(n, most), 0, -1):
        for rest in _partitions(n - first, first):
            yield (first, *rest)


MOTIF_RENAMING = Reading(
    equivalence="motif-renaming",
    suits=lambda space: motifs_of(space) is not None,
    canonical=by_rank(lowest),
    count=count,
    orbit=orbit,
    lowest=lowest,
)
