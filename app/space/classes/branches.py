"""Parallel branches up to their order: a multiset of chains.

A space suits whose root is `branches` with a list of `paths`. Of B possible branches there are C(B + n - 1, n)
multisets of n; what is decided beside them multiplies.
"""

from collections import Counter
from math import comb, factorial, prod
from typing import TYPE_CHECKING

from app.space import digits
from app.space.algebra import Genotype, Record
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.derived import derived
from app.space.part import Product, Sequence, bare

if TYPE_CHECKING:
    from app.space.document import SearchSpace

_FIELD = "paths"


@derived
def paths_of(space: "SearchSpace") -> tuple[int, Sequence] | None:
    """(stride, the list of branches) of a space of parallel branches; None of any other."""
    root, part = space.grammar.follow(space.grammar.root), bare(space.plan.part)
    if not isinstance(root, Record) or root.builds != "branches" or not isinstance(part, Product):
        return None
    found = [
        (stride, bare(inner)) for (name, inner), stride in zip(part.fields, part.strides, strict=True) if name == _FIELD
    ]
    stride, paths = found[0] if found else (0, None)
    return (stride, paths) if isinstance(paths, Sequence) else None


def _split(space: "SearchSpace", index: int) -> tuple[int, Sequence, int, list[int]]:
    """(stride, the list, the digit of the list, the ranks of its branches)."""
    found = paths_of(space)
    assert found is not None
    stride, paths = found
    digit = index // stride % paths.size
    n, rest = digits.length(paths, digit)
    return stride, paths, digit, list(digits.items(paths, n, rest))


def lowest(space: "SearchSpace", index: int) -> int:
    """The branches in the order of their ranks."""
    stride, paths, digit, branches = _split(space, index)
    sorted_digit = paths.offsets[len(branches)]
    for i, branch in enumerate(sorted(branches)):
        sorted_digit += branch * paths.body.size ** (len(branches) - 1 - i)
    return index + stride * (sorted_digit - digit)


def orbit(space: "SearchSpace", genotype: Genotype) -> int:
    """The orders of a multiset."""
    *_, branches = _split(space, space.plan.rank(genotype))
    return factorial(len(branches)) // prod(map(factorial, Counter(branches).values()))


def count(space: "SearchSpace") -> Classes:
    """Multisets of branches, times what is decided beside them."""
    found = paths_of(space)
    assert found is not None
    _, paths = found
    multisets = sum(comb(paths.body.size + n - 1, n) if n else 1 for n in paths.lengths)
    return Classes(exact=space.plan.size // paths.size * multisets, method="multisets of branches, number by number")


BRANCH_ORDER = Reading(
    equivalence="branch-order",
    suits=lambda space: paths_of(space) is not None,
    canonical=by_rank(lowest),
    count=count,
    orbit=orbit,
    lowest=lowest,
)
