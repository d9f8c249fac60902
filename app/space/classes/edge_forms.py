"""Edge cells up to what they compute: classes are the different forms of the members (`forms.py`)."""

from collections.abc import Hashable
from math import factorial
from typing import TYPE_CHECKING

from app.space.algebra import Record
from app.space.classes.cells import edges_of
from app.space.classes.forms import FORMS
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.derived import derived
from app.space.value import is_object

if TYPE_CHECKING:
    from app.space.document import SearchSpace

_LARGEST = 100_000  # members times orders of the inner nodes whose forms are compared; a second or two


@derived
def _edges(space: "SearchSpace") -> tuple[tuple[int, int], ...]:
    """The edges of a space that is one small edge cell; none where it is not."""
    root = space.grammar.follow(space.grammar.root)
    edges = tuple(edges_of(space.grammar, root)) if isinstance(root, Record) and root.builds == "edge_cells" else ()
    if not edges or space.plan.size * factorial(max(target for _, target in edges) - 1) > _LARGEST:
        return ()
    return edges


class _Table:
    """The members of a space by their form: made once, when first asked."""

    def __init__(self, space: "SearchSpace", equivalence: str) -> None:
        edges, form, unrank = _edges(space), FORMS[equivalence], space.plan.unrank
        first: dict[Hashable, int] = {}
        self.lowest: list[int] = []
        self.sizes: dict[int, int] = {}
        for index in range(space.plan.size):
            genotype = unrank(index)
            operations = genotype.values() if is_object(genotype) else ()
            lowest = first.setdefault(form(dict(zip(edges, operations, strict=True))), index)
            self.lowest.append(lowest)
            self.sizes[lowest] = self.sizes.get(lowest, 0) + 1


def _reading(equivalence: str) -> Reading:
    table = derived(lambda space: _Table(space, equivalence))

    def lowest(space: "SearchSpace", index: int) -> int:
        return table(space).lowest[index]

    def count(space: "SearchSpace") -> Classes:
        return Classes(exact=len(table(space).sizes), method=f"all {space.plan.size} members, their forms compared")

    return Reading(
        equivalence=equivalence,
        suits=lambda space: bool(_edges(space)),
        canonical=by_rank(lowest),
        count=count,
        count_long=count,
        orbit=lambda space, genotype: table(space).sizes[lowest(space, space.plan.rank(genotype))],
        lowest=lowest,
    )


EDGE_FORMS = tuple(map(_reading, FORMS))
