"""Every operation states its costs twice, as text and as code; the graph counts them a third time."""

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from app.architecture import OPERATIONS, TRUE, Layers, LoweringError, Operation, cost, count, lower_operation, macs
from app.architecture.cursor import Cursor
from app.architecture.lower import fpn, free
from app.architecture.lower.attention import ATTENTIONS, NETWORKS
from app.architecture.lower.fpn import MERGES
from app.architecture.lower.operation import BUILDERS
from app.architecture.lower.pyramid import resample
from app.architecture.vocabulary import (
    BETWEEN_LEVELS,
    BLOCKS,
    CATALOGUE,
    DOMAINS,
    LETTERS,
    Place,
    is_operation,
    operation_of,
    spelt,
)
from app.architecture.vocabulary.blocks import ATTENTION_KINDS, FEED_FORWARD_KINDS
from app.architecture.vocabulary.formula import evaluate, letters_in
from app.space import Grammar, Value, record

PLACES = [
    Place(channels=c, width=d, size=size, stride=s, affine=affine)
    for (c, d, size), s, affine in product(((6, 6, (8, 8)), (4, 8, (7, 10)), (5, 3, (4, 5))), (1, 2), (True, False))
]
SPELT = (
    *("mb4.5_k9_se", "mb1_k5_relu6", "mb2_k3_se_hswish", "attention_h3_d5", "attention_h3_d5_post", "attention_h12"),
    *("multi_query_attention_h2", "linear_attention_h2_d3_post", "ffn_gelu_r2_post", "ffn_swiglu_r1"),
)


def test_the_vocabulary_is_what_can_be_built() -> None:
    assert set(OPERATIONS) == set(BUILDERS)
    assert all(name == operation.name for name, operation in OPERATIONS.items())


@pytest.mark.parametrize("name", [*OPERATIONS, *SPELT])
def test_formulas_code_and_graph_agree(name: str) -> None:
    operation = operation_of(name)
    assert operation is not None
    stands = 0
    for place in PLACES:
        at = {"channels": place.channels, "width": place.width, "size": place.size, "stride": place.stride}
        if operation.refuses(place) is not None:
            with pytest.raises(LoweringError):
                lower_operation(name, **at)
            continue
        graph = lower_operation(name, **at, affine=place.affine)
        output = graph.nodes[graph.outputs[0]]
        assert operation.shape(place) == (len(output.axis), *output.size) == (place.width, *place.output)
        total = cost(graph)
        assert operation.count(place) == (total.params, total.macs, total.activations)
        assert operation.price(place) == (count(graph), macs(graph)) == (total.params, total.macs)
        stands += 1
    assert stands >= 8


def test_a_name_spells_the_fields_of_a_block() -> None:
    assert spelt("mb4.5_k9_se") == ("mbconv", {"kernel": 9, "expansion": 4.5, "se": True, "activation": "relu"})
    assert spelt("linear_attention_h8_d16_post") == (
        "attention",
        {"kind": "linear", "heads": 8, "head_dim": 16, "norm": "post"},
    )
    for name in (
        "mb4_k8",
        "mb0_k3",
        "ffn_gelu_r17",
        "ffn_relu_r4",
        "attention_h0",
        "attention_h4_d2000",
        "conv_3x3",
        3,
    ):
        assert spelt(name) is None
        assert not isinstance(name, str) or name in OPERATIONS or operation_of(name) is None
        assert is_operation(name) == (name == "conv_3x3")
    assert is_operation("mb4.5_k9_se")
    for name, block in (("attention_h4", "attention"), ("ffn_swiglu_r4", "ffn"), ("mb6_k5_se_hswish", "mbconv")):
        read, place = spelt(name), PLACES[0]
        assert read is not None
        given = replace(place, fields=tuple(read[1].items()))
        assert (read[0], BLOCKS[block].count(given)) == (block, OPERATIONS[name].count(place))


def layers() -> list[dict[str, Any]]:
    """Transformer layers of every word and several numbers."""
    words = product(ATTENTIONS, NETWORKS, ("pre", "post"), ((2, 5, 1.5), (3, 4, 0.01)))
    return [
        {"attention": a, "ffn": f, "norm": n, "heads": heads, "head_dim": d, "mlp_ratio": ratio}
        for a, f, n, (heads, d, ratio) in words
    ]


@pytest.mark.parametrize("fields", layers(), ids=str)
def test_a_layer_of_a_transformer_costs_what_its_formula_says(fields: dict[str, Any]) -> None:
    term = record("layer", **{name: Value(value) for name, value in fields.items()})
    b = Layers(affine=fields["norm"] == "pre")
    x = b.input("x", 6, (4, 5))
    graph = b.finish([free.build(b, "layer", Cursor.root(Grammar({"net": term}, "net"), {}), x)])
    place = Place(channels=6, width=6, size=(4, 5), affine=b.affine, fields=tuple(fields.items()))
    total = cost(graph)
    assert BLOCKS["layer"].count(place) == (total.params, total.macs, total.activations)


def test_formulas_are_arithmetic_and_nothing_else() -> None:
    letters = {"C": 6, "D": 9}
    assert evaluate("2·C² + (D - 1)·M(C) + C/3", letters) == 72 + 8 * 8 + 2
    with pytest.raises(ValueError, match="no whole number"):
        evaluate("D²/2", letters)
    with pytest.raises(ValueError, match="no letter 'X' among C, D"):
        evaluate("C·X", letters)
    with pytest.raises(ValueError, match=r"no formula is written with open\(C\)"):
        evaluate("open(C)", letters)


def test_every_letter_of_a_formula_is_explained() -> None:
    for operation in CATALOGUE.values():
        own = {field.letter for field in operation.fields}
        read = {letter for f in (operation.params, operation.macs, operation.activations) for letter in letters_in(f)}
        assert read <= own | set(LETTERS), operation.name
    assert {"C", "D", "h", "w", "H", "W", "n"} <= set(LETTERS)


@pytest.mark.parametrize("operation", CATALOGUE.values(), ids=list(CATALOGUE))
def test_everything_is_said(operation: Operation) -> None:
    assert operation.title
    assert operation.family
    assert re.search(r"\(\d{4}\)", operation.source)
    assert set(operation.domains) <= set(DOMAINS)
    assert len(set(operation.domains)) == len(operation.domains)
    assert operation.shape_rule.startswith("(C, h, w)")
    names = [field.name for field in operation.fields]
    assert {"channels", "stride"} <= set(names)
    assert len(set(names)) == len(names)
    for field in operation.fields:
        assert field.meaning
        assert field.values or None not in (field.least, field.most)
        assert field.default is None or field.refuses(field.default) is None
        assert not field.fixed or field.values == (field.default,)
    if operation.name in OPERATIONS:
        assert {"channels", "output_channels", "stride"} <= set(names)


def test_a_field_refuses_what_it_does_not_allow() -> None:
    fields = {field.name: field for field in BLOCKS["mbconv"].fields}
    kernel, expansion, gated = fields["kernel"], fields["expansion"], fields["se"]
    assert [kernel.refuses(n) is None for n in (1, 3, 99, 4, 101, 0, 3.0, "3", True)] == [True] * 3 + [False] * 6
    assert [expansion.refuses(n) is None for n in (1, 4.5, 0, 100, "6")] == [True, True, False, False, False]
    assert [gated.refuses(v) is None for v in (True, False, 1, "yes")] == [True, True, False, False]


def test_domains_are_those_of_the_field() -> None:
    used = {d: {o.name for o in CATALOGUE.values() if d in o.domains} for d in DOMAINS}
    for domain, names in {
        "classification": "conv_1x1 conv_3x3 conv_5x5 conv_7x7 sep_conv_3x3 sep_conv_5x5 sep_conv_7x7 dil_conv_3x3 "
        "dil_conv_5x5 conv_7x1_1x7 max_pool_3x3 max_pool_5x5 max_pool_7x7 avg_pool_3x3 avg_pool_5x5 avg_pool_7x7 "
        "identity skip_connect none",
        "mobile": "mbconv mb6_k5 mb3_k3_se_hswish k3_e1_g2 shuffle_k3 shuffle_k5 shuffle_k7 shuffle_xception zero",
        "detection": "deform_conv_3x3 deform_conv_5x5 modulated_conv_3x3 sum global_pool_attention concat upsample "
        "downsample",
        "transformer": "attention ffn layer attention_h4 multi_query_attention_h4 ffn_swiglu_r4 conv_mixer_9x9 "
        "convnext_7x7",
        "segmentation": "atrous_conv_3x3 atrous_conv_5x5 aspp resize_bilinear upsample downsample sep_conv_3x3",
    }.items():
        assert set(names.split()) <= used[domain]
    assert used["classification"] | used["mobile"] < used["detection"]


def test_the_vocabulary_has_the_words_of_lowering() -> None:
    assert (ATTENTION_KINDS, FEED_FORWARD_KINDS) == (ATTENTIONS, NETWORKS)
    assert set(BETWEEN_LEVELS) >= set(MERGES)
    for names in (OPERATIONS, BLOCKS):
        assert not set(names) & set(BETWEEN_LEVELS)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "pool" in name])
def test_a_norm_after_pooling_learns_nothing(name: str) -> None:
    with_norm = lower_operation(name, channels=4, norm_after_pool=True)
    assert [node.op for node in with_norm.nodes.values()][-1] == "batch_norm"
    assert count(with_norm) == 0


@pytest.mark.parametrize("name", MERGES)
def test_merges_cost_what_their_formulas_say(name: str) -> None:
    merge = BETWEEN_LEVELS[name]
    for place in PLACES:
        width = place.width if name == "concat" else place.channels
        b = Layers(affine=place.affine)
        inputs = [(TRUE, b.input(at, place.channels, place.size)) for at in ("a", "b")]
        where = replace(place, width=width, stride=1)
        output = fpn.merged(b, "merge", name, inputs, width)
        total = cost(b.finish([output]))
        assert merge.shape(where) == (len(output.axis), *output.size)
        assert merge.refuses(where) is None
        assert merge.count(where) == (total.params, total.macs, total.activations)
        assert merge.price(where) == (total.params, total.macs)
        assert merge.refuses(replace(where, stride=2)) == ("stride", "one of 1")


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_levels_change_without_costs(stride: int) -> None:
    place = Place(channels=3, width=3, size=(7, 10), stride=stride)
    b = Layers()
    x = b.input("x", 3, (7, 10))
    shrunk, grown = BETWEEN_LEVELS["downsample"].shape(place), BETWEEN_LEVELS["upsample"].shape(place)
    levels = stride.bit_length() - 1
    down = resample(b, "down", x, (3, 3 + levels), shrunk[1:])
    up = resample(b, "up", x, (3 + levels, 3), grown[1:])
    smooth = b.resize("smooth", x, BETWEEN_LEVELS["resize_bilinear"].shape(place)[1:], "bilinear")
    assert [(len(y.axis), *y.size) for y in (down, up, smooth)] == [shrunk, grown, grown]
    graph = b.finish([down, up, smooth])
    assert sum(node.op == "max_pool" for node in graph.nodes.values()) == levels
    total = cost(graph)
    for name in ("upsample", "downsample", "resize_bilinear"):
        assert BETWEEN_LEVELS[name].count(place) == (total.params, total.macs, total.activations) == (0, 0, 0)
    assert BETWEEN_LEVELS["upsample"].refuses(replace(place, width=4)) == ("output_channels", "as many as come in, 3")
