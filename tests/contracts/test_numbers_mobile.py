"""Sizes and costs of the spaces of mobile networks, each beside its closed form and its paper."""

import csv
import gzip
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from app.architecture import LoweringError, certain, cost, lower, tariff
from app.space import (
    Genotype,
    Grammar,
    ImageInput,
    MobileSkeleton,
    Record,
    Repeat,
    SearchSpace,
    Skeleton,
    one_of,
    record,
)
from app.space.zoo import (
    FBNET_OPERATIONS,
    NASBENCH_MACRO_OPERATIONS,
    OFA_RESOLUTIONS,
    PROXYLESSNAS_OPERATIONS,
    fbnet,
    mnasnet,
    mobilenet_ofa,
    nasbench_macro,
    proxylessnas,
)


def test_nasbench_macro() -> None:
    """Su et al., CVPR 2021: three options in each of eight layers."""
    assert nasbench_macro().plan.size == 3**8 == 6_561
    assert nasbench_macro(5).plan.size == 3**5


def test_mobilenet_ofa() -> None:
    """Cai et al., ICLR 2020: "about 2·10^19" of ((3·3)^2 + (3·3)^3 + (3·3)^4)^5, 25 resolutions beside it."""
    assert 9**2 + 9**3 + 9**4 == 7_371
    assert mobilenet_ofa().plan.size == 7_371**5 == 21_758_655_492_572_485_851
    assert len(OFA_RESOLUTIONS) == 25
    assert mobilenet_ofa(OFA_RESOLUTIONS).plan.size == 543_966_387_314_312_146_275
    assert mobilenet_ofa(depths=(1,), kernels=(3, 5), num_units=2).plan.size == 6**2


def test_proxylessnas() -> None:
    """Cai et al., ICLR 2019: six blocks everywhere, and zero in the 15 layers that keep their shape."""
    assert len(PROXYLESSNAS_OPERATIONS) == 6
    assert proxylessnas().plan.size == 6**6 * 7**15 == 221_502_229_807_900_608
    assert proxylessnas((2, 3)).plan.size == 6**2 * 7**3


def test_fbnet() -> None:
    """Wu et al., CVPR 2019: nine blocks in each of 22 layers, "about 10^21"."""
    assert len(FBNET_OPERATIONS) == 9
    assert fbnet().plan.size == 9**22 == 984_770_902_183_611_232_881
    assert fbnet(3).plan.size == 9**3


def test_mnasnet() -> None:
    """Tan et al., CVPR 2019: 432 options a block, five blocks, about 10^13."""
    assert 4 * 2 * 2 * 3 * 3 * 3 == 432
    assert mnasnet().plan.size == 432**5 == 15_045_919_506_432
    assert mnasnet(2).plan.size == 432**2
    assert mnasnet(1, ("mb6",), (3,), (1.0,), (0,)).plan.size == 2 * 3


@pytest.mark.parametrize("operations", [1, 2, 3])
def test_sizes_follow_the_grammar(operations: int) -> None:
    assert nasbench_macro(8, NASBENCH_MACRO_OPERATIONS[:operations]).plan.size == operations**8
    assert fbnet(22, FBNET_OPERATIONS[:operations]).plan.size == operations**22
    assert proxylessnas((2, 4), PROXYLESSNAS_OPERATIONS[:operations]).plan.size == operations**2 * (operations + 1) ** 4


# -- costs -------------------------------------------------------------------------------------------------------

IMAGENET = ImageInput(height=224, width=224)


def priced(grammar: Grammar, skeleton: Skeleton, image: ImageInput = IMAGENET) -> tuple[int, int]:
    """Parameters and multiply-adds of the only member of a grammar."""
    found = cost(lower(grammar, skeleton, image))
    return found.params, found.macs


def prices(space: SearchSpace, skeleton: str, *genotypes: Genotype) -> list[tuple[int, int]]:
    """Parameters and multiply-adds of members, from one lowering of all; the first also lowered for itself."""
    chosen = space.skeletons[skeleton]
    bill = tariff(lower(space.grammar, chosen, space.input))
    found = [bill.price(certain(space.plan.read(genotype))) for genotype in genotypes]
    plain = cost(lower(space.grammar, chosen, space.input, space.plan.read(genotypes[0])))
    assert found[0] == (plain.params, plain.macs)
    return found


def test_all_of_nasbench_macro_as_its_table_has_them() -> None:
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if folder is None:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    space = nasbench_macro()
    with gzip.open(Path(folder) / "nasbench_macro_cifar10.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == space.plan.size
    genotypes = [{"layers": [NASBENCH_MACRO_OPERATIONS[int(digit)] for digit in row["arch"]]} for row in rows]
    assert prices(space, "cifar", *genotypes) == [(int(row["params"]), int(row["macs"])) for row in rows]


def test_some_of_nasbench_macro() -> None:
    """Two rows of its table, the cheapest and the best."""
    cheapest, best = (
        {"layers": [NASBENCH_MACRO_OPERATIONS[int(digit)] for digit in word]} for word in ("00000000", "22212220")
    )
    assert prices(nasbench_macro(), "cifar", cheapest)[0] == (387_882, 7_713_280)
    assert prices(nasbench_macro(), "cifar", best)[0] == (1_985_514, 85_164_544)


def test_proxylessnas_mobile() -> None:
    """The network released as ProxylessNAS mobile."""
    kernels = "53--73557555555577777"
    expansions = "33--33336333633366336"
    words = ["zero" if k == "-" else f"mb{e}_k{k}" for k, e in zip(kernels, expansions, strict=True)]
    layers: Genotype = {f"layer{i}": word for i, word in enumerate(words)}
    assert prices(proxylessnas(), "imagenet", {"layers": layers}) == [(4_080_512, 320_427_584)]


def unit(depth: int, kernel: int, expand: int) -> Genotype:
    return {"blocks": [{"kernel": kernel, "expand": expand} for _ in range(depth)]}


def test_the_least_and_the_largest_of_once_for_all() -> None:
    least: Genotype = {f"unit{i}": unit(2, 3, 3) for i in range(5)}
    largest: Genotype = {f"unit{i}": unit(4, 7, 6) for i in range(5)}
    assert prices(mobilenet_ofa(), "imagenet", least, largest) == [(3_410_792, 121_278_672), (7_664_760, 566_170_656)]


def test_separate_operations_cost_what_slices_do() -> None:
    space = mobilenet_ofa()
    chosen = space.skeletons["imagenet_1.2"]
    assert isinstance(chosen, MobileSkeleton)
    slices, separate = (
        tariff(lower(space.grammar, replace(chosen, elastic=elastic), space.input)) for elastic in (True, False)
    )
    for genotype in space.plan.sample(Random(0), 20):
        weight = certain(space.plan.read(genotype))
        assert slices.price(weight) == separate.price(weight)


def test_mobilenet_v2() -> None:
    """Sandler et al., CVPR 2018, as a network of mobile layers."""
    skeleton = MobileSkeleton(depths=(2, 3, 4, 3, 3, 1), widths=(24, 32, 64, 96, 160, 320))
    grammar = Grammar({"v2": record("mobile", layers=Repeat(one_of("mb6_k3"), (16,)))}, "v2")
    assert priced(grammar, skeleton) == (3_504_872, 300_774_272)


def test_mobilenet_v3_large() -> None:
    """Howard et al., ICCV 2019, in once-for-all's form: no bias in the map from 960 to 1280 features."""
    names = (
        *("mb4_k3", "mb3_k3"),
        *("mb3_k5", "mb3_k5", "mb3_k5"),
        *("mb6_k3", "mb2.5_k3", "mb2.3_k3", "mb2.3_k3"),
        *("mb6_k3", "mb6_k3"),
        *("mb6_k5", "mb6_k5", "mb6_k5"),
    )
    layers = Record("positions", tuple((f"layer{i}", one_of(name)) for i, name in enumerate(names)))
    skeleton = mobilenet_ofa().skeletons["imagenet"]
    assert isinstance(skeleton, MobileSkeleton)
    grammar = Grammar({"v3": record("mobile", layers=layers)}, "v3")
    assert priced(grammar, replace(skeleton, depths=(2, 3, 4, 2, 3))) == (5_481_752, 216_589_760)


def test_mnasnet_a1() -> None:
    """Tan et al., table 1: 3.9M parameters, 312M multiply-adds; the fourth block is 112 channels wide, off the grid."""
    a1: list[tuple[str, int, float, float, int]] = [
        ("mb6", 3, 0.0, 1.0, 0),
        ("mb3", 5, 0.25, 1.25, 0),
        ("mb6", 3, 0.0, 1.25, 0),
        ("mb6", 3, 0.25, 112 / 96, -1),
        ("mb6", 5, 0.25, 1.0, 0),
    ]
    blocks: Genotype = {
        f"block{i}": {"conv": conv, "kernel": k, "se": se, "skip": "identity", "width": width, "layers": layers}
        for i, (conv, k, se, width, layers) in enumerate(a1)
    }
    [(params, macs)] = prices(mnasnet(widths=(1.0, 112 / 96, 1.25)), "imagenet", blocks)
    assert params == 3_887_038
    assert round(macs / 1e6) == 312


def test_fbnet_c() -> None:
    """Wu et al., figure 4, in the form in which its weights are exchanged: 5,572,200 parameters, 385M multiply-adds."""
    words: Genotype = [
        "k3_e1",
        *("k3_e6", "skip", "k3_e1", "k3_e1"),
        *("k5_e6", "k5_e3", "k5_e6", "k3_e6"),
        *("k5_e6", "k5_e3", "k5_e6", "k5_e6"),
        *("k5_e6", "k5_e6", "k5_e6", "k5_e3"),
        *("k5_e6",) * 4,
        "k3_e6",
    ]
    [(params, macs)] = prices(fbnet(), "imagenet", {"layers": words})
    assert (params, round(macs / 1e6)) == (5_572_200, 385)


def test_fbnet_by_hand() -> None:
    """All skips on ImageNet: six 1x1 convolutions between stem and head, everything else keeps its input."""
    widths = (16, 24, 32, 64, 112, 184, 352, 1984)
    places = (56, 28, 14, 14, 7, 7, 7)
    fits = [(a, b, n) for (a, b), n in zip(pairwise(widths), places, strict=True)]
    stem = 27 * 16
    params = stem + 2 * 16 + sum(a * b + 2 * b for a, b, _ in fits) + 1984 * 1000 + 1000
    macs = stem * 112**2 + sum(a * b * n**2 for a, b, n in fits) + 1984 * 1000
    assert prices(fbnet(), "imagenet", {"layers": ["skip"] * 22}) == [(params, macs)]


def test_two_groups_halve_the_pointwise_convolutions() -> None:
    """32 channels, expansion 1, kernel 5: 2 * 32 * 32 / g + 25 * 32 weights, three norms."""
    skeleton = MobileSkeleton(stem=32, first=0, depths=(1,), widths=(32,), strides=(1,), head=0, num_classes=1)
    for name, groups in (("k5_e1", 1), ("k5_e1_g2", 2)):
        grammar = Grammar({"block": record("mobile", layers=Repeat(one_of(name), (1,)))}, "block")
        params, _ = priced(grammar, skeleton)
        assert params == 27 * 32 + 2 * 32 + (2 * 32 * 32 // groups + 25 * 32 + 6 * 32) + 33


# -- the resolution ----------------------------------------------------------------------------------------------


def test_a_resolution_is_the_input_and_not_the_network() -> None:
    space, plain = mobilenet_ofa(OFA_RESOLUTIONS), mobilenet_ofa()
    skeleton = space.skeletons["imagenet"]
    largest: dict[str, Genotype] = {f"unit{i}": unit(4, 7, 6) for i in range(5)}
    for extent in (128, 160, 224):
        graph = lower(space.grammar, skeleton, space.input, space.plan.read({"resolution": extent, **largest}))
        image = ImageInput(height=extent, width=extent)
        same = lower(plain.grammar, skeleton, image, plain.plan.read(largest))
        assert (cost(graph).params, cost(graph).macs) == (cost(same).params, cost(same).macs)
        assert [node.op for node in graph.nodes.values()].count("resize") == (extent != 224)


def test_there_is_no_supernet_while_the_resolution_is_open() -> None:
    """The counterexample to the laws of lowering: what is decided can be lowered, what is open cannot."""
    space = mobilenet_ofa(OFA_RESOLUTIONS)
    decided = space.plan.read(space.plan.unrank(0))
    lower(space.grammar, space.skeletons["imagenet"], space.input, {"/resolution": (128,)})
    for part in ({}, {path: answer for path, answer in decided.items() if path != "/resolution"}):
        with pytest.raises(LoweringError) as caught:
            lower(space.grammar, space.skeletons["imagenet"], space.input, part)
        assert caught.value.pointer == "/resolution"
        assert tuple(caught.value.allowed) == OFA_RESOLUTIONS
    assert any("resolution" in note for note in space.notes)


# -- what does not fit together ----------------------------------------------------------------------------------

STAGES = MobileSkeleton(stem=4, first=0, depths=(1, 2), widths=(4, 6), strides=(1, 2), head=8, num_classes=3)
SMALL = ImageInput(channels=1, height=8, width=8)


def refused(space: SearchSpace | Grammar, skeleton: MobileSkeleton) -> str:
    grammar = space.grammar if isinstance(space, SearchSpace) else space
    with pytest.raises(LoweringError) as caught:
        lower(grammar, skeleton, SMALL)
    assert caught.value.message
    return caught.value.pointer


def layers_of(*names: str) -> Grammar:
    fields = tuple((f"layer{i}", one_of(*name.split())) for i, name in enumerate(names))
    return Grammar({"net": record("mobile", layers=Record("positions", fields))}, "net")


def test_a_zero_stands_only_beside_a_residual() -> None:
    lower(layers_of("zero", "mb3_k3", "mb3_k3 zero"), STAGES, SMALL)
    assert refused(layers_of("mb3_k3", "mb3_k3 zero", "mb3_k3"), STAGES) == "/layers/layer1"


def test_an_identity_and_a_skip_change_the_shape_where_they_must() -> None:
    kept, changed = (lower(layers_of(*(name,) * 3), STAGES, SMALL).nodes for name in ("identity", "skip"))
    assert changed.keys() - kept.keys() == {"layer1/skip/conv", "layer1/skip/norm", "layer1/skip/relu"}
    assert kept.keys() - changed.keys() == {"layer1/identity/conv", "layer1/identity/norm"}


@pytest.mark.parametrize(
    ("skeleton", "pointer"),
    [
        (replace(STAGES, depths=(1, 1)), "/skeleton/depths"),
        (replace(STAGES, depths=(1, 1, 1)), "/skeleton/depths"),
        (replace(STAGES, strides=(1,)), "/skeleton/strides"),
        (replace(STAGES, se=(True,)), "/skeleton/se"),
        (replace(STAGES, widths=(4, 0)), "/skeleton/widths/1"),
        (replace(STAGES, activations=("relu",) * 3), "/skeleton/activations"),
    ],
)
def test_lists_of_a_skeleton_fit_the_layers(skeleton: MobileSkeleton, pointer: str) -> None:
    assert refused(fbnet(3), skeleton) == pointer


def test_units_and_blocks_fit_the_stages() -> None:
    assert refused(mobilenet_ofa(num_units=3), STAGES) == "/skeleton/widths"
    assert refused(mnasnet(3), STAGES) == "/skeleton/widths"
    assert refused(mnasnet(2, layers=(-1, 0)), STAGES) == "/block0/layers"
    assert refused(mnasnet(2, ("mb0.5",), layers=(0,)), STAGES) == "/block0/conv"
    assert refused(mobilenet_ofa(num_units=2, kernels=(4,)), STAGES) == "/unit0/blocks/0"
    assert refused(mobilenet_ofa(num_units=2, depths=(0, 1)), STAGES) == "unit1/exit"
    assert refused(layers_of("mb3_k3", "conv_9x9", "skip"), STAGES) == "/layers/layer1"


def test_lengths_that_end_in_unlike_shapes() -> None:
    body = one_of("skip", "mb3_k3")
    lower(Grammar({"net": record("mobile", layers=Repeat(body, (2, 3)))}, "net"), STAGES, SMALL)
    assert refused(Grammar({"net": record("mobile", layers=Repeat(body, (1, 3)))}, "net"), STAGES) == "exit"
