"""Partial channels: of a mixture of operations only some channels pass through the operations (Xu et al., 2020,
"PC-DARTS: Partial channel connections for memory-efficient architecture search", arXiv:1907.05737, section 3.1).

    source  ->  first 1/share of the channels  ->  operations  ->  their guarded sum  \
            ->  the other channels  ->  2x2 max pool where the operations halve       ->  side by side, shuffled

A mixture is found by structure: a sum whose terms the answers of one choice tell apart, all of them computed from one
source, nothing of which is read elsewhere. As in yuhuixu1993/PC-DARTS `model_search.py` the shuffle has `share` groups.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from app.architecture.axis import Axis
from app.architecture.graph import Graph, Node, prune
from app.architecture.guard import FALSE, TRUE
from app.space.algebra import Path

SHARE = 4  # the paper's K for CIFAR-10: one channel in four

ACTIVATIONS = ("relu", "relu6", "hswish", "hsigmoid", "gelu", "silu", "sigmoid", "tanh")
EQUAL = frozenset(
    {"batch_norm", "layer_norm", *ACTIVATIONS, "multiply", "scale", "average", "sum", "max_pool", "avg_pool", "mean"}
    | {"shift", "shuffle", "resize", "tokens", "maps"}
)
"""Nodes with as many channels as each of their inputs."""

OWN = frozenset({"conv", "deform_conv", "group_conv", "linear", "zero", "truncate", "rest", "concat"})
"""Nodes whose channels are as many as they say."""

FIXED = frozenset({"attention"})
"""Nodes whose features are so many a head, whatever they are computed from."""


class NoMixture(ValueError):
    """No decision of a graph chooses between operations that channels could pass by."""

    def __init__(self) -> None:
        super().__init__(
            "partial channels: no decision chooses between operations on the maps of one source with as many channels "
            "out as in, a certain number that a share divides"
        )


@dataclass(frozen=True, slots=True)
class Mixture:
    """A sum of operations on one source."""

    total: Node
    source: Node
    inside: tuple[Node, ...]  # between the two, in topological order
    path: Path  # the decision


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A mixture whose operations see one channel in `share`."""

    mixture: Mixture
    share: int
    axes: Mapping[str, Axis]  # of the source's first channels, by its name, and of what is computed from them


def partial(graph: Graph, share: int = SHARE) -> Graph:
    """The graph in which operations that compete for one source see only some of its channels.

    Each mixture takes the largest number up to `share` that divides its channels (and whatever its operations derive
    from them) as its own share. What is resolved afterwards has the chosen operations alone, partial as they were.
    A sum of mixtures on several sources joins their channels once, behind the sum: that is the same in fewer steps.

    Raises NoMixture where there is none, ValueError where `share` is below 2.
    """
    if share < 2:
        raise ValueError(f"share: {share}, but operations can only leave out channels from 2 on")
    rewritten = {found.mixture.total.name: found for found in narrowed(graph, share)}
    if not rewritten:
        raise NoMixture
    within = {node.name for found in rewritten.values() for node in found.mixture.inside}
    gathered = _gathering(graph, rewritten)
    unjoined = {name for total in gathered for name in graph.nodes[total].inputs}
    parts: dict[str, tuple[str, str]] = {}  # of what is shuffled: the operations, the channels beside them
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        if node.name in within:
            continue
        made: list[Node] = [node]
        if node.name in rewritten:
            made = list(_mixture(rewritten[node.name]))
            parts[node.name] = made[-2].name, made[-1].name
            if node.name not in unjoined:
                made += _joined(node, rewritten[node.name].share, made[-2], made[-1])
        elif node.name in gathered:
            made = []
            for number, side in enumerate(("computed", "passed")):
                inputs = tuple([parts[i][number] for i in node.inputs])
                axis = nodes[inputs[0]].axis
                made.append(replace(node, name=f"{node.name}/partial/{side}", inputs=inputs, axis=axis))
            made += _joined(node, rewritten[node.inputs[0]].share, made[0], made[1])
        nodes.update((n.name, n) for n in made)
    return prune(nodes, graph.outputs)


def is_mixed(graph: Graph, share: int = SHARE) -> bool:
    """Whether `partial` finds a mixture."""
    return next(narrowed(graph, share), None) is not None


def narrowed(graph: Graph, share: int) -> Iterator[Narrowed]:
    """The mixtures whose channels some share divides."""
    for mixture in mixtures(graph):
        found = _narrowed(mixture, share)
        if found is not None:
            yield found


def mixtures(graph: Graph) -> Iterator[Mixture]:
    """Sums of operations on one source, each with as many channels as it; of those within others the inner ones."""
    readers: dict[str, list[str]] = defaultdict(list)
    for node in graph.nodes.values():
        for i in node.inputs:
            readers[i].append(node.name)
    above = _dominators(graph)
    place = {name: i for i, name in enumerate(graph.nodes)}
    taken: set[str] = set()
    for node in graph.nodes.values():
        path = _choice(node)
        source = graph.nodes.get(above[node.name][0])
        if path is None or source is None or not _passable(source, node):
            continue
        names: set[str] = set()
        stack = [i for i in node.inputs if i != source.name]
        while stack:
            name = stack.pop()
            if name not in names:
                names.add(name)
                stack += [i for i in graph.nodes[name].inputs if i != source.name]
        ours = names | {node.name}
        alone = all(reader in ours for name in names for reader in readers[name])
        acts = any(graph.nodes[name].op != "zero" for name in names)
        if alone and acts and taken.isdisjoint(names) and names.isdisjoint(graph.outputs):
            taken.update(ours)
            yield Mixture(node, source, tuple(graph.nodes[n] for n in sorted(names, key=place.__getitem__)), path)


def _choice(node: Node) -> Path | None:
    """The choice whose answers tell the terms of a sum apart, None where it is not one choice alone."""
    if node.op != "sum" or len(node.inputs) < 2:
        return None
    asked = [g.question for g in node.guards]
    first = asked[0]
    if first is None or first.kind != "choice" or any(q != first for q in asked):
        return None
    if any(then is not TRUE and then is not FALSE for g in node.guards for then in g.then):
        return None
    each = [sum(g.then[i] is TRUE for g in node.guards) for i in range(len(first.options))]
    return first.path if max(each) == 1 else None


def _passable(source: Node, total: Node) -> bool:
    """Whether what is not computed could stand beside what is: maps of the same channels, whole or halved."""
    whole, halved = source.size, tuple((n + 1) // 2 for n in source.size)
    same = source.axis == total.axis and source.axis.plain
    return same and len(whole) == 2 and total.size in (whole, halved)


def _dominators(graph: Graph) -> dict[str, tuple[str, int]]:
    """Of every node the nearest one that every way to it passes, and its depth; ("", 0) where only the outside is."""
    above: dict[str, tuple[str, int]] = {}
    depth = {"": 0}
    for node in graph.nodes.values():
        found = node.inputs[0] if node.inputs else ""
        for other in node.inputs[1:]:
            while found != other:
                if depth[found] >= depth[other]:
                    found = above[found][0]
                else:
                    other = above[other][0]
        above[node.name] = found, depth[found] + 1
        depth[node.name] = depth[found] + 1
    return above


def _narrowed(mixture: Mixture, share: int) -> Narrowed | None:
    """A mixture with its share and the axes of its nodes then, None where no share fits.

    What has the source's channels has a share of them. A width of an operation's own, an expansion say, goes down with
    it; what depends on no channels, as offsets of a deformable kernel or features a head, stays.
    """
    kinds = _kinds(mixture)
    if kinds is None:
        return None
    kind, bound, fixed = kinds
    if bound in fixed:
        return None
    for own in range(share, 1, -1):
        axes = {
            node.name: node.axis
            if kind[node.name] in fixed
            else Axis.of((-(-n // own), g) for n, g in node.axis.segments)
            for node in (mixture.source, *mixture.inside)
        }
        if len(mixture.source.axis) % own == 0 and all(_fits(node, axes) for node in mixture.inside):
            return Narrowed(mixture, own, axes)
    return None


def _kinds(mixture: Mixture) -> tuple[dict[str, str], str, set[str]] | None:
    """Nodes that have equally many channels, by one of them; which the source's are, and which are fixed numbers."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    constant: list[str] = []
    for node in mixture.inside:
        if node.op not in EQUAL | OWN | FIXED:
            return None
        if node.op in EQUAL or (node.op == "conv" and node["depthwise"]):
            for i in node.inputs:
                parent[find(i)] = find(node.name)
        if node.op in FIXED:
            constant += [node.name, *node.inputs]
        if node.op == "deform_conv":
            constant += node.inputs[1:]
    for i in mixture.total.inputs:
        parent[find(i)] = find(mixture.source.name)
    kind = {node.name: find(node.name) for node in (mixture.source, *mixture.inside)}
    return kind, kind[mixture.source.name], {find(name) for name in constant}


def _fits(node: Node, axes: Mapping[str, Axis]) -> bool:
    """Whether a node still has a meaning with the axes that it and its inputs would have."""
    width = len(axes[node.name])
    inputs = [len(axes[i]) for i in node.inputs if i in axes]
    match node.op:
        case "concat":
            return width == sum(inputs)
        case "rest" | "truncate":
            return width <= inputs[0]
        case "group_conv":
            return width % node["groups"] == inputs[0] % node["groups"] == 0
        case "shuffle":
            return width % node["groups"] == 0
        case _ if node.op in EQUAL:
            return all(n == width for n in inputs)
        case _:
            return True


def _mixture(found: Narrowed) -> Iterator[Node]:
    """The operations on the first channels; last their sum, and the other channels."""
    total, source, axes = found.mixture.total, found.mixture.source, found.axes
    here = f"{total.name}/partial"
    first = axes[source.name]
    yield Node(f"{here}/first", "truncate", (source.name,), first, source.size)
    names = {source.name: f"{here}/first"}
    for node in found.mixture.inside:
        names[node.name] = f"{here}/op/{node.name.removeprefix(f'{total.name}/')}"
        inputs = tuple(names[i] for i in node.inputs)
        yield replace(node, name=names[node.name], inputs=inputs, axis=axes[node.name])
    left = Axis.of(len(source.axis) - len(first))
    rest = Node(f"{here}/rest", "rest", (source.name,), left, source.size)
    if total.size != source.size:
        yield rest
        odd = any(n % 2 for n in source.size)
        attrs = (("ceil", odd), ("kernel", 2), ("pad", 0), ("stride", 2))
        rest = Node(f"{here}/pool", "max_pool", (rest.name,), left, total.size, attrs=attrs)
    inputs = tuple(names[i] for i in total.inputs)
    yield replace(total, name=f"{here}/sum", inputs=inputs, axis=first)
    yield rest


def _gathering(graph: Graph, rewritten: Mapping[str, Narrowed]) -> set[str]:
    """Sums of nothing but mixtures of one share that are read nowhere else: the shuffle is linear."""
    reads = Counter([*(i for node in graph.nodes.values() for i in node.inputs), *graph.outputs])
    return {
        node.name
        for node in graph.nodes.values()
        if node.op == "sum"
        and node.name not in rewritten
        and all(i in rewritten and reads[i] == 1 for i in node.inputs)
        and len({rewritten[i].share for i in node.inputs}) == 1
    }


def _joined(node: Node, share: int, computed: Node, beside: Node) -> list[Node]:
    """Both side by side, shuffled, in the place of a node."""
    both = Node(
        f"{node.name}/partial/concat",
        "concat",
        (computed.name, beside.name),
        computed.axis + beside.axis,
        node.size,
        (TRUE, TRUE),
    )
    return [both, Node(node.name, "shuffle", (both.name,), node.axis, node.size, attrs=(("groups", share),))]
