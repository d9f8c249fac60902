"""The architecture string of NAS-Bench-201 and NATS-Bench (Dong et al., 2021): |op~0|+|op~0|op~1|+|op~0|op~1|op~2|.

One part a node, joined by +; in a part one operation~source for every earlier node, in their order.
"""

import re
from functools import cache
from typing import cast

from app.architecture.formats.edge_layout import edge_layout, edge_layout_of
from app.architecture.formats.format import Format
from app.architecture.formats.reader import Reader
from app.space import Genotype, SearchSpace

_OPERATION = re.compile(r"[^|~+\s]++")
_BAR, _PLUS, _END = re.compile(r"\|"), re.compile(r"\+"), re.compile(r"\s*+\Z")


@cache
def _source(node: int) -> re.Pattern[str]:
    return re.compile(rf"~{node}\|")


def _suits(space: SearchSpace) -> bool:
    layout = edge_layout_of(space)
    return layout is not None and all(_OPERATION.fullmatch(operation) for operation in layout.operations)


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = edge_layout(space)
    reader = Reader(value)
    found: dict[str, Genotype] = {}
    for node in range(1, layout.last + 1):
        if node > 1:
            reader.expect(_PLUS, f"+ and the part of node {node}")
        reader.expect(_BAR, "|")
        for source in range(node):
            operation = reader.expect(_OPERATION, f"an operation from node {source} to node {node}")
            if operation[0] not in layout.operations:
                message = f"no operation {operation[0]!r} in this space"
                raise reader.error(operation.start(), message, operation[0], layout.operations)
            found[f"{source}->{node}"] = operation[0]
            reader.expect(_source(source), f"~{source}|")
    reader.expect(_END, "the end")
    return space.plan.normalise(found)


def _write(space: SearchSpace, genotype: Genotype) -> str:
    layout = edge_layout(space)
    edges = cast("dict[str, str]", genotype)
    parts = [[f"{edges[f'{i}->{j}']}~{i}" for i in range(j)] for j in range(1, layout.last + 1)]
    return "+".join(f"|{'|'.join(part)}|" for part in parts)


NASBENCH201 = Format(
    name="nasbench201",
    title="|op~0|+|op~0|op~1|+|op~0|op~1|op~2| as text",
    source="D-X-Y/NATS-Bench, nats_bench/genotype_utils.py",
    suits=_suits,
    read=_read,
    write=_write,
)
