"""Python source: an architecture as one file that a reader of PyTorch can read, and that needs torch alone."""

import json
from collections.abc import Mapping

from app.architecture.cost import cost
from app.architecture.graph import Graph
from app.architecture.source.classes import Writer, shape
from app.architecture.source.code import prose, sentence, table
from app.architecture.source.folding import Folding, classes
from app.architecture.source.naming import class_name, plain
from app.architecture.source.operations import stateful
from app.architecture.source.pieces import LOADING, PIECES, READING, pieces_in

NOTE = "# places of the catalogue whose name here does not follow from theirs"


def python_source(
    graph: Graph, title: str = "A neural architecture.", facts: Mapping[str, object] | None = None
) -> str:
    """The source of a plain graph; `facts` (space, genotype, skeleton) go into its docstring, what is no text as JSON.

    The file imports torch and the standard library alone, defines `Network`, and its `load_weights` reads the weights
    that a training of this architecture left. ValueError of a graph with open decisions.
    """
    if not graph.plain:
        raise ValueError(f"only an architecture has a source; still open: {list(graph.open)}")
    folding = Folding(graph)
    writer = Writer(graph, folding)
    names: dict[int, str] = {}
    for signature in dict.fromkeys(folding.chosen[at] for at in folding.scopes if at in folding.chosen):
        instances = folding.instances[signature]
        content = _content(graph, folding, instances[0])
        names[signature] = class_name(instances, content, {*PIECES, *names.values()})
    blocks: list[str] = []
    for signature, instances in classes(folding).items():
        name = names[signature]
        lines = writer.write(name, instances, folding.slots(signature), signature)
        blocks.append("\n".join([f"class {name}(nn.Module):", *_described(graph, folding, instances), "", *lines]))
    body = writer.write("Network", [""], [])
    network = "\n".join(["class Network(nn.Module):", '    """The whole network."""', "", *body])
    text = "\n\n\n".join([*blocks, network])
    renamed = table("RENAMED", _renamed(graph, writer))
    lines = "\n".join(renamed)
    imports = "import json\nimport re\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn"
    parts = [*(piece.strip("\n") for piece in (*pieces_in(text), READING)), f"{text}\n{LOADING}".rstrip("\n")]
    head = f'"""{_docstring(graph, title, facts or {})}\n"""\n\n{imports}\n\n{NOTE}\n{lines}'
    return "\n\n\n".join([head, *parts]) + "\n"


def _docstring(graph: Graph, title: str, facts: Mapping[str, object]) -> str:
    total = cost(graph)
    lines = prose(title) or ["A neural architecture."]
    for name, fact in facts.items():
        text = fact if isinstance(fact, str) else json.dumps(fact)
        lines += ["", *prose(f"{name}: {text}", "    ")]
    lines += ["", f"params: {total.params:,}", f"MACs: {total.macs:,} for one input, of convolutions and linear maps"]
    lines += [
        "",
        "    network = Network()",
        '    network.load_weights("trained.safetensors")  # from the catalogue; the file needs no other package',
        "    network.eval()",
    ]
    inputs = [n for n in graph.nodes.values() if n.op == "input"]
    answers = ", ".join(shape(graph.nodes[name]) for name in graph.outputs[:1])
    call = ", ".join(f"{plain(n.name)}" for n in inputs)
    return "\n".join([*lines, f"    network({call})  # {', '.join(map(shape, inputs))} -> {answers}"])


def _content(graph: Graph, folding: Folding, at: str) -> str:
    """What a scope is made of, in words."""
    short = {"batch_norm": "norm", "layer_norm": "norm"}
    words = [short.get(graph.nodes[n].op, graph.nodes[n].op) for n in folding.scopes[at].nodes]
    return "_".join(words) if len(words) <= 5 else "block"


def _described(graph: Graph, folding: Folding, instances: list[str]) -> list[str]:
    """The docstring of a class: where it stands, and its shapes at the first of these places."""
    first = folding.scopes[instances[0]]
    slots = folding.slots(folding.chosen[first.at])
    inputs = [shape(graph.nodes[graph.nodes[first.nodes[i]].inputs[k]]) for ((i, k), *_) in slots]
    shapes = f"{', '.join(inputs)} -> {shape(graph.nodes[first.output])}"
    places = [at for at in instances if folding.scopes[at].source is None]
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return [sentence(f"{first.at}{more}: {shapes}")]


def _renamed(graph: Graph, writer: Writer) -> dict[str, str]:
    """The places whose submodule is not found by its words alone."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    paths = {n.name: writer.locate(n.name) for n in graph.nodes.values() if stateful(graph, n)}
    for name in paths:
        seen[plain(name)] = seen.get(plain(name), 0) + 1
    for name, path in paths.items():
        place = name.replace("%", "%25").replace(".", "%2E")  # as a state dict says it
        if plain(place) != plain(path) or seen[plain(name)] > 1:
            found[place] = path
    return found
