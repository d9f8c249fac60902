"""Sizes and costs of transformers, widths and recurrent cells, each beside its source; changed grammars, recounted."""

from dataclasses import replace
from itertools import product
from math import factorial
from typing import Any

import pytest

from app.architecture import Cost, cost, lower
from app.architecture.formats import read_format
from app.space import Genotype, ImageInput, SearchSpace
from app.space.skeleton import TransformerSkeleton
from app.space.zoo import autoformer_b, autoformer_s, autoformer_t, darts_rnn, nats_size, transformer


@pytest.mark.parametrize(
    ("space", "per_layer", "depths", "size"),
    [
        (autoformer_t(), 4, (12, 13, 14), 1_056_964_608),
        (autoformer_s(), 9, (12, 13, 14), 77_103_263_459_313),
        (autoformer_b(), 9, (14, 15, 16), 6_245_364_340_204_353),
    ],
    ids=lambda value: value.name if isinstance(value, SearchSpace) else "",
)
def test_autoformer(space: SearchSpace, per_layer: int, depths: tuple[int, ...], size: int) -> None:
    """Chen et al., "AutoFormer", ICCV 2021, table 1: three embeddings, heads and ratios a layer, three depths."""
    assert space.plan.size == 3 * sum(per_layer**depth for depth in depths) == size


def test_what_the_paper_of_autoformer_counts() -> None:
    """1.7e16, perhaps, as three depths of 16 layers each; shallower networks have fewer layers."""
    assert pytest.approx(1.7e16, rel=0.02) == 3 * 3 * 9**16
    assert autoformer_b().plan.size < 3 * 3 * 9**16


def test_transformer() -> None:
    """A layer of the default space has 3 attentions x 3 head counts x 2 networks x 2 ratios x 2 norm places."""
    assert transformer().plan.size == 3 * sum(72**depth for depth in (4, 6, 8, 10, 12))
    assert transformer((), (2,), ("softmax",), (1, 2), (), (), ()).plan.size == 2**2
    assert transformer(norms=(), depths=(1,)).plan.size == 3 * 36


def test_nats_size() -> None:
    """Dong et al., "NATS-Bench", TPAMI 2021: 32,768 candidates."""
    assert nats_size().plan.size == 8**5 == 32_768
    assert nats_size((8, 16), 7).plan.size == 2**7


def test_darts_rnn() -> None:
    """Liu et al., "DARTS", ICLR 2019, section 3.2: 8! inputs and 4^8 activations."""
    assert darts_rnn().plan.size == factorial(8) * 4**8 == 2_642_411_520
    assert darts_rnn(3, ("tanh", "relu")).plan.size == factorial(3) * 2**3


# -- costs -------------------------------------------------------------------------------------------------------------


def cost_of(space: SearchSpace, skeleton: str, genotype: Genotype) -> Cost:
    return cost(lower(space.grammar, space.skeletons[skeleton], space.input, space.plan.read(genotype)))


AUTOFORMERS = {  # microsoft/Cream, AutoFormer/experiments/subnet
    "autoformer_s": (
        autoformer_s(),
        384,
        (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7),
        (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
        22_891_432,
    ),
    "autoformer_b": (
        autoformer_b(),
        576,
        (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
        (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
        53_691_688,
    ),
}


@pytest.mark.parametrize("name", AUTOFORMERS)
def test_the_parameters_of_the_published_autoformers(name: str) -> None:
    """22.9M and 53.7M in the repository's table, with the tables of relative positions."""
    space, embed, heads, ratios, params = AUTOFORMERS[name]
    layers: Any = [{"heads": h, "mlp_ratio": r} for h, r in zip(heads, ratios, strict=True)]
    found = cost_of(space, "imagenet", {"embed": embed, "layers": layers})
    assert found.params == params
    # 196 patches and the class token through four maps of attention and two of the feed-forward network
    maps = sum(4 * embed * 64 * h + 2 * embed * int(embed * r) for h, r in zip(heads, ratios, strict=True))
    assert found.macs == 197 * maps + 196 * 16 * 16 * 3 * embed + embed * 1000


def layers_of(**fields: Any) -> list[Any]:
    return [{"attention": "softmax", "heads": 12, "ffn": "gelu", "mlp_ratio": 4.0} | fields] * 12


BERT = TransformerSkeleton(
    stem="tokens", class_token=False, stem_norm=True, final_norm=False, pooler=True, classifier=False
)


def test_bert_base() -> None:
    """Devlin et al., "BERT", 2019: 109,482,240 with the pooler, without the head of its pre-training."""
    space = replace(transformer(), skeletons={"bert": BERT}, input=ImageInput(channels=1, height=1, width=128))
    found = cost_of(space, "bert", {"embed": 768, "layers": layers_of(norm="post")})
    assert found.params == 109_482_240
    assert found.macs == 12 * 128 * (4 * 768**2 + 8 * 768**2) + 768**2


def test_vit_base() -> None:
    """Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021: 86M, 86,567,656 as it is exchanged."""
    assert cost_of(transformer(), "imagenet", {"embed": 768, "layers": layers_of(norm="pre")}).params == 86_567_656


def test_a_transformer_of_every_kind_by_its_formulas() -> None:
    """One layer of each kind: heads of 64, softmax 4 maps, multi-query 2 and two of one head, SwiGLU three maps."""
    for attention, ffn, heads, ratio in product(
        ("softmax", "multi_query", "linear"), ("gelu", "swiglu"), (3, 6), (2.0, 4.0)
    ):
        layer = {"attention": attention, "heads": heads, "ffn": ffn, "mlp_ratio": ratio, "norm": "pre"}
        f, a, inner = 192, 64 * heads, int(192 * ratio)
        shared = 64 if attention == "multi_query" else a
        maps = f * a + 2 * f * shared + a * f + (3 if ffn == "swiglu" else 2) * f * inner
        biases = a + 2 * shared + f + (2 if ffn == "swiglu" else 1) * inner + f
        found = cost_of(transformer(depths=(1,)), "imagenet", {"embed": f, "layers": [layer]})
        rest = 16 * 16 * 3 * f + f + f + 197 * f + 2 * f + f * 1000 + 1000  # patches, class, positions, norm, head
        assert found.params == maps + biases + 2 * 2 * f + rest
        assert found.macs == 197 * maps + 196 * 768 * f + f * 1000


@pytest.mark.parametrize(
    ("widths", "params", "macs"),
    [
        ("8:8:8:8:8", 11_714, None),
        ("8:8:8:16:40", 67_378, 7_991_706),
        ("8:8:16:40:40", 107_826, None),
        ("64:64:64:64:64", 713_674, None),
    ],
)
def test_the_parameters_of_nats_bench(widths: str, params: int, macs: int | None) -> None:
    """As its tables have them; its MACs, here those of architecture 12, also add the classifier's 10 biases."""
    found = cost_of(nats_size(), "cifar", read_format(nats_size(), "nats-size", widths))
    assert found.params == params
    assert macs is None or found.macs + 10 == macs


def test_darts_recurrent_cell() -> None:
    """Liu et al., "DARTS", table 4: 23M for Penn Treebank, 850 features. The decoder shares the embedding's table."""
    space = darts_rnn()
    for i in (0, 10**9):
        found = cost_of(space, "ptb", space.plan.unrank(i))
        cell = 2 * 850 * (850 + 850) + 8 * 2 * 850 * 850
        assert found.params == cell + 10_000 * (850 + 1) == 22_960_000
        assert found.macs == 35 * cell + 850 * 10_000
