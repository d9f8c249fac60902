"""Costs as published: every figure names its paper or repository."""

from collections.abc import Sequence
from random import Random

import pytest

from app.architecture import Cost, certain, cost, lower, tariff
from app.space import CellSkeleton, EdgeCellSkeleton, Genotype, ImageInput
from app.space.zoo import ZOO, darts

S3, S5, SKIP, D3 = "sep_conv_3x3", "sep_conv_5x5", "skip_connect", "dil_conv_3x3"
MAX, AVG = "max_pool_3x3", "avg_pool_3x3"
Pairs = Sequence[tuple[str, int]]


def genotype(normal: Pairs, reduce: Pairs) -> Genotype:
    """Two edges a node, as DARTS lists them."""

    def cell(pairs: Pairs) -> dict[str, Genotype]:
        return {
            f"node{2 + i}": [{"input": j, "op": op} for op, j in sorted(pairs[2 * i : 2 * i + 2], key=lambda p: p[1])]
            for i in range(4)
        }

    return {"normal": cell(normal), "reduce": cell(reduce)}


# quark0/darts `cnn/genotypes.py`; Liu et al. (2019)
DARTS_V1 = genotype(
    [(S3, 1), (S3, 0), (SKIP, 0), (S3, 1), (SKIP, 0), (S3, 1), (S3, 0), (SKIP, 2)],
    [(MAX, 0), (MAX, 1), (SKIP, 2), (MAX, 0), (MAX, 0), (SKIP, 2), (SKIP, 2), (AVG, 0)],
)
DARTS_V2 = genotype(
    [(S3, 0), (S3, 1), (S3, 0), (S3, 1), (S3, 1), (SKIP, 0), (SKIP, 0), (D3, 2)],
    [(MAX, 0), (MAX, 1), (SKIP, 2), (MAX, 1), (MAX, 0), (SKIP, 2), (SKIP, 2), (MAX, 1)],
)
# yuhuixu1993/PC-DARTS `genotypes.py`; Xu et al. (2020)
PC_DARTS = genotype(
    [(S3, 1), (SKIP, 0), (S3, 0), (D3, 1), (S5, 0), (S3, 1), (AVG, 0), (D3, 1)],
    [(S5, 1), (MAX, 0), (S5, 1), (S5, 2), (S3, 0), (S3, 3), (S3, 1), (S3, 2)],
)
IMAGENET = ImageInput(height=224, width=224)


def measured(member: Genotype, skeleton: CellSkeleton, image: ImageInput | None = None) -> Cost:
    space = darts()
    return cost(lower(space.grammar, skeleton, image or ImageInput(), space.plan.read(member)))


@pytest.mark.parametrize(
    ("member", "params", "with_auxiliary", "macs"),
    [
        (DARTS_V1, 3_169_414, 3_645_840, 500_987_520),
        (DARTS_V2, 3_349_342, 3_825_768, 528_359_040),
        (PC_DARTS, 3_634_678, 4_111_104, 556_670_592),
    ],
    ids=["DARTS_V1", "DARTS_V2", "PC-DARTS"],
)
def test_darts_on_cifar(member: Genotype, params: int, with_auxiliary: int, macs: int) -> None:
    """36 channels, 20 cells, as trained in the papers."""
    plain = measured(member, CellSkeleton())
    assert (plain.params, plain.macs) == (params, macs)
    auxiliary = measured(member, CellSkeleton(auxiliary=True))
    assert auxiliary.params == with_auxiliary
    # 1x1 to 128 and 2x2 to 768 on 2x2 maps, and the second classifier
    assert auxiliary.macs == macs + 576 * 128 * 2 * 2 + 128 * 768 * 2 * 2 + 768 * 10


def test_darts_v2_on_imagenet() -> None:
    """48 channels, 14 cells at 224 pixels: 4.7 M parameters in the paper."""
    skeleton = CellSkeleton(channels=48, num_cells=14, stem="imagenet", num_classes=1000)
    plain = measured(DARTS_V2, skeleton, IMAGENET)
    assert (plain.params, plain.macs) == (4_718_752, 529_911_552)
    with_auxiliary = CellSkeleton(channels=48, num_cells=14, stem="imagenet", num_classes=1000, auxiliary=True)
    assert measured(DARTS_V2, with_auxiliary, IMAGENET).params == 5_979_528


def nasbench201(operations: Sequence[str]) -> Cost:
    space = ZOO["nasbench201"]
    edges = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    member = dict(zip(edges, operations, strict=True))
    return cost(lower(space.grammar, EdgeCellSkeleton(), ImageInput(), space.plan.read(member)))


def test_nasbench201() -> None:
    """Dong and Yang (2020): 16 channels, 5 cells a stage, on CIFAR-10; a cell that is all `none` is still built."""
    nothing, everything = nasbench201(["none"] * 6), nasbench201(["nor_conv_3x3"] * 6)
    assert (nothing.params, nothing.macs) == (73_306, 7_783_040)
    assert (everything.params, everything.macs) == (73_306 + 6 * 243_040, 220_119_680)
    best = ["nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_1x1"]
    assert nasbench201(best).params == 73_306 + 4 * 243_040 + 28_000 == 1_073_466


def test_one_lowering_prices_every_genotype() -> None:
    """The tariff of the open space at 36 channels and 20 cells gives the published figures."""
    space = darts()
    prices = tariff(lower(space.grammar, CellSkeleton(), ImageInput()))
    for member, params, macs in (
        (DARTS_V1, 3_169_414, 500_987_520),
        (DARTS_V2, 3_349_342, 528_359_040),
        (PC_DARTS, 3_634_678, 556_670_592),
    ):
        assert prices.price(certain(space.plan.read(member))) == (params, macs)


def test_activations_and_depth_by_hand() -> None:
    """A chain of one convolution, so small that its figures can be said."""
    space = ZOO["chain"]
    skeleton = space.skeletons["small"]
    member = {"layers": ["conv_3x3", "skip_connect", "sep_conv_3x3", "max_pool_3x3"]}
    total = cost(lower(space.grammar, skeleton, ImageInput(channels=1, height=8, width=8), space.plan.read(member)))
    stem, conv = 8 * 64, 8 * 64
    separable = 8 * 16 + 8 * 16 + 8 * 16 + 16 * 16  # at stride 2, to 16 channels
    assert total.activations == stem + conv + separable + 10
    assert total.depth == 1 + 1 + 4 + 1
    assert total.macs == sum(node.macs for node in total.by_node)
    assert total.params == sum(node.params for node in total.by_node)
    assert total.by_node[0].name == "stem/conv"
    assert {node.op for node in total.by_node} == {"conv", "batch_norm", "linear"}


def test_the_longest_way_counts() -> None:
    """A cell of skips is as deep as what surrounds it; a separable convolution adds four."""
    skips = nasbench201(["skip_connect"] * 6)
    assert skips.depth == 1 + 2 * 2 + 1
    assert nasbench201(["nor_conv_3x3"] * 6).depth == skips.depth + 15 * 3


def test_an_open_graph_has_a_tariff_and_no_cost() -> None:
    space = ZOO["nasbench201"]
    graph = lower(space.grammar, EdgeCellSkeleton(channels=2, num_cells=1), ImageInput())
    with pytest.raises(ValueError, match="/0->1"):
        cost(graph)


def test_the_mean_price_of_all_genotypes_is_the_price_at_uniform_weights() -> None:
    """Exactly: cost is additive over the edges of NAS-Bench-201, and its decisions are independent."""
    space = ZOO["nasbench201"]
    prices = tariff(lower(space.grammar, EdgeCellSkeleton(channels=2, num_cells=1), ImageInput(height=8, width=8)))
    rng = Random(0)
    sampled = [prices.price(certain(space.plan.read(g))) for g in space.plan.sample(rng, 3000)]
    params, macs = prices.price(lambda path, symbols: len(symbols) / 5)
    assert params == pytest.approx(sum(p for p, _ in sampled) / len(sampled), rel=0.03)
    assert macs == pytest.approx(sum(m for _, m in sampled) / len(sampled), rel=0.03)
