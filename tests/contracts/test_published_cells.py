"""Published cells: read from what was published, members of their spaces, and networks of the published size."""

from typing import Any

import pytest
import torch

from app.architecture import Cost, cost, lower
from app.architecture.formats import FormatError, read_format, write_format
from app.space import CellSkeleton, Genotype, ImageInput, SearchSpace, Skeleton
from app.space.zoo import amoebanet, darts, enas_micro, nasbench301, nasnet, pnasnet, simple_cell
from workers.network import Network

# quark0/darts and yuhuixu1993/PC-DARTS, `genotypes.py`, their line breaks kept
NASNET_A = """Genotype(
  normal = [
    ('sep_conv_5x5', 1), ('sep_conv_3x3', 0),
    ('sep_conv_5x5', 0), ('sep_conv_3x3', 0),
    ('avg_pool_3x3', 1), ('skip_connect', 0),
    ('avg_pool_3x3', 0), ('avg_pool_3x3', 0),
    ('sep_conv_3x3', 1), ('skip_connect', 1),
  ],
  normal_concat = [2, 3, 4, 5, 6],
  reduce = [
    ('sep_conv_5x5', 1), ('sep_conv_7x7', 0),
    ('max_pool_3x3', 1), ('sep_conv_7x7', 0),
    ('avg_pool_3x3', 1), ('sep_conv_5x5', 0),
    ('skip_connect', 3), ('avg_pool_3x3', 2),
    ('sep_conv_3x3', 2), ('max_pool_3x3', 1),
  ],
  reduce_concat = [4, 5, 6],
)"""
AMOEBANET_A = """AmoebaNet = Genotype(
  normal = [
    ('avg_pool_3x3', 0), ('max_pool_3x3', 1),
    ('sep_conv_3x3', 0), ('sep_conv_5x5', 2),
    ('sep_conv_3x3', 0), ('avg_pool_3x3', 3),
    ('sep_conv_3x3', 1), ('skip_connect', 1),
    ('skip_connect', 0), ('avg_pool_3x3', 1),
    ],
  normal_concat = [4, 5, 6],
  reduce = [
    ('avg_pool_3x3', 0), ('sep_conv_3x3', 1),
    ('max_pool_3x3', 0), ('sep_conv_7x7', 2),
    ('sep_conv_7x7', 0), ('avg_pool_3x3', 1),
    ('max_pool_3x3', 0), ('max_pool_3x3', 1),
    ('conv_7x1_1x7', 0), ('sep_conv_3x3', 5),
  ],
  reduce_concat = [3, 4, 6]
)"""
PC_DARTS = (
    "PC_DARTS_cifar = Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), "
    "('dil_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], "
    "normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), "
    "('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], "
    "reduce_concat=range(2, 6))"
)
# melodyguan/enas, `scripts/cifar10_micro_final.sh`
ENAS = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1 1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"
# tensorflow/models, `research/slim/nets/nasnet/nasnet_utils.py` and `pnasnet.py`
SLIM_NASNET_A: dict[str, dict[str, list[Any]]] = {
    "normal": {
        "operations": [
            *("separable_5x5_2", "separable_3x3_2", "separable_5x5_2", "separable_3x3_2", "avg_pool_3x3"),
            *("none", "avg_pool_3x3", "avg_pool_3x3", "separable_3x3_2", "none"),
        ],
        "hiddenstate_indices": [0, 1, 1, 1, 0, 1, 1, 1, 0, 0],
        "used_hiddenstates": [1, 0, 0, 0, 0, 0, 0],
    },
    "reduce": {
        "operations": [
            *("separable_5x5_2", "separable_7x7_2", "max_pool_3x3", "separable_7x7_2", "avg_pool_3x3"),
            *("separable_5x5_2", "none", "avg_pool_3x3", "separable_3x3_2", "max_pool_3x3"),
        ],
        "hiddenstate_indices": [0, 1, 0, 1, 0, 1, 3, 2, 2, 0],
        "used_hiddenstates": [1, 1, 1, 0, 0, 0, 0],
    },
}
SLIM_PNASNET_5: dict[str, dict[str, list[Any]]] = {
    "cell": {
        "operations": [
            *("separable_5x5_2", "max_pool_3x3", "separable_7x7_2", "max_pool_3x3", "separable_5x5_2"),
            *("separable_3x3_2", "separable_3x3_2", "max_pool_3x3", "separable_3x3_2", "none"),
        ],
        "hiddenstate_indices": [1, 1, 0, 0, 0, 0, 4, 0, 1, 0],
        "used_hiddenstates": [1, 1, 0, 0, 0, 0, 0],
    }
}


def without_used(lists: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, list[Any]]]:
    return {cell: {k: v for k, v in given.items() if k != "used_hiddenstates"} for cell, given in lists.items()}


PUBLISHED: dict[str, tuple[SearchSpace, str, object]] = {
    "NASNet-A": (nasnet(), "darts", NASNET_A),
    "NASNet-A, tf-slim": (nasnet(), "nasnet-lists", without_used(SLIM_NASNET_A)),
    "AmoebaNet-A": (amoebanet(), "darts", AMOEBANET_A),
    "PNASNet-5": (pnasnet(concat_all=True), "nasnet-lists", SLIM_PNASNET_5),
    "PNASNet-5 by the paper's rule": (pnasnet(), "nasnet-lists", without_used(SLIM_PNASNET_5)),
    "ENAS": (enas_micro(), "enas-micro", ENAS),
    "PC-DARTS": (darts(), "darts", PC_DARTS),
}


def published(name: str) -> tuple[SearchSpace, Genotype]:
    space, form, value = PUBLISHED[name]
    return space, read_format(space, form, value)


def measured(name: str, skeleton: Skeleton, extent: int = 32) -> Cost:
    space, genotype = published(name)
    image = ImageInput(height=extent, width=extent)
    return cost(lower(space.grammar, skeleton, image, space.plan.read(genotype)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_cells_are_members_and_networks(name: str) -> None:
    space, genotype = published(name)
    assert space.plan.check(genotype) == ()
    graph = lower(
        space.grammar, space.skeletons["small"], ImageInput(channels=1, height=8, width=8), space.plan.read(genotype)
    )
    network = Network(graph).eval()
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert sum(p.numel() for p in network.parameters()) == cost(graph).params > 10_000


def test_the_two_spellings_of_nasnet_a_are_one_genotype() -> None:
    assert published("NASNet-A") == published("NASNet-A, tf-slim")


def test_tf_slims_nasnet_a_concatenates_more_than_the_paper_says() -> None:
    """Its lists keep a cell input (normal) and a block that is read (reduction): the rule's lists are offered."""
    with pytest.raises(FormatError) as caught:
        read_format(nasnet(), "nasnet-lists", SLIM_NASNET_A)
    assert (caught.value.pointer, caught.value.allowed) == ("/normal/used_hiddenstates/1", (1,))
    halfway = {**without_used(SLIM_NASNET_A), "reduce": SLIM_NASNET_A["reduce"]}
    with pytest.raises(FormatError) as caught:
        read_format(nasnet(), "nasnet-lists", halfway)
    assert (caught.value.pointer, caught.value.allowed) == ("/reduce/used_hiddenstates/3", (1,))
    with pytest.raises(FormatError, match="concatenates the blocks that no block reads"):
        read_format(pnasnet(), "nasnet-lists", SLIM_PNASNET_5)
    assert write_format(*_slim(pnasnet(concat_all=True))) == SLIM_PNASNET_5


def _slim(space: SearchSpace) -> tuple[SearchSpace, str, Genotype]:
    return space, "nasnet-lists", read_format(space, "nasnet-lists", SLIM_PNASNET_5)


@pytest.mark.parametrize(
    ("skeleton", "extent", "params", "macs"),
    [
        ("cifar", 32, 3_176_602, 562_111_872),  # table 2: N = 3, F = 48: 3.2M
        ("imagenet", 224, 5_063_347, 587_539_120),  # table 4: N = 3, F = 54: 5.1M, 588M
    ],
)
def test_pnasnet_5(skeleton: str, extent: int, params: int, macs: int) -> None:
    """Liu et al. (2018), with all blocks concatenated as its released network does."""
    total = measured("PNASNet-5", pnasnet().skeletons[skeleton], extent)
    assert (total.params, total.macs) == (params, macs)


def test_pnasnet_5_large() -> None:
    """Liu et al. (2018), table 5: N = 4, F = 216 at 331: 86.1M parameters, 25.0B multiply-adds."""
    skeleton = CellSkeleton(channels=216, num_cells=12, stem="cells", stem_multiplier=3, num_classes=1000)
    total = measured("PNASNet-5", skeleton, 331)
    assert (total.params, total.macs) == (86_051_704, 25_001_731_620)


def test_amoebanet_a() -> None:
    """Real et al. (2019), table 1: N = 6, F = 36: 3.2M parameters; table 2: N = 4, F = 50: 5.1M and 555M."""
    assert measured("AmoebaNet-A", amoebanet().skeletons["cifar"]).params == pytest.approx(3.2e6, rel=0.02)
    mobile = measured("AmoebaNet-A", amoebanet().skeletons["imagenet"], 224)
    assert mobile.params == pytest.approx(5.1e6, rel=0.03)
    assert mobile.macs == pytest.approx(555e6, rel=0.04)


def test_pc_darts() -> None:
    """Xu et al. (2020): 3.6M parameters, through the text that was published."""
    total = measured("PC-DARTS", darts().skeletons["cifar"])
    assert (total.params, total.macs) == (3_634_678, 556_670_592)


def test_a_configuration_of_nasbench301() -> None:
    """automl/nasbench301, `data_generation/configs/config_0.json`: its other entries stand beside the cells."""
    prefix = "NetworkSelectorDatasetInfo:darts:"
    normal = {
        "edge_normal_0": "skip_connect",
        "edge_normal_1": "sep_conv_3x3",
        "inputs_node_normal_3": "1_2",
        "edge_normal_3": "dil_conv_5x5",
        "edge_normal_4": "avg_pool_3x3",
        "inputs_node_normal_4": "2_3",
        "edge_normal_7": "dil_conv_5x5",
        "edge_normal_8": "sep_conv_3x3",
        "inputs_node_normal_5": "0_1",
        "edge_normal_9": "dil_conv_3x3",
        "edge_normal_10": "dil_conv_3x3",
    }
    reduce = {
        "edge_reduce_0": "dil_conv_3x3",
        "edge_reduce_1": "skip_connect",
        "inputs_node_reduce_3": "0_1",
        "edge_reduce_2": "max_pool_3x3",
        "edge_reduce_3": "dil_conv_5x5",
        "inputs_node_reduce_4": "1_2",
        "edge_reduce_6": "dil_conv_3x3",
        "edge_reduce_7": "avg_pool_3x3",
        "inputs_node_reduce_5": "0_2",
        "edge_reduce_9": "sep_conv_3x3",
        "edge_reduce_11": "sep_conv_3x3",
    }
    cells = {prefix + key: value for key, value in (normal | reduce).items()}
    others = {
        f"{prefix}layers": 8,
        f"{prefix}init_channels": 32,
        f"{prefix}auxiliary": "True",
        "OptimizerSelector:optimizer": "sgd",
    }
    genotype = read_format(nasbench301(), "nasbench301", cells | others)
    assert write_format(nasbench301(), "nasbench301", genotype) == cells
    assert write_format(nasbench301(), "darts", genotype) == (
        "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1), ('dil_conv_5x5', 1), ('avg_pool_3x3', 2), "
        "('dil_conv_5x5', 2), ('sep_conv_3x3', 3), ('dil_conv_3x3', 0), ('dil_conv_3x3', 1)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('dil_conv_3x3', 0), ('skip_connect', 1), ('max_pool_3x3', 0), "
        "('dil_conv_5x5', 1), ('dil_conv_3x3', 1), ('avg_pool_3x3', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 2)], "
        "reduce_concat=[2, 3, 4, 5])"
    )


def test_a_textbook_genotype() -> None:
    node = ["sep_conv_3x3", 0, "skip_connect", 1]
    cell = [node, node, node, node]
    genotype = read_format(simple_cell(), "cell-genotype", {"normal": cell, "reduce": cell})
    edges = {"left": {"input": 0, "op": "sep_conv_3x3"}, "right": {"input": 1, "op": "skip_connect"}}
    assert genotype == {f"node{i}": edges for i in range(4)}
