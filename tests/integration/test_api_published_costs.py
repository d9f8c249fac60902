"""The costs of published networks over HTTP: figures of their papers' code, of tables, and of independent programs."""

import csv
import gzip
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient

Json = Any

# quark0/darts `cnn/genotypes.py`, yuhuixu1993/PC-DARTS `genotypes.py`
DARTS_V1 = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"
)
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
PC_DARTS = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1), "
    "('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], normal_concat=range(2, 6), "
    "reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=range(2, 6))"
)


def priced(api: TestClient, space: str, genotype: Json, **question: Json) -> tuple[int, int]:
    """(params, MACs), the same with and without a list of nodes, which add up to them."""
    body = {"genotype": genotype} | question
    answer = api.post(f"/v1/spaces/{space}/cost", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    short = api.post(f"/v1/spaces/{space}/cost", json=body | {"by_node": False}).json()
    assert short == found | {"by_node": [], "receptive_field": None}
    for name in ("params", "macs", "activations"):
        assert sum(node[name] for node in found["by_node"]) == found[name]
    return found["params"], found["macs"]


@pytest.mark.parametrize(
    ("genotype", "params", "with_auxiliary", "macs"),
    [
        (DARTS_V1, 3_169_414, 3_645_840, 500_987_520),
        (DARTS_V2, 3_349_342, 3_825_768, 528_359_040),
        (PC_DARTS, 3_634_678, 4_111_104, 556_670_592),
    ],
    ids=["DARTS_V1", "DARTS_V2", "PC-DARTS"],
)
def test_darts_on_cifar(api: TestClient, genotype: str, params: int, with_auxiliary: int, macs: int) -> None:
    assert priced(api, "darts", genotype, format="darts", skeleton="cifar") == (params, macs)
    auxiliary = {"family": "cells", "channels": 36, "num_cells": 20, "auxiliary": True}
    assert priced(api, "darts", genotype, format="darts", skeleton=auxiliary)[0] == with_auxiliary


def test_darts_v2_on_imagenet(api: TestClient) -> None:
    question: Json = {"format": "darts", "input": {"height": 224, "width": 224}}
    assert priced(api, "darts", DARTS_V2, skeleton="imagenet", **question) == (4_718_752, 529_911_552)
    skeleton = {"family": "cells", "channels": 48, "num_cells": 14, "stem": "imagenet", "num_classes": 1000}
    auxiliary = skeleton | {"auxiliary": True}
    assert priced(api, "darts", DARTS_V2, skeleton=auxiliary, **question)[0] == 5_979_528


def nasbench201(operations: list[str]) -> str:
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def test_nasbench201(api: TestClient) -> None:
    """73,306 and a share of every convolution; MACs as its tables have them, but for the ten biases of a classifier."""
    question: Json = {"format": "nasbench201", "skeleton": "cifar"}
    nothing, everything = (nasbench201([op] * 6) for op in ("none", "nor_conv_3x3"))
    assert priced(api, "nasbench201", nothing, **question) == (73_306, 7_783_040)
    assert priced(api, "nasbench201", everything, **question) == (73_306 + 6 * 243_040, 220_119_680)
    best = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    assert priced(api, "nasbench201", best, **question)[0] == 1_073_466


def test_many_cells_of_nasbench201(api: TestClient) -> None:
    rng = Random(0)
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    drawn = [[rng.choice(names) for _ in range(6)] for _ in range(200)]
    for start in range(0, len(drawn), 50):
        cells = drawn[start : start + 50]
        items = [
            {"genotype": nasbench201(cell), "format": "nasbench201", "skeleton": "cifar", "by_node": False}
            for cell in cells
        ]
        answer = api.post("/v1/spaces/nasbench201/cost/batch", json={"items": items}).json()
        for cell, item in zip(cells, answer["items"], strict=True):
            assert item["status"] == 200
            large, small = cell.count("nor_conv_3x3"), cell.count("nor_conv_1x1")
            assert item["answer"]["params"] == 73_306 + 243_040 * large + 28_000 * small
            # a 1x1 has a ninth of the multiply-adds of a 3x3, whose share is a sixth of what six of them add
            assert item["answer"]["macs"] == 7_783_040 + (220_119_680 - 7_783_040) // 6 * (9 * large + small) // 9


def test_nasbench101(api: TestClient) -> None:
    """The cell of the notebook that came with it."""
    rows = "0111100 0000001 0000001 0000001 0000010 0000001 0000000"
    cell = {
        "matrix": [[int(bit) for bit in row] for row in rows.split()],
        "ops": [
            "input",
            "conv3x3-bn-relu",
            "conv1x1-bn-relu",
            "maxpool3x3",
            "conv3x3-bn-relu",
            "conv3x3-bn-relu",
            "output",
        ],
    }
    assert priced(api, "nasbench101", cell, format="nasbench101", skeleton="cifar")[0] == 2_694_282


def macro_batch(api: TestClient, words: list[str]) -> list[tuple[int, int]]:
    items = [{"genotype": word, "format": "nasbench-macro", "skeleton": "cifar", "by_node": False} for word in words]
    answer = api.post("/v1/spaces/nasbench_macro/cost/batch", json={"items": items}).json()
    return [(item["answer"]["params"], item["answer"]["macs"]) for item in answer["items"]]


def test_nasbench_macro(api: TestClient) -> None:
    """The cheapest and the best of its table, then a sample of its rows."""
    assert macro_batch(api, ["00000000", "22212220"]) == [(387_882, 7_713_280), (1_985_514, 85_164_544)]
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if folder is None:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    with gzip.open(Path(folder) / "nasbench_macro_cifar10.csv.gz", "rt") as file:
        rows = Random(0).sample(list(csv.DictReader(file)), 200)
    for start in range(0, 200, 50):
        some = rows[start : start + 50]
        published = [(int(row["params"]), int(row["macs"])) for row in some]
        assert macro_batch(api, [row["arch"] for row in some]) == published


def test_proxylessnas_mobile(api: TestClient) -> None:
    kernels, expansions = "53--73557555555577777", "33--33336333633366336"
    words = ["zero" if k == "-" else f"mb{e}_k{k}" for k, e in zip(kernels, expansions, strict=True)]
    layers = {f"layer{i}": word for i, word in enumerate(words)}
    assert priced(api, "proxylessnas", {"layers": layers}, skeleton="imagenet") == (4_080_512, 320_427_584)


def test_mobilenet_v2(api: TestClient) -> None:
    """A member of ProxylessNAS' space: layers beyond the second of its first stage, and so on, are zero."""
    depths = (2, 3, 4, 3, 3, 1)
    words = ["mb6_k3" if i < depth else "zero" for depth in depths for i in range(1 if depth == 1 else 4)]
    skeleton = {"family": "mobile", "widths": [24, 32, 64, 96, 160, 320]}
    layers = {f"layer{i}": word for i, word in enumerate(words)}
    assert priced(api, "proxylessnas", {"layers": layers}, skeleton=skeleton) == (3_504_872, 300_774_272)


V3_LAYERS = (
    *("mb4_k3", "mb3_k3"),
    *("mb3_k5", "mb3_k5", "mb3_k5"),
    *("mb6_k3", "mb2.5_k3", "mb2.3_k3", "mb2.3_k3"),
    *("mb6_k3", "mb6_k3"),
    *("mb6_k5", "mb6_k5", "mb6_k5"),
)
V3 = {
    "family": "mobile",
    "stem": 16,
    "first": 16,
    "depths": [2, 3, 4, 2, 3],
    "widths": [24, 40, 80, 112, 160],
    "strides": [2, 2, 2, 1, 2],
    "se": [False, True, False, True, True],
    "activations": ["relu", "relu", "hswish", "hswish", "hswish"],
    "activation": "hswish",
    "head": 960,
    "features": 1280,
}


def test_mobilenet_v3_large(api: TestClient) -> None:
    """A space of one member: its expansions are off the grid of any space of mobile networks."""
    layers = {"record": "positions", "fields": {f"layer{i}": {"choice": [name]} for i, name in enumerate(V3_LAYERS)}}
    document = {
        "name": "mobilenet-v3",
        "grammar": {"start": "v3", "rules": {"v3": {"record": "mobile", "fields": {"layers": layers}}}},
        "skeletons": {"imagenet": V3},
        "input": {"channels": 3, "height": 224, "width": 224},
    }
    assert api.post("/v1/spaces", json=document).status_code == 201
    genotype = {"layers": {f"layer{i}": name for i, name in enumerate(V3_LAYERS)}}
    assert priced(api, "mobilenet-v3", genotype) == (5_481_752, 216_589_760)
    biased = V3 | {"features_bias": True}
    assert priced(api, "mobilenet-v3", genotype, skeleton=biased) == (5_483_032, 216_589_760)


@pytest.mark.parametrize(
    ("kernel", "expansion", "depth", "params", "macs"),
    [(3, 3, 2, 3_410_792, 121_278_672), (7, 6, 4, 7_664_760, 566_170_656)],
    ids=["least", "largest"],
)
def test_once_for_all(api: TestClient, kernel: int, expansion: int, depth: int, params: int, macs: int) -> None:
    genotype = {"ks": [kernel] * 20, "e": [expansion] * 20, "d": [depth] * 5}
    found = priced(api, "mobilenet_ofa", genotype, format="ofa", skeleton="imagenet")
    assert found == (params, macs)


# microsoft/Cream, AutoFormer/experiments/subnet
AUTOFORMERS = {
    "autoformer_s": (
        384,
        (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7),
        (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
        22_891_432,
    ),
    "autoformer_b": (
        576,
        (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
        (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
        53_691_688,
    ),
}


@pytest.mark.parametrize("name", AUTOFORMERS)
def test_autoformer(api: TestClient, name: str) -> None:
    embed, heads, ratios, params = AUTOFORMERS[name]
    layers = [{"heads": h, "mlp_ratio": r} for h, r in zip(heads, ratios, strict=True)]
    found, _ = priced(api, name, {"embed": embed, "layers": layers}, skeleton="imagenet")
    assert found == params


def test_bert_base(api: TestClient) -> None:
    """With its pooler, without the head of its pre-training; a text is an image of one row."""
    skeleton = {
        "family": "transformer",
        "stem": "tokens",
        "class_token": False,
        "stem_norm": True,
        "final_norm": False,
        "pooler": True,
        "classifier": False,
    }
    layer = {"attention": "softmax", "heads": 12, "ffn": "gelu", "mlp_ratio": 4.0, "norm": "post"}
    question: Json = {"skeleton": skeleton, "input": {"channels": 1, "height": 1, "width": 128}}
    found, _ = priced(api, "transformer", {"embed": 768, "layers": [layer] * 12}, **question)
    assert found == 109_482_240
