"""Peak memory of an architecture, predicted from its graph by playing through one pass.

What is modelled, for torch on one CPU thread:

- the order of `workers.network`: equal nodes without parameters are computed once, a value is let go after its last
  reader, sums add in place once they own what they add to, views (tokens, slices) share a storage
- training: what autograd saves of every operation, a storage saved twice counted once, released as the backward pass
  reaches it; gradients of values as they are handed on, added in place where nobody else reads them; gradients of
  parameters from then on, still there in the next forward pass of a training step (they are reset after it)
- copies that kernels lay out for a moment: oneDNN's blocked maps, the matrix of pixels of bfloat16 convolutions
  without bfloat16 units, indices of maxima, samples of deformable convolutions, scores of relative attention
- bfloat16 as autocast: products in bfloat16 with cast parameters, everything else in what it reads, parameters,
  their gradients and the optimiser's state in float32

What is not: fragmentation, scratch memory that libraries take without asking torch, cuDNN's workspaces, the data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.architecture.graph import Graph, Node, parameters
from app.architecture.memory.operations import FLOAT, Operations
from app.architecture.memory.tape import Rule, Tape, Value

MemoryDirection = Literal["forward", "forward+backward", "training"]
MemoryPrecision = Literal["float32", "bfloat16"]
Optimiser = Literal["sgd", "adam"]

STATES: Mapping[Optimiser, int] = {"sgd": 1, "adam": 2}  # momentum; first and second moment
LARGEST = 10  # places told

ERROR = 0.15  # no configuration of docs/memory.md is further from its measured peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes that one node holds at the peak: its output, what it keeps, its gradient."""

    name: str
    op: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakMemory:
    """Bytes at the largest moment; `total` is the sum of the others."""

    parameters: int
    buffers: int
    gradients: int  # of parameters
    optimiser: int
    activations_peak: int  # input, values, what the backward pass needs, gradients of values, kernels at work
    total: int
    largest: tuple[Held, ...]  # the nodes that hold most then, in order


def peak_memory(
    graph: Graph,
    *,
    batch_size: int,
    precision: MemoryPrecision = "float32",
    direction: MemoryDirection = "forward",
    optimiser: Optimiser = "sgd",
    drop_path: bool = False,
) -> PeakMemory:
    """Bytes of an architecture's network at work; ValueError of an open graph, whose weights decide what is computed.

    direction  `forward`: inference; `forward+backward`: one pass each; `training`: a step that is not the first, with
               the optimiser's state
    optimiser  of a training step: SGD with momentum or Adam
    drop_path  whether terms are dropped in training, where the graph says so
    """
    if not graph.plain:
        raise ValueError(f"peak memory is an architecture's; still open: {list(graph.open)}")
    recording = direction != "forward"
    tape = Tape(recording)
    operations = Operations(graph, tape, batch_size, half=precision == "bfloat16")
    held = operations.hold_parameters()
    previous = -1
    if direction == "training":
        tape.allocate(STATES[optimiser] * held, "optimiser")
        previous = tape.allocate(held, "gradients")
    outputs = _forward(graph, operations, drop_path=drop_path and recording)
    operations.forget_casts()
    if previous >= 0:
        tape.release(previous)
    if recording:
        tape.backward([value for value in outputs if value.maker >= 0])
        if direction == "training":
            tape.place = ""
            tape.touch(max((p.bytes for own in operations.parameters.values() for p in own), default=0))
    kinds, places = tape.at_peak()
    return PeakMemory(
        parameters=kinds["parameters"],
        buffers=kinds["buffers"],
        gradients=kinds["gradients"],
        optimiser=kinds["optimiser"],
        activations_peak=kinds["activations"],
        total=tape.most,
        largest=tuple(
            Held(name=name, op=graph.nodes[name].op, bytes=size)
            for name, size in places.most_common(LARGEST)
            if name and size
        ),
    )


def _forward(graph: Graph, operations: Operations, *, drop_path: bool) -> list[Value]:
    """Compute every node, letting go of what has no reader left; the values of the outputs."""
    tape = operations.tape
    alias = _shared(graph)
    kept = {alias[name] for name in graph.outputs}
    reads: dict[str, tuple[str, ...]] = {}
    needed = set(kept)
    for node in reversed(graph.nodes.values()):
        if node.name in needed:
            reads[node.name] = tuple([alias[name] for name in _live(graph, node)])
            needed.update(reads[node.name])
    last = {name: node for node in graph.nodes if node in needed for name in reads[node]}
    done: dict[str, list[str]] = {}
    for name, reader in last.items():
        if name not in kept and graph.nodes[name].op != "input":
            done.setdefault(reader, []).append(name)
    values: dict[str, Value] = {}
    for node in graph.nodes.values():
        if node.name not in needed:
            continue
        tape.place = node.name
        if node.op == "input":
            numel = operations.numel(node)
            values[node.name] = Value(tape.allocate(numel * FLOAT), numel, FLOAT, -1)
            continue
        inputs = [values[name] for name in reads[node.name]]
        match node.op:
            case "sum":
                dropping = drop_path and node["drop_path"]
                drops = [dropping and name.startswith(f"{node.name}/") for name in _live(graph, node)]
                values[node.name] = _sum(operations, node, inputs, drops)
            case "concat":
                values[node.name] = _concat(operations, node, inputs)
            case _:
                values[node.name] = operations.compute(node, inputs)
        for name in done.get(node.name, ()):
            tape.drop(values.pop(name))
    return [values[alias[name]] for name in graph.outputs]


def _shared(graph: Graph) -> dict[str, str]:
    """Every node's name -> that of the equal one that is computed."""
    alias: dict[str, str] = {}
    seen: dict[object, str] = {}
    for node in graph.nodes.values():
        alias[node.name] = node.name
        if node.op in ("input", "sum", "concat", "batch_norm") or parameters(graph, node):
            continue
        same = (node.op, tuple([alias[i] for i in node.inputs]), node.attrs, node.axis)
        alias[node.name] = seen.setdefault(same, node.name)
    return alias


def _live(graph: Graph, node: Node) -> tuple[str, ...]:
    """The inputs that are read: a sum leaves zeros out, but for one where there is nothing else."""
    if node.op == "tied_linear":  # the other names the tensor
        return node.inputs[:1]
    if node.op not in ("sum", "concat"):
        return node.inputs
    there = tuple([name for name in node.inputs if graph.nodes[name].op != "zero"])
    return there or node.inputs[:1]


def _sum(operations: Operations, node: Node, terms: list[Value], drops: list[bool]) -> Value:
    tape, y = operations.tape, operations.numel(node)
    if len(terms) == 1 and not any(drops):
        return tape.view(terms[0])
    if not node["drop_path"]:
        item = max(term.item for term in terms)
        rules: list[Rule] = [_handed(term, item) for term in terms]
        return tape.op(terms, y, item, rules=rules)
    total: Value | None = None
    for term, dropped in zip(terms, drops, strict=True):
        read = tape.op([term], y, term.item) if dropped else tape.view(term)
        if total is None:
            total = read
            continue
        item = max(total.item, read.item)
        rules: list[Rule] = [_handed(value, item) for value in (total, read)]
        added = tape.op([total, read], y, item, rules=rules)
        tape.drop(total, read)
        total = added
    assert total is not None
    return total


def _concat(operations: Operations, node: Node, parts: list[Value]) -> Value:
    item = max(part.item for part in parts)
    widened = sum(part.numel * item for part in parts if part.item != item)
    rules: list[Rule] = [_handed(part, item) for part in parts]
    return operations.tape.op(parts, operations.numel(node), item, scratch=widened, rules=rules)


def _handed(value: Value, item: int) -> Rule:
    """How the gradient of a term comes about: it is that of the sum, unless it was widened."""
    return "same" if value.item == item else "new"
