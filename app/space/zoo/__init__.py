"""The published spaces, each in a short file that reads like its paper."""

from collections.abc import Mapping
from types import MappingProxyType

from app.space.document import SearchSpace
from app.space.zoo.chain import CHAIN_OPERATIONS, chain
from app.space.zoo.darts import DARTS_OPERATIONS, darts
from app.space.zoo.nasbench201 import NASBENCH201_OPERATIONS, nasbench201
from app.space.zoo.simple_cell import OPERATIONS, simple_cell

ZOO: Mapping[str, SearchSpace] = MappingProxyType(
    {space.name: space for space in (simple_cell(), nasbench201(), darts(), chain())}
)

__all__ = [
    "CHAIN_OPERATIONS",
    "DARTS_OPERATIONS",
    "NASBENCH201_OPERATIONS",
    "OPERATIONS",
    "ZOO",
    "chain",
    "darts",
    "nasbench201",
    "simple_cell",
]
