"""The ConfigSpace dictionary of NAS-Bench-301 (Zela et al., 2022, `nasbench301/configspace.json`).

    "NetworkSelectorDatasetInfo:darts:edge_normal_<e>": operation             one an edge that is there
    "NetworkSelectorDatasetInfo:darts:inputs_node_normal_<n>": "<i>_<j>"      the two states that node n reads, i < j

and the same for `reduce`. The edge from state i into node n has the number e = (n - 2)(n + 1) / 2 + i: offsets 0, 2,
5, 9. Node 2 has no choice and no entry. Entries of other parts of the benchmark's configurations are not looked at.
"""

from app.architecture.formats.cell_document import checked, word
from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.layout import CellLayout, Edge, cell_layout, layout_of
from app.space import Genotype, SearchSpace, pointer
from app.space.value import is_object, shown

PREFIX = "NetworkSelectorDatasetInfo:darts:"


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    return layout is not None and len(layout.cells) == 2 and not layout.pairs and not layout.unused


def _first_edge(node: int) -> int:
    return (node - 2) * (node + 1) // 2


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    if not is_object(value):
        raise FormatError("", f"expected an object, found {shown(value)}", value)
    left = {key: given for key, given in value.items() if key.startswith((f"{PREFIX}edge_", f"{PREFIX}inputs_node_"))}
    rows = [_row(layout, cell, left) for cell in layout.cells]
    for key in left:
        message = "no such entry here: a state that its node does not read has no edge, and node 2 no inputs"
        raise FormatError(pointer("", key), message, key)
    return layout.genotype(rows)


def _row(layout: CellLayout, cell: str, left: dict[str, object]) -> list[Edge]:
    """The edges of a cell; its entries are taken out of `left`."""
    row: list[Edge] = []
    keys: list[str] = []
    for node in range(2, 2 + len(layout.nodes)):
        for state in _inputs(cell, node, left):
            key = f"{PREFIX}edge_{cell}_{_first_edge(node) + state}"
            if key not in left:
                message = f"node {node} reads state {state}, but that edge has no operation"
                raise FormatError(pointer("", key), message, None, layout.operations)
            row.append((word(left.pop(key), pointer("", key)), state))
            keys.append(key)
    return checked(layout, row, lambda edge, _: pointer("", keys[edge]))


def _inputs(cell: str, node: int, left: dict[str, object]) -> tuple[int, int]:
    if node == 2:
        return 0, 1
    key = f"{PREFIX}inputs_node_{cell}_{node}"
    allowed = tuple(f"{i}_{j}" for j in range(node) for i in range(j))
    given = left.pop(key, None)
    if given not in allowed:
        message = f"expected the two states that node {node} reads, found {shown(given)}"
        raise FormatError(pointer("", key), message, given, allowed)
    first, second = str(given).split("_")
    return int(first), int(second)


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, str]:
    layout = cell_layout(space)
    found: dict[str, str] = {}
    for cell, row in zip(layout.cells, layout.rows(genotype), strict=True):
        for i in range(len(layout.nodes)):
            edges, node = sorted(row[2 * i : 2 * i + 2], key=lambda edge: edge[1]), 2 + i
            found |= {f"{PREFIX}edge_{cell}_{_first_edge(node) + state}": operation for operation, state in edges}
            if node > 2:
                found[f"{PREFIX}inputs_node_{cell}_{node}"] = "_".join(str(state) for _, state in edges)
    return found


NASBENCH301 = Format(
    name="nasbench301",
    title="The ConfigSpace dictionary of NAS-Bench-301",
    source="automl/nasbench301, nasbench301/configspace.json",
    suits=_suits,
    read=_read,
    write=_write,
)
