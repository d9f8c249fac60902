"""Python source: one file that needs torch alone and computes what our network computes."""

import ast
import contextlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from app.architecture import (
    TRUE,
    Axis,
    Graph,
    Layers,
    LoweringError,
    cost,
    count,
    lower,
    lower_cell,
    lower_operation,
)
from app.architecture.graph import Node
from app.architecture.source import python_source
from app.architecture.source.naming import identifier, plain
from app.architecture.vocabulary import OPERATIONS
from app.space import CellSkeleton, Genotype, ImageInput, SearchSpace, Skeleton
from app.space.zoo import ZOO, darts, mobilenet_ofa, nasbench201
from workers.network import Network
from workers.primitives import PRIMITIVES
from workers.training import checkpoint

DIGITS = ImageInput(channels=1, height=8, width=8)
COLUMNS = 120


pytestmark = pytest.mark.usefixtures("exactly")


def module(source: str) -> ModuleType:
    found = ModuleType("architecture")
    exec(compile(source, "architecture.py", "exec"), found.__dict__)
    return found


def randomised(network: nn.Module) -> nn.Module:
    """Every tensor away from its first value, so that none can be left out or exchanged unseen."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(noise.abs() + 0.5 if name.endswith("running_var") else tensor + 0.1 * noise)
    return network


def image_of(graph: Graph, batch: int = 4) -> list[torch.Tensor]:
    """Whole numbers below ten where the graph looks rows of a table up, else noise."""
    inputs = [n for n in graph.nodes.values() if n.op == "input"]
    rows = [n["rows"] for n in graph.nodes.values() if n.op == "embedding"]
    if rows:
        return [torch.randint(0, min(rows), (batch, len(n.axis), *n.size)).double() for n in inputs]
    return [torch.randn(batch, len(n.axis), *n.size) for n in inputs]


def same(graph: Graph, source: str) -> Any:
    """Compare the file with our network in eval and train mode; returns its network."""
    ours = randomised(Network(graph))
    theirs = module(source).Network()
    theirs.load_weights(ours.state_dict())
    xs = image_of(graph)
    named = {n.name: x for n, x in zip((n for n in graph.nodes.values() if n.op == "input"), xs, strict=True)}
    for training in (False, True):
        ours.train(training)
        theirs.train(training)
        with torch.no_grad():
            expected, found = ours(named), theirs(*xs)
        expected, found = (v if isinstance(v, tuple) else (v,) for v in (expected, found))
        assert len(expected) == len(found) == len(graph.outputs)
        for a, b in zip(expected, found, strict=True):
            assert a.shape == b.shape
            assert (a - b).abs().max() <= 1e-10 * max(1.0, float(a.abs().max()))
    assert sum(p.numel() for p in theirs.parameters()) == count(graph)
    return theirs


def well_written(source: str) -> ast.Module:
    """It parses, imports torch and the standard library alone, and no line is long."""
    tree = ast.parse(source)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"json", "re", "torch"}
    assert max(map(len, source.splitlines())) <= COLUMNS
    assert source.endswith("\n")
    assert not any(line != line.rstrip() for line in source.splitlines())
    return tree


def decided(space: SearchSpace, skeleton: Skeleton, genotype: Genotype, image: ImageInput = DIGITS) -> Graph:
    return lower(space.grammar, skeleton, image, space.plan.read(genotype))


@pytest.mark.parametrize("name", ZOO)
def test_the_file_of_every_space_computes_the_same(name: str) -> None:
    space = ZOO[name]
    skeleton = space.skeletons["small"]
    for genotype in space.plan.sample(Random(3), 2):
        graph = decided(space, skeleton, genotype)
        source = python_source(graph, space.title, {"space": name, "genotype": genotype, "skeleton": asdict(skeleton)})
        tree = well_written(source)
        same(graph, source)
        text = ast.get_docstring(tree) or ""
        total = cost(graph)
        assert f"params: {total.params:,}" in text
        assert f"MACs: {total.macs:,}" in text
        assert re.sub(r"\s+", "", json.dumps(genotype)) in re.sub(r"\s+", "", text)


@pytest.mark.parametrize("stride", [1, 2])
def test_every_operation_of_the_vocabulary_computes_the_same(stride: int) -> None:
    found: list[Graph] = []
    for name in OPERATIONS:
        with contextlib.suppress(LoweringError):  # what stands in no cell, or at one stride alone
            found.append(lower_operation(name, channels=8, width=8 * stride, size=(7, 6), stride=stride))
    assert len(found) > 40
    for graph in found:
        source = python_source(graph)
        well_written(source)
        same(graph, source)


def every_kind() -> Graph:
    """What no space uses, or none surely: all of it twice, so that classes get the numbers that differ."""
    b = Layers()
    ends: list[Node] = []
    for i, width in enumerate((4, 6)):
        at = f"part{i}"
        x = b.input(f"image{i}", width, (13, 10))
        y = b.conv(f"{at}/even", x, width, 2, 2, pad=1, bias=True)
        y = b.pool(f"{at}/ceil", "avg_pool", y, 2, 2, pad=0, ceil=True)
        y = b.pool(f"{at}/most", "max_pool", y, 2 + i, 1, pad=1)
        y = b.unary(f"{at}/silu", "silu", b.conv(f"{at}/flat", y, 2 * width, (1, 3), (1, 2), dilation=1 + i))
        y = b.add(f"{at}/group", "group_conv", [y], Axis.of(2 * width), y.size, groups=2)
        y = b.add(f"{at}/shuffle", "shuffle", [y], y.axis, y.size, groups=2 + 2 * i)
        y = b.resize(f"{at}/resize", y, (3 + i, 5), "bilinear")
        y = b.add(f"{at}/shift", "shift", [y], y.axis, tuple(n - 1 + n % 2 for n in y.size))
        wide = b.truncate(f"{at}/wide", y, Axis.of(4 * width + 2 * i))
        rest = b.add(f"{at}/rest", "rest", [wide], Axis.of(width + 1), wide.size)
        cut = b.truncate(f"{at}/cut", rest, Axis.of(2 + i))
        gate = b.unary(f"{at}/gate", "sigmoid", b.linear(f"{at}/map", b.mean(f"{at}/mean", cut), 2 + i))
        scaled = b.add(f"{at}/scale", "scale", [b.unary(f"{at}/relu6", "relu6", cut), gate], cut.axis, cut.size)
        zero = b.zero(f"{at}/zero", scaled, 2 + i, 2)
        vector = b.resize(f"{at}/constant", gate, zero.size)
        ends.append(b.add(f"{at}", "average", [zero, vector, vector], vector.axis, vector.size))
    return b.finish(ends)


def test_operations_that_no_space_uses_compute_the_same() -> None:
    graph = every_kind()
    source = python_source(graph)
    well_written(source)
    same(graph, source)
    assert re.findall(r"class (\w+)\(nn.Module\)", source) == ["Part", "Network"]
    assert "self.beyond = beyond" in source  # a number that `forward` reads


def test_all_operations_were_compared() -> None:
    graphs = [every_kind(), lower_operation("attention_h4", channels=8)]
    for space in ZOO.values():
        graphs += [decided(space, space.skeletons["small"], g) for g in space.plan.sample(Random(3), 2)]
    met = {n.op for graph in graphs for n in graph.nodes.values()}
    assert {*PRIMITIVES, "input", "sum", "concat", "tied_linear"} - met == {"embedding"}  # of the next test


def test_a_text_model_looks_its_tokens_up() -> None:
    space = ZOO["transformer"]
    skeleton = replace(space.skeletons["small"], stem="text", vocabulary=11, length=16, token_types=2)
    for channels in (1, 2):
        genotype = space.plan.sample(Random(channels), 1)[0]
        graph = decided(space, skeleton, genotype, ImageInput(channels=channels, height=1, width=12))
        assert any(n.op == "embedding" for n in graph.nodes.values())
        same(graph, python_source(graph))


def test_twenty_cells_of_darts_are_three_classes_and_a_short_file() -> None:
    space = darts()
    genotype = space.plan.sample(Random(1), 1)[0]
    skeleton = CellSkeleton(channels=2, num_cells=20, auxiliary=True)
    graph = decided(space, skeleton, genotype, ImageInput(channels=3, height=32, width=32))
    source = python_source(graph, space.title, {"genotype": genotype})
    tree = well_written(source)
    assert len(graph.nodes) > 600
    assert len(source.splitlines()) < 320
    assert len(source) < 18_000
    assert len([n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.startswith("Cell")]) == 3
    network = same(graph, source)
    assert isinstance(network(torch.zeros(2, 3, 32, 32)), tuple)  # the auxiliary head is an output too
    assert "cell0 = self.cell0(stem_norm, stem_norm)" in source
    assert "# (B, 8, 32, 32)" in source


def test_tied_steps_are_one_module_called_again() -> None:
    space = ZOO["darts_rnn"]
    graph = decided(space, space.skeletons["small"], space.plan.sample(Random(1), 1)[0])
    source = python_source(graph)
    assert source.count("self.step0 = ") == 1
    assert len(re.findall(r"self\.step0\(", source)) == len([n for n in graph.nodes.values() if n.op == "row"])


def test_ties_across_what_is_no_class_share_a_weight() -> None:
    b = Layers()
    x = b.input("x", 3, ())
    first = b.linear("a/map", x, 3)
    again = b.add("b/other", "tied_linear", [b.unary("b/relu", "relu", first), first], first.axis, (), bias=True)
    graph = b.finish([b.sum("sum", [(TRUE, first), (TRUE, again)])])
    source = python_source(graph)
    assert "F.linear(F.relu(a_map), self.a_map.weight, self.a_map.bias)" in source
    same(graph, source)


def test_a_cell_alone_takes_its_two_inputs() -> None:
    genotype = darts().plan.sample(Random(2), 1)[0]
    root = darts().plan.read(genotype)
    inside = {path.removeprefix("/normal"): answer for path, answer in root.items() if path.startswith("/normal")}
    graph = lower_cell(darts().grammar, "cell", channels=4, size=(6, 6), decided=inside)
    source = python_source(graph)
    assert "def forward(self, s0, s1):" in source
    same(graph, source)


def test_weights_come_from_files_of_the_catalogue_and_of_torch(tmp_path: Path) -> None:
    space = nasbench201()
    graph = decided(space, space.skeletons["small"], space.plan.unrank(4567))
    ours = randomised(Network(graph).float()).eval()
    record = {"dataset": "digits", "normalisation": {"mean": [0.5]}}
    checkpoint.save(tmp_path / "trained", ours.state_dict(), record)
    network = module(python_source(graph)).Network().float().eval()
    x = torch.randn(2, 1, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        assert not torch.allclose(network(x), ours(x))
        assert network.load_weights(tmp_path / "trained") == {"format": 1, **record}
        assert torch.allclose(network(x), ours(x), atol=1e-5)
        other = module(python_source(graph)).Network().float().eval()
        torch.save(network.state_dict(), tmp_path / "weights.pt")
        assert other.load_weights(str(tmp_path / "weights.pt")) == {}
        assert torch.equal(other(x), network(x))


def test_weights_that_do_not_fit_are_refused() -> None:
    space = nasbench201()
    graph = decided(space, space.skeletons["small"], space.plan.unrank(4567))
    network = module(python_source(graph)).Network()
    weights = Network(graph).state_dict()
    name = "parts.head/linear.weight"
    with pytest.raises(ValueError, match=r"1 tensors do not fit this network, .*head_linear_weight"):
        network.load_weights({k: v for k, v in weights.items() if k != name})
    with pytest.raises(ValueError, match="head_linear_weight"):
        network.load_weights({**weights, name: torch.zeros(3, 3)})
    with pytest.raises(ValueError, match="else_weight"):
        network.load_weights({**weights, "parts.else.weight": torch.zeros(3)})


def hostile() -> Graph:
    """Places that are no names of Python's, or names of something else, or one name twice."""
    b = Layers()
    x = b.input("image", 2, (4, 4))
    words = (
        "forward class a_b/c a/b_c a/b/c 1/2 mod.el 100% é self torch state_dict/training F part1 part __init__ None"
    )
    names = [*words.split(), 'x"); import os #', "\\", "l" * 64 + "/" + "m" * 64]
    for name in names:
        x = b.conv_norm_relu(name, x, 2, 3)
    return b.finish([b.classifier("import", x, 3)])


def test_names_of_any_kind_make_a_file_that_loads_its_weights() -> None:
    graph = hostile()
    title = 'A """title""" that ends \\ in\n"'
    source = python_source(graph, title, {"no\te": '"""\nimport os\n"""', "list": ["\\", "é\u2028", '"']})
    tree = well_written(source)
    network = same(graph, source)
    assert module(source).RENAMED
    assert all(name.isidentifier() for name, _ in network.named_children())
    assert 'A """title""" that ends' in (ast.get_docstring(tree) or "")


def test_names_of_modules_are_never_overwritten() -> None:
    mine = {name for name in dir(nn.Module) if not name.startswith("_")} | {"load_weights", "training"}
    assert {name for name in mine if identifier(name) == name} == set()
    assert all(plain(identifier(name)) == plain(name) for name in mine)
    assert identifier("node2/0/sep_conv_3x3") == "node2_0_sep_conv_3x3"
    assert identifier("1/depth", {"part1_depth"}) == "part1_depth_2"


def test_a_supernet_has_no_source() -> None:
    space = mobilenet_ofa()
    graph = lower(space.grammar, space.skeletons["small"], DIGITS)
    with pytest.raises(ValueError, match="still open"):
        python_source(graph)


def test_the_same_graph_gives_the_same_file() -> None:
    space = darts()
    genotype = space.plan.sample(Random(1), 1)[0]
    first, second = (decided(space, space.skeletons["small"], genotype) for _ in range(2))
    assert python_source(first) == python_source(second)
