"""Six operation numbers of NAS-Bench-201 as NASLib has them, edges by their source: 0->1, 0->2, 0->3, 1->2, 1->3, 2->3.

The order of the operations and of the edges are NASLib's own, neither that of the architecture string; automl/NASLib,
`search_spaces/nasbench201/conversions.py`. An index into the benchmark's table is another thing: that order is shuffled
and found only in the table.
"""

from typing import cast

from app.architecture.formats.cell_document import listed, number
from app.architecture.formats.edge_layout import EdgeLayout, edge_layout, edge_layout_of
from app.architecture.formats.format import Format
from app.space import Genotype, SearchSpace

# NASLib's Identity, Zero, ReLUConvBN3x3, ReLUConvBN1x1, AvgPool1x1
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")


def _suits(space: SearchSpace) -> bool:
    layout = edge_layout_of(space)
    return layout is not None and {*layout.operations} == {*OPERATIONS}


def _edges(layout: EdgeLayout) -> list[str]:
    return [f"{i}->{j}" for i in range(layout.last) for j in range(i + 1, layout.last + 1)]


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = edge_layout(space)
    edges = _edges(layout)
    given = listed(value, "", len(edges))
    numbers = [number(given[e], f"/{e}", len(OPERATIONS) - 1) for e in range(len(edges))]
    return space.plan.normalise({edge: OPERATIONS[n] for edge, n in zip(edges, numbers, strict=True)})


def _write(space: SearchSpace, genotype: Genotype) -> list[int]:
    layout = edge_layout(space)
    operations = cast("dict[str, str]", genotype)
    return [OPERATIONS.index(operations[edge]) for edge in _edges(layout)]


NASLIB_NASBENCH201 = Format(
    name="naslib-nasbench201",
    title="Six operation numbers, edges by their source",
    source="automl/NASLib, search_spaces/nasbench201/conversions.py",
    suits=_suits,
    read=_read,
    write=_write,
)
