"""Transformers, widths and recurrent cells: what they are made of, and what is refused and where."""

from typing import Any

import pytest

from app.architecture import LoweringError, certain, cost, lower, price
from app.space import Grammar, ImageInput, Repeat, Skeleton, Term, one_of, record
from app.space.skeleton import RecurrentSkeleton, TransformerSkeleton, WidthSkeleton
from app.space.zoo import ZOO, autoformer_t, darts_rnn, nats_size, transformer

IMAGE = ImageInput(channels=1, height=8, width=8)
VIT = TransformerSkeleton(patch=4, embed=8, heads=2, head_dim=4, num_classes=3)
WIDE = WidthSkeleton(num_classes=3)
RNN = RecurrentSkeleton(hidden=4, num_classes=3)


def encoder(embed: Term | None = None, **fields: Term) -> Grammar:
    layers = Repeat(record("layer", **fields), (1, 2))
    return Grammar({"net": record("transformer", **({"embed": embed} if embed else {}), layers=layers)}, "net")


def cell(**fields: Term) -> Grammar:
    return Grammar({"net": record("recurrent", **fields)}, "net")


def step(source: Term, activation: Term) -> Term:
    return record("step", input=source, activation=activation)


def widths(*stages: Term) -> Grammar:
    return Grammar({"net": record("widths", **{f"stage{i}": stage for i, stage in enumerate(stages)})}, "net")


@pytest.mark.parametrize(
    ("grammar", "skeleton", "pointer", "value"),
    [
        (encoder(attention=one_of("softmax", "windowed")), VIT, "/layers/0/attention", "windowed"),
        (encoder(ffn=one_of("gelu", "relu")), VIT, "/layers/0/ffn", "relu"),
        (encoder(norm=one_of("pre", "sandwich")), VIT, "/layers/0/norm", "sandwich"),
        (encoder(heads=one_of(2, 2.5)), VIT, "/layers/0/heads", 2.5),
        (encoder(heads=one_of(2, 0)), VIT, "/layers/0/heads", 0),
        (encoder(mlp_ratio=one_of(True, 2)), VIT, "/layers/0/mlp_ratio", True),
        (encoder(mlp_ratio=one_of(2, 1e300)), VIT, "/layers/0/mlp_ratio", 1e300),
        (encoder(mlp_ratio=one_of("two", 2)), VIT, "/layers/0/mlp_ratio", "two"),
        (encoder(embed=one_of(8, -8)), VIT, "/embed", -8),
        (encoder(embed=one_of(8, 12)), TransformerSkeleton(patch=4, divisor=8), "/skeleton/divisor", 8),
        (encoder(), TransformerSkeleton(patch=16), "stem/patch", [8, 8]),
        (encoder(), TransformerSkeleton(patch=4, num_classes=0), "/skeleton/num_classes", 0),
        (Grammar({"net": record("transformer")}, "net"), VIT, "", []),
        (widths(one_of(8), one_of(8)), WIDE, "", 2),
        (widths(), WIDE, "", 0),
        (widths(one_of(8, 0)), WIDE, "/stage0", 0),
        (widths(one_of(8, 10**12)), WIDE, "/stage0", 10**12),
        (widths(one_of(8, "9")), WIDE, "/stage0", "9"),
        (cell(), RNN, "", None),
        (cell(node1=step(one_of(0, 1), one_of("tanh"))), RNN, "/node1/input", 1),
        (cell(node1=step(one_of(True, 0), one_of("tanh"))), RNN, "/node1/input", True),
        (cell(node1=step(one_of(0), one_of("tanh", "softsign"))), RNN, "/node1/activation", "softsign"),
        (cell(node1=step(one_of(0), one_of("tanh"))), RecurrentSkeleton(hidden=0), "/skeleton/hidden", 0),
        (encoder(), WIDE, "/skeleton/family", "widths"),
    ],
)
def test_refusals(grammar: Grammar, skeleton: Skeleton, pointer: str, value: object) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(grammar, skeleton, IMAGE)
    assert (caught.value.pointer, caught.value.value) == (pointer, value)


@pytest.mark.parametrize(
    "name", ["autoformer_t", "autoformer_s", "autoformer_b", "transformer", "nats_size", "darts_rnn"]
)
def test_the_open_network_prices_every_member(name: str) -> None:
    """Every skeleton of the zoo lowers, the small one on grey digits."""
    space = ZOO[name]
    for title, skeleton in space.skeletons.items():
        image = IMAGE if title == "small" else space.input
        graph = lower(space.grammar, skeleton, image)
        for index in (0, space.plan.size // 3, space.plan.size - 1):
            decided = space.plan.read(space.plan.unrank(index))
            found = cost(lower(space.grammar, skeleton, image, decided))
            assert price(graph, certain(decided)) == (found.params, found.macs)


def test_more_is_wider_heavier_and_deeper() -> None:
    def params(**changed: Any) -> int:
        layers = [{"heads": 3, "mlp_ratio": 3.5}] * 12
        genotype = {"embed": 192, "layers": layers} | changed
        space = autoformer_t()
        return cost(lower(space.grammar, space.skeletons["imagenet"], space.input, space.plan.read(genotype))).params

    least = params()
    assert params(embed=216) > least
    assert params(layers=[{"heads": 4, "mlp_ratio": 3.5}, *[{"heads": 3, "mlp_ratio": 3.5}] * 11]) - least == (
        4 * 64 * 192 + 3 * 64
    )
    one = params(layers=[{"heads": 3, "mlp_ratio": 3.5}] * 13) - least
    assert one == 4 * 192 * 192 + 4 * 192 + 2 * 192 * 672 + 672 + 192 + 4 * 192 + 4 * 30 * 64


def test_the_width_of_a_token_is_divided() -> None:
    space = autoformer_t()
    genotype = space.plan.unrank(0)
    graph = lower(space.grammar, space.skeletons["small"], IMAGE, space.plan.read(genotype))
    assert len(graph.nodes["stem/patch"].axis) == 192 // 12


def test_what_the_skeleton_decides_is_not_open() -> None:
    space = transformer((), (2,), ("softmax", "linear"), (), (), (), ())
    graph = lower(space.grammar, VIT, IMAGE)
    assert list(graph.open) == ["/layers/0/attention", "/layers/1/attention"]
    heads = [node.axis.extent for node in graph.nodes.values() if node.op == "attention"]
    assert heads == [8] * 4


def test_a_skip_between_equal_widths_has_no_weights() -> None:
    """NATS-Bench: an identity where a cell keeps its width, a 1x1 convolution and its norm where it does not."""
    space = nats_size()

    def skips(*stages: int) -> list[str]:
        decided = space.plan.read({f"stage{i}": width for i, width in enumerate(stages)})
        graph = lower(space.grammar, space.skeletons["cifar"], space.input, decided)
        return [name for name, node in graph.nodes.items() if "/skip/" in name and node.op == "conv"]

    assert skips(8, 16, 16, 64, 64) == []
    assert skips(8, 16, 24, 64, 32) == ["stage2/skip/conv", "stage4/skip/conv"]


def test_the_weights_of_a_recurrent_cell_are_counted_once_and_run_at_every_row() -> None:
    space = darts_rnn(2)
    decided = space.plan.read(space.plan.unrank(0))
    few, many = (cost(lower(space.grammar, RNN, ImageInput(channels=1, height=h, width=5), decided)) for h in (2, 7))
    assert few.params == many.params
    cell_macs = 2 * 4 * (5 + 4) + 2 * 2 * 4 * 4
    assert (few.macs, many.macs) == (2 * cell_macs + 12, 7 * cell_macs + 12)
    assert few.depth < many.depth
