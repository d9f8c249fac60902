"""What a genotype means: graphs, costs, identity, drawings. Pure: no torch, no I/O.

lower(grammar, skeleton, image, decided) -> Graph     the meaning of a genotype, a space, or anything between
resolve(graph, decided) -> Graph                      make more decisions
cost(graph) -> Cost                                   of an architecture
tariff(graph).price(certain(decided))                 of every genotype of an open graph
"""

from app.architecture.axis import Axis
from app.architecture.builder import Builder
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import (
    Graph,
    Node,
    Tariff,
    certain,
    count,
    macs,
    parameters,
    presence,
    price,
    resolve,
    tariff,
)
from app.architecture.guard import (
    FALSE,
    TRUE,
    Arena,
    Guard,
    Question,
    Weight,
    all_of,
    any_of,
    exactly,
    given,
    not_,
    questions,
    weigh,
)
from app.architecture.lower import lower, lower_cell, lower_operation
from app.architecture.lower.layers import Layers

__all__ = [
    "FALSE",
    "TRUE",
    "Arena",
    "Axis",
    "Builder",
    "Cursor",
    "Graph",
    "Guard",
    "Layers",
    "LoweringError",
    "Node",
    "Question",
    "Tariff",
    "Weight",
    "all_of",
    "any_of",
    "certain",
    "count",
    "exactly",
    "given",
    "lower",
    "lower_cell",
    "lower_operation",
    "macs",
    "not_",
    "parameters",
    "presence",
    "price",
    "questions",
    "resolve",
    "tariff",
    "weigh",
]
