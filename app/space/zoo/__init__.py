"""The published spaces, each in a short file that reads like its paper."""

from collections.abc import Mapping
from types import MappingProxyType

from app.space.document import SearchSpace
from app.space.zoo.amoebanet import AMOEBANET_OPERATIONS, amoebanet
from app.space.zoo.chain import CHAIN_OPERATIONS, chain
from app.space.zoo.darts import DARTS_OPERATIONS, darts
from app.space.zoo.enas_micro import ENAS_MICRO_OPERATIONS, enas_micro
from app.space.zoo.nasbench201 import NASBENCH201_OPERATIONS, nasbench201
from app.space.zoo.nasbench301 import nasbench301
from app.space.zoo.nasnet import NASNET_OPERATIONS, nasnet
from app.space.zoo.pnasnet import PNASNET_OPERATIONS, pnasnet
from app.space.zoo.simple_cell import OPERATIONS, simple_cell

ZOO: Mapping[str, SearchSpace] = MappingProxyType(
    {
        space.name: space
        for space in (
            simple_cell(),
            nasbench201(),
            darts(),
            chain(),
            nasnet(),
            amoebanet(),
            pnasnet(),
            enas_micro(),
            nasbench301(),
        )
    }
)

__all__ = [
    "AMOEBANET_OPERATIONS",
    "CHAIN_OPERATIONS",
    "DARTS_OPERATIONS",
    "ENAS_MICRO_OPERATIONS",
    "NASBENCH201_OPERATIONS",
    "NASNET_OPERATIONS",
    "OPERATIONS",
    "PNASNET_OPERATIONS",
    "ZOO",
    "amoebanet",
    "chain",
    "darts",
    "enas_micro",
    "nasbench201",
    "nasbench301",
    "nasnet",
    "pnasnet",
    "simple_cell",
]
