"""Exports of cells and networks: DOT by the language's own grammar, JSON by networkx."""

import json
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import networkx
import pytest

from app.architecture import Graph, cost, lower
from app.architecture.draw import draw_dot, draw_json, draw_text, graph_dot, graph_json
from app.architecture.draw.condition import condition
from app.architecture.draw.dot import quoted
from app.architecture.guard import TRUE, given
from app.space import Grammar, ImageInput, SearchSpace, Subset, Value, one_of, record
from app.space.zoo import ZOO, darts, mobilenet_ofa, nasbench101

DIGITS = ImageInput(channels=1, height=8, width=8)
EVIL = ("<b>x</b>", 'a"b', "c\\", "}]; x [", "\\", "é", "->", "// x", "\\N")


# -- a reader of the language: https://graphviz.org/doc/info/lang.html, without ports and HTML

TOKEN = re.compile(r'\s*(?:"(?:[^"\\\n]|\\.)*"|->|[{}\[\];,=]|[A-Za-z_\x80-\U0010ffff]\w*|-?(?:\.\d+|\d+(?:\.\d*)?))')
KEYWORDS = ("graph", "digraph", "subgraph", "node", "edge", "strict")


@dataclass
class Drawn:
    """What a text says."""

    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    clusters: dict[str, list[str]] = field(default_factory=dict)  # label -> nodes directly inside


class Reader:
    """A recursive descent over the grammar; any text that is not of the language is an AssertionError."""

    def __init__(self, text: str) -> None:
        self.tokens: deque[str] = deque()
        end = 0
        text = text.rstrip()
        while end < len(text):
            found = TOKEN.match(text, end)
            assert found, text[end : end + 60]
            self.tokens.append(found[0].strip())
            end = found.end()
        self.drawn = Drawn()
        self.names: set[str] = set()

    def next(self, *wanted: str) -> str:
        token = self.tokens.popleft()
        assert not wanted or token in wanted, (token, wanted)
        return token

    def id(self) -> str:
        token = self.tokens.popleft()
        assert token not in KEYWORDS
        assert token[0] not in "{}[];,=-"
        return token[1:-1].replace('\\"', '"') if token[0] == '"' else token

    def read(self) -> Drawn:
        self.next("digraph")
        if self.tokens[0] != "{":
            self.id()
        self.statements([])
        assert not self.tokens
        return self.drawn

    def statements(self, inside: list[str], label: str = "") -> str:
        self.next("{")
        while self.tokens[0] != "}":
            head = self.tokens[0]
            if head in ("graph", "node", "edge"):
                self.next()
                said = self.attributes()
                label = said.get("label", label) if head == "graph" else label
            elif head == "subgraph":
                self.next()
                name = self.id()
                assert name.startswith("cluster")
                assert name not in self.names
                self.names.add(name)
                within: list[str] = []
                found = self.statements(within)
                self.drawn.clusters.setdefault(found, []).extend(within)
            else:
                first = self.id()
                if self.tokens[0] == "->":
                    self.next()
                    self.drawn.edges.append((first, self.id(), self.attributes()))
                else:
                    assert first not in self.drawn.nodes
                    self.drawn.nodes[first] = self.attributes()
                    inside.append(first)
            if self.tokens[0] == ";":
                self.next()
        self.next("}")
        return label

    def attributes(self) -> dict[str, str]:
        said: dict[str, str] = {}
        while self.tokens[0] == "[":
            self.next()
            while self.tokens[0] != "]":
                name = self.id()
                self.next("=")
                said[name] = self.id()
                if self.tokens[0] in ";,":
                    self.next()
            self.next("]")
        return said


def edges_of(graph: Graph) -> Counter[tuple[str, str]]:
    return Counter((source, node.name) for node in graph.nodes.values() for source in node.inputs)


def document(text: str) -> tuple[dict[str, Any], Any]:
    found = json.loads(text)
    return found, networkx.node_link_graph(found)


@pytest.mark.parametrize("name", [n if i % 2 else pytest.param(n, marks=pytest.mark.slow) for i, n in enumerate(ZOO)])
def test_a_network_keeps_its_nodes_and_edges(name: str) -> None:
    space = ZOO[name]
    skeleton = space.skeletons["small"]
    genotype = space.plan.sample(Random(name), 1)[0]
    graph = lower(space.grammar, skeleton, DIGITS, space.plan.read(genotype))
    drawn = Reader(draw_dot(space, genotype, skeleton, DIGITS)).read()
    assert set(drawn.nodes) == set(graph.nodes)
    assert Counter((a, b) for a, b, _ in drawn.edges) == edges_of(graph)
    shapes = {n.name: "x".join(map(str, (len(n.axis), *n.size))) for n in graph.nodes.values()}
    assert all(said == {"label": shapes[a]} for a, _, said in drawn.edges)

    said, read = document(draw_json(space, genotype, skeleton, DIGITS))
    assert list(read.nodes) == list(graph.nodes)
    for target, node in read.nodes(data=True):
        assert node["inputs"] == list(graph.nodes[target].inputs)
        into = sorted((key, source) for source, _, key in read.in_edges(target, keys=True))
        assert [source for _, source in into] == node["inputs"]
    assert all(edge["shape"] == read.nodes[a]["shape"] for a, _, edge in read.edges(data=True))
    assert said["graph"] == {"title": name, "outputs": list(graph.outputs), "decisions": {}, "guards": []}
    total = cost(graph)
    assert sum(n["params"] for n in said["nodes"]) == total.params
    assert sum(n["macs"] for n in said["nodes"]) == total.macs
    assert networkx.is_directed_acyclic_graph(read)


@pytest.mark.parametrize("name", ZOO)
def test_cells_are_exported_alike_in_both_forms(name: str) -> None:
    space = ZOO[name]
    genotype = space.plan.sample(Random(name), 1)[0]
    drawn = Reader(draw_dot(space, genotype)).read()
    _, read = document(draw_json(space, genotype))
    assert set(drawn.nodes) == set(read.nodes)
    shown = Counter((a, b, said.get("label")) for a, b, said in drawn.edges)
    assert shown == Counter((a, b, edge["op"]) for a, b, edge in read.edges(data=True))
    assert {member for inside in drawn.clusters.values() for member in inside} == set(drawn.nodes)
    assert networkx.is_directed_acyclic_graph(read)


def test_a_cell_says_its_operations_on_its_edges() -> None:
    edge, skip = {"input": 0, "op": "sep_conv_3x3"}, {"input": 1, "op": "skip_connect"}
    cell = {"node2": [edge, skip]}
    drawn = Reader(draw_dot(darts(1), {"normal": cell, "reduce": cell})).read()
    assert list(drawn.clusters) == ["normal cell", "reduce cell"]
    assert [(a, b, said.get("label")) for a, b, said in drawn.edges[:3]] == [
        ("normal cell/0", "normal cell/2", "sep_conv_3x3"),
        ("normal cell/1", "normal cell/2", "skip_connect"),
        ("normal cell/2", "normal cell/output", None),
    ]
    _, read = document(draw_json(darts(1), {"normal": cell, "reduce": cell}))
    assert read.nodes["normal cell/output"]["op"] == "concat"
    assert read["normal cell/1"]["normal cell/2"][1]["op"] == "skip_connect"


def test_a_group_of_a_network_is_a_cluster() -> None:
    space = darts()
    graph = lower(space.grammar, space.skeletons["small"], DIGITS, space.plan.read(space.plan.unrank(5)))
    drawn = Reader(graph_dot(graph)).read()
    assert {"cell0", "cell0/node2", "cell1/node5", "stem", "head"} <= set(drawn.clusters)
    assert all(name.startswith("cell0/node2") for name in drawn.clusters["cell0/node2"])
    assert drawn.nodes["stem/conv"]["label"] == "conv 3x3"
    assert drawn.nodes["stem/conv"]["fillcolor"] == "#d3efec"


@pytest.mark.parametrize("name", ["darts", "mobilenet_ofa", "enas_macro", "nats_size"])
def test_a_supernet_says_when_its_edges_are_there(name: str) -> None:
    space = ZOO[name]
    graph = lower(space.grammar, space.skeletons["small"], DIGITS)
    drawn = Reader(graph_dot(graph)).read()
    assert Counter((a, b) for a, b, _ in drawn.edges) == edges_of(graph)
    guarded = sum(g is not TRUE for n in graph.nodes.values() for g in n.guards)
    assert sum("\\nif /" in said["label"] for _, _, said in drawn.edges) == guarded
    said, read = document(graph_json(graph))
    assert said["graph"]["decisions"] == {path: [kind, list(options)] for path, (kind, options) in graph.open.items()}
    guards = said["graph"]["guards"]

    def holds(number: int | None, decided: dict[str, Any]) -> bool:
        while number is not None:
            entry = guards[number]
            chosen = decided[entry["decision"]]
            answer = entry["member"] in chosen if "member" in entry else chosen[0]
            found = entry["then"][[json.dumps(a) for a in entry["answers"]].index(json.dumps(answer))]
            if isinstance(found, bool):
                return found
            number = found
        return True

    for genotype in space.plan.sample(Random(1), 2):
        decided, memo = space.plan.read(genotype), dict[int, Any]()
        # what a member never meets is open still; any answer does
        whole = {path: tuple(decided.get(path, options[:1])) for path, (_, options) in graph.open.items()}
        for node in graph.nodes.values():
            for i, (source, guard) in enumerate(zip(node.inputs, node.guards, strict=False)):
                edge = read[source][node.name][i]
                assert holds(edge["guard"], whole) == (given(guard, whole, memo) is TRUE)
                assert (edge["when"] is None) == (guard is TRUE)
            axis = read.nodes[node.name].get("axis")
            assert (axis is None) == node.axis.plain
            if axis is not None:
                assert axis["extent"] == len(node.axis)
                there = sum(n for n, number in axis["segments"] if holds(number, whole))
                assert there == len(node.axis.given(whole, memo))


def test_conditions_read_like_sentences() -> None:
    space = darts(1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
    graph = lower(space.grammar, space.skeletons["small"], DIGITS)
    found = {condition(g) for node in graph.nodes.values() for g in node.guards}
    assert {"/normal/node2/1/op = skip_connect", "/reduce/node2/0/op = max_pool_3x3", ""} <= found
    member = lower(darts(2).grammar, darts(2).skeletons["small"], DIGITS)
    assert "/normal/node3 has 2" in {condition(g) for node in member.nodes.values() for g in node.guards}
    depth = lower(mobilenet_ofa().grammar, mobilenet_ofa().skeletons["small"], DIGITS)
    assert "/unit1/blocks# = 2" in {condition(g) for node in depth.nodes.values() for g in node.guards}
    four = nasbench101((2, 3, 4))
    wirings = lower(four.grammar, four.skeletons["small"], DIGITS)
    texts = [condition(g, 60) for node in wirings.nodes.values() for g in node.guards]
    assert max(map(len, texts)) == 60
    assert any(" or " in text and text.endswith("…") for text in texts)


def test_names_of_a_space_are_text_and_nothing_else() -> None:
    node = Subset(tuple(record("edge", input=Value(i), op=one_of(*EVIL)) for i in range(2)), 1)
    cell = record("shared_cell", **{'"]; }\\': node, "</svg>": node, "\\": node})
    space = SearchSpace(
        name='mine" {', version=1, title="", paper="", grammar=Grammar({"net": cell}, "net"), skeletons={}
    )
    for genotype in space.plan.sample(Random(0), 20):
        text = draw_dot(space, genotype)
        assert text.encode()
        drawn = Reader(text).read()
        assert len(drawn.nodes) == 2 + 3 + 1
        assert len([a for a, b, _ in drawn.edges if not b.endswith("output")]) == 3
        _, read = document(draw_json(space, genotype))
        assert {edge["op"] for _, _, edge in read.edges(data=True)} <= {*EVIL, None}


def test_what_cannot_be_printed_keeps_names_apart() -> None:
    names = ["a\x00", "a\\u0000", "\ud800", "\u2028", "b\n", 'c"', "%", "d\\"]
    assert len({quoted(name) for name in names}) == len(names)
    for name in names:
        text = quoted(name)
        assert text.encode()
        assert Reader(f"digraph {{ {text} -> {text} }}").read().edges[0][0] == text[1:-1].replace('\\"', '"')


@pytest.mark.parametrize("name", ZOO)
def test_text_fits_a_terminal_and_is_not_cut(name: str) -> None:
    space = ZOO[name]
    for genotype in space.plan.sample(Random(name), 5):
        lines = draw_text(space, genotype).splitlines()
        assert max(map(len, lines)) <= 80
        assert not any("…" in line for line in lines)


def test_many_skips_of_a_layer_share_a_row() -> None:
    layers = {f"layer{i}": {"op": "conv_3x3"} | {f"skip{j}": 1 for j in range(i)} for i in range(12)}
    lines = draw_text(ZOO["enas_macro"], layers).splitlines()
    assert lines[lines.index("├─ layer3") :][:4] == [
        "├─ layer3",
        "│  ├─ layer2  ── conv_3x3",
        "│  └─ stem, layer0, layer1 ── skip",
        "├─ layer4",
    ]
    assert lines[-4:] == [
        "└─ layer11",
        "   ├─ layer10 ── conv_3x3",
        "   └─ stem, layer0, layer1, layer2, layer3, layer4, layer5, layer6, layer7,",
        "         layer8, layer9 ── skip",
    ]
