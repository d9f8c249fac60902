"""Formats of widths, transformers and recurrent cells, both ways, and what they refuse and where."""

import json
from random import Random
from typing import Any

import pytest

from app.architecture.formats import FormatError, formats_of, read_format, write_format
from app.space import InvalidGenotype, SearchSpace
from app.space.zoo import autoformer_b, autoformer_s, autoformer_t, darts, darts_rnn, nats_size, transformer
from app.space.zoo.autoformer import autoformer

SPACES = {
    "nats size": (nats_size(), "nats-size"),
    "nats size, seven stages": (nats_size((1, 200), 7), "nats-size"),
    "autoformer t": (autoformer_t(), "autoformer"),
    "autoformer s": (autoformer_s(), "autoformer"),
    "autoformer b": (autoformer_b(), "autoformer"),
    "autoformer, maybe no layer": (autoformer("X", (4, 6), (1.5, 2.0), (1, 3), (0, 1, 2)), "autoformer"),
    "darts' recurrent cell": (darts_rnn(), "darts-rnn"),
    "recurrent, one node": (darts_rnn(1), "darts-rnn"),
}


@pytest.mark.parametrize("name", SPACES)
def test_formats_follow_from_the_grammar(name: str) -> None:
    space, form = SPACES[name]
    assert [f.name for f in formats_of(space)] == ["json", form]


@pytest.mark.parametrize("space", [darts(), transformer()], ids=lambda s: s.name)
def test_other_spaces_are_not_written_so(space: SearchSpace) -> None:
    for form in ("nats-size", "autoformer", "darts-rnn"):
        with pytest.raises(FormatError):
            read_format(space, form, "64:64")


@pytest.mark.parametrize("name", SPACES)
def test_what_is_written_is_read(name: str) -> None:
    space, form = SPACES[name]
    for genotype in space.plan.sample(Random(name), 2_000):
        written = json.loads(json.dumps(write_format(space, form, genotype)))
        assert read_format(space, form, written) == genotype


def test_all_widths_of_nats_bench_in_the_order_of_its_index() -> None:
    """The benchmark's size space stands in lexicographic order: an architecture's index there is its rank here."""
    space = nats_size()
    texts: list[Any] = [write_format(space, "nats-size", space.plan.unrank(i)) for i in range(space.plan.size)]
    assert len(set(texts)) == 32_768
    assert all(space.plan.rank(read_format(space, "nats-size", text)) == i for i, text in enumerate(texts))
    assert (texts[0], texts[12], texts[-1]) == ("8:8:8:8:8", "8:8:8:16:40", "64:64:64:64:64")


def test_autoformer_s_as_its_configuration_file_has_it() -> None:
    heads = [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7]
    ratios = [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4]
    space = autoformer_s()
    found: Any = read_format(
        space, "autoformer", {"MLP_RATIO": ratios, "NUM_HEADS": heads, "DEPTH": 13, "EMBED_DIM": 384}
    )
    assert found["embed"] == 384
    assert [(layer["heads"], layer["mlp_ratio"]) for layer in found["layers"]] == list(zip(heads, ratios, strict=True))
    assert write_format(space, "autoformer", found) == {
        "layer_num": 13,
        "mlp_ratio": ratios,
        "num_heads": heads,
        "embed_dim": [384] * 13,
    }


RNN_V2 = (  # DARTS_V2 of rnn/genotypes.py
    "DARTS_V2 = Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), "
    "('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))"
)


def test_the_cell_that_darts_found() -> None:
    space = darts_rnn()
    found: Any = read_format(space, "darts-rnn", RNN_V2)
    assert found["node6"] == {"input": 5, "activation": "sigmoid"}
    assert f"DARTS_V2 = {write_format(space, 'darts-rnn', found)}" == RNN_V2
    for other in ("concat=[1, 2, 3, 4, 5, 6, 7, 8]", "concat=list(range(1, 9))"):
        assert read_format(space, "darts-rnn", RNN_V2.replace("concat=range(1, 9)", other)) == found
    assert read_format(space, "darts-rnn", RNN_V2.replace(", concat=range(1, 9)", "").replace("'", '"')) == found


AUTO = {"layer_num": 12, "mlp_ratio": [4.0] * 12, "num_heads": [3] * 12, "embed_dim": [192] * 12}


@pytest.mark.parametrize(
    ("space", "form", "value", "pointer"),
    [
        (nats_size(), "nats-size", 7, ""),
        (nats_size(), "nats-size", "64:64:64:64", "/11"),
        (nats_size(), "nats-size", "64:63:64:64:64", "/3"),
        (nats_size(), "nats-size", "64:64:64:64:64:64", "/14"),
        (nats_size(), "nats-size", "8:8:8:8:" + "9" * 50_000, "/8"),
        (autoformer_t(), "autoformer", [], ""),
        (autoformer_t(), "autoformer", AUTO | {"depth": 12}, "/depth"),
        (autoformer_t(), "autoformer", {"layer_num": 12}, ""),
        (autoformer_t(), "autoformer", AUTO | {"layer_num": True}, "/layer_num"),
        (autoformer_t(), "autoformer", AUTO | {"layer_num": 13}, "/num_heads"),
        (autoformer_t(), "autoformer", AUTO | {"mlp_ratio": [4.0]}, "/mlp_ratio"),
        (autoformer_t(), "autoformer", AUTO | {"embed_dim": [192] * 11 + [216]}, "/embed_dim/11"),
        (darts_rnn(), "darts-rnn", "Genotype(normal=[])", "/0"),
        (darts_rnn(), "darts-rnn", "Genotype(recurrent=[('tanh', 1)])", "/29"),
        (darts_rnn(), "darts-rnn", "Genotype(recurrent=[('gelu', 0)])", "/22"),
        (darts_rnn(), "darts-rnn", "Genotype(recurrent=[('tanh', 0)])", "/31"),
        (darts_rnn(), "darts-rnn", RNN_V2.replace("range(1, 9)", "range(1, 8)"), "/153"),
        (darts_rnn(), "darts-rnn", RNN_V2 + "; import os", "/164"),
    ],
)
def test_refusals_point_at_the_place(space: SearchSpace, form: str, value: object, pointer: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(space, form, value)
    assert caught.value.pointer == pointer
    assert len(caught.value.message) < 400


def test_the_released_tiny_network_is_no_member_of_its_own_space() -> None:
    """AutoFormer-T, as released: three layers have an MLP ratio of 3.0, which its space does not offer."""
    ratios = [3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5]
    released = {"DEPTH": 13, "EMBED_DIM": 192, "NUM_HEADS": [3] * 10 + [4, 3, 3], "MLP_RATIO": ratios}
    with pytest.raises(InvalidGenotype) as caught:
        read_format(autoformer_t(), "autoformer", released)
    assert [fault.pointer for fault in caught.value.faults] == [f"/layers/{i}/mlp_ratio" for i in (2, 4, 5)]
    assert read_format(autoformer("T", (192,), (3.0, 3.5, 4.0), (3, 4), (13,)), "autoformer", released)
