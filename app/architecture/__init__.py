"""What a genotype means: graphs, costs, identity, drawings. Pure: no torch, no I/O.

lower(grammar, skeleton, image, decided) -> Graph     the meaning of a genotype, a space, or anything between
resolve(graph, decided) -> Graph                      make more decisions
cost(graph) -> Cost                                   of an architecture
receptive_field(graph) -> ReceptiveField | None       how much of the input it sees; None where all
price_of(space, skeleton, image, index) -> Price      of a member by its rank, quick where many are asked about
tariff(graph).price(certain(decided))                 of every genotype of an open graph
faults_of(space, value) · size_of(space)              what constraints say, bounds on costs among them
"""

from app.architecture.axis import Axis
from app.architecture.builder import Builder
from app.architecture.canonical import architecture_id, canonical, canonical_id
from app.architecture.constraints import excess_of, faults_of, judge_of, size_of
from app.architecture.cost import Cost, NodeCost, cost
from app.architecture.cursor import Cursor
from app.architecture.draw import draw_svg, draw_text
from app.architecture.errors import Entangled, LoweringError
from app.architecture.graph import (
    Graph,
    Node,
    Tariff,
    certain,
    count,
    macs,
    node_macs,
    node_params,
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
from app.architecture.lower import lower, lower_cell, lower_operation, task_of
from app.architecture.lower.layers import Layers
from app.architecture.prices import Price, Prices, price_of
from app.architecture.receptive_field import ReceptiveField, receptive_field
from app.architecture.vocabulary import OPERATIONS, Operation

__all__ = [
    "FALSE",
    "OPERATIONS",
    "TRUE",
    "Arena",
    "Axis",
    "Builder",
    "Cost",
    "Cursor",
    "Entangled",
    "Graph",
    "Guard",
    "Layers",
    "LoweringError",
    "Node",
    "NodeCost",
    "Operation",
    "Price",
    "Prices",
    "Question",
    "ReceptiveField",
    "Tariff",
    "Weight",
    "all_of",
    "any_of",
    "architecture_id",
    "canonical",
    "canonical_id",
    "certain",
    "cost",
    "count",
    "draw_svg",
    "draw_text",
    "exactly",
    "excess_of",
    "faults_of",
    "given",
    "judge_of",
    "lower",
    "lower_cell",
    "lower_operation",
    "macs",
    "node_macs",
    "node_params",
    "not_",
    "parameters",
    "presence",
    "price",
    "price_of",
    "questions",
    "receptive_field",
    "resolve",
    "size_of",
    "tariff",
    "task_of",
    "weigh",
]
