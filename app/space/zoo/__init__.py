"""The published spaces, each in a short file that reads like its paper."""

from collections.abc import Mapping
from types import MappingProxyType

from app.space.document import SearchSpace
from app.space.zoo.amoebanet import AMOEBANET_OPERATIONS, amoebanet
from app.space.zoo.autodeeplab import AUTODEEPLAB_OPERATIONS, autodeeplab
from app.space.zoo.autoformer import autoformer_b, autoformer_s, autoformer_t
from app.space.zoo.chain import CHAIN_OPERATIONS, chain
from app.space.zoo.darts import DARTS_OPERATIONS, darts
from app.space.zoo.darts_rnn import ACTIVATIONS, darts_rnn
from app.space.zoo.detection_head import DETECTION_HEAD_OPERATIONS, detection_head
from app.space.zoo.enas_macro import ENAS_MACRO_OPERATIONS, enas_macro
from app.space.zoo.enas_micro import ENAS_MICRO_OPERATIONS, enas_micro
from app.space.zoo.fbnet import FBNET_OPERATIONS, fbnet
from app.space.zoo.hierarchical import HIERARCHICAL_OPERATIONS, hierarchical
from app.space.zoo.mnasnet import MNASNET_CONVOLUTIONS, mnasnet
from app.space.zoo.mobilenet_ofa import OFA_EXPANSIONS, OFA_KERNELS, OFA_RESOLUTIONS, mobilenet_ofa
from app.space.zoo.multibranch import MULTIBRANCH_OPERATIONS, multibranch
from app.space.zoo.nas_fpn import nas_fpn
from app.space.zoo.nasbench101 import NASBENCH101_OPERATIONS, nasbench101
from app.space.zoo.nasbench201 import NASBENCH201_OPERATIONS, nasbench201
from app.space.zoo.nasbench301 import nasbench301
from app.space.zoo.nasbench_macro import NASBENCH_MACRO_OPERATIONS, nasbench_macro
from app.space.zoo.nasnet import NASNET_OPERATIONS, nasnet
from app.space.zoo.nats_size import NATS_WIDTHS, nats_size
from app.space.zoo.pnasnet import PNASNET_OPERATIONS, pnasnet
from app.space.zoo.proxylessnas import PROXYLESSNAS_OPERATIONS, proxylessnas
from app.space.zoo.simple_cell import OPERATIONS, simple_cell
from app.space.zoo.transformer import transformer
from app.space.zoo.unconstrained_dag import DAG_OPERATIONS, unconstrained_dag

ZOO: Mapping[str, SearchSpace] = MappingProxyType(
    {
        space.name: space
        for space in (
            simple_cell(),
            nasbench101(),
            nasbench201(),
            darts(),
            chain(),
            unconstrained_dag(),
            nasnet(),
            amoebanet(),
            pnasnet(),
            enas_micro(),
            nasbench301(),
            nats_size(),
            nasbench_macro(),
            mobilenet_ofa(),
            proxylessnas(),
            fbnet(),
            mnasnet(),
            autoformer_t(),
            autoformer_s(),
            autoformer_b(),
            transformer(),
            darts_rnn(),
            enas_macro(),
            multibranch(),
            hierarchical(),
            autodeeplab(),
            nas_fpn(),
            detection_head(),
        )
    }
)

__all__ = [
    "ACTIVATIONS",
    "AMOEBANET_OPERATIONS",
    "AUTODEEPLAB_OPERATIONS",
    "CHAIN_OPERATIONS",
    "DAG_OPERATIONS",
    "DARTS_OPERATIONS",
    "DETECTION_HEAD_OPERATIONS",
    "ENAS_MACRO_OPERATIONS",
    "ENAS_MICRO_OPERATIONS",
    "FBNET_OPERATIONS",
    "HIERARCHICAL_OPERATIONS",
    "MNASNET_CONVOLUTIONS",
    "MULTIBRANCH_OPERATIONS",
    "NASBENCH101_OPERATIONS",
    "NASBENCH201_OPERATIONS",
    "NASBENCH_MACRO_OPERATIONS",
    "NASNET_OPERATIONS",
    "NATS_WIDTHS",
    "OFA_EXPANSIONS",
    "OFA_KERNELS",
    "OFA_RESOLUTIONS",
    "OPERATIONS",
    "PNASNET_OPERATIONS",
    "PROXYLESSNAS_OPERATIONS",
    "ZOO",
    "amoebanet",
    "autodeeplab",
    "autoformer_b",
    "autoformer_s",
    "autoformer_t",
    "chain",
    "darts",
    "darts_rnn",
    "detection_head",
    "enas_macro",
    "enas_micro",
    "fbnet",
    "hierarchical",
    "mnasnet",
    "mobilenet_ofa",
    "multibranch",
    "nas_fpn",
    "nasbench101",
    "nasbench201",
    "nasbench301",
    "nasbench_macro",
    "nasnet",
    "nats_size",
    "pnasnet",
    "proxylessnas",
    "simple_cell",
    "transformer",
    "unconstrained_dag",
]
