"""Folding: which places of a graph become classes of their own, found from the names of its nodes.

A name is a path, and what lies below one prefix is a *scope*. A scope with one output can be a module; scopes that
differ in their numbers alone share one class. A scope whose maps are all tied to those of another is that module
called again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.architecture.graph import Graph
from app.architecture.source.operations import form, numbers, stateful

MANY = 6  # numbers in which small scopes of one class may differ
LARGE = 8  # steps of a scope that is a class even where it stands alone

Signature = int


@dataclass(frozen=True, slots=True)
class Scope:
    """The nodes below a prefix, in the order of the graph."""

    at: str
    nodes: tuple[str, ...]
    output: str
    reads: tuple[tuple[int, int], ...]  # (node, input) that come from outside
    source: str | None  # the scope whose module this one calls again


def below(name: str, at: str) -> str:
    """A name within a prefix; empty of the prefix itself."""
    return name if not at else name[len(at) + 1 :]


def prefixes(name: str) -> list[str]:
    """Everything above a name, the longest last, then the name itself."""
    words = name.split("/")
    return ["/".join(words[: i + 1]) for i in range(len(words))]


class Folding:
    """The classes of a graph: `chosen` says of a scope which signature it is an instance of."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._readers: dict[str, list[str]] = {}
        for node in graph.nodes.values():
            for i in node.inputs[:1] if node.op == "tied_linear" else node.inputs:
                self._readers.setdefault(i, []).append(node.name)
        self._ids: dict[object, Signature] = {}
        self.scopes: dict[str, Scope] = {}
        self.signatures: dict[str, Signature] = {}
        self._find()
        self.instances: dict[Signature, list[str]] = {}
        for at, signature in self.signatures.items():
            self.instances.setdefault(signature, []).append(at)
        self.chosen: dict[str, Signature] = {}
        self._choose()

    def chain(self, name: str, at: str = "") -> list[str]:
        """The chosen scopes within `at` that hold a node, the widest first."""
        return [p for p in prefixes(name) if p in self.chosen and len(p) > len(at) and name in self._members[p]]

    # -- scopes

    def _find(self) -> None:
        members: dict[str, list[str]] = {}
        for name in self.graph.nodes:
            for prefix in prefixes(name):
                members.setdefault(prefix, []).append(name)
        longest: dict[tuple[str, ...], str] = {}
        for prefix, names in members.items():
            if len(names) > 1 and len(names) < len(self.graph.nodes):
                nodes = tuple(names)
                if len(prefix) > len(longest.get(nodes, "")):
                    longest[nodes] = prefix
        self._members = {prefix: frozenset(nodes) for nodes, prefix in longest.items()}
        for nodes, prefix in sorted(longest.items(), key=lambda item: len(item[0])):
            found = self._scope(prefix, nodes)
            if found is not None:
                self.scopes[prefix] = found
                self.signatures[prefix] = self._signature(found)
        for at, scope in list(self.scopes.items()):
            same = scope.source is None or self.signatures.get(scope.source) == self.signatures[at]
            if not same or (scope.source is not None and self.scopes[scope.source].source is not None):
                del self.scopes[at], self.signatures[at]
        order = {name: i for i, name in enumerate(self.graph.nodes)}
        self.scopes = dict(sorted(self.scopes.items(), key=lambda item: order[item[1].nodes[0]]))
        self.signatures = {at: self.signatures[at] for at in self.scopes}

    def _scope(self, at: str, names: tuple[str, ...]) -> Scope | None:
        inside = self._members[at]
        nodes = [self.graph.nodes[name] for name in names]
        if any(n.op == "input" or (n.name == at and stateful(self.graph, n)) for n in nodes):
            return None
        outputs = [
            n for n in names if n in self.graph.outputs or any(r not in inside for r in self._readers.get(n, ()))
        ]
        if len(outputs) != 1:
            return None
        tied = [n for n in nodes if n.op == "tied_linear" and n.inputs[1] not in inside]
        sources = {n.inputs[1].removesuffix(f"/{below(n.name, at)}") for n in tied}
        if tied and (len(sources) > 1 or any(stateful(self.graph, n) for n in nodes)):
            return None
        reads = tuple(
            (i, k)
            for i, n in enumerate(nodes)
            for k, source in enumerate(n.inputs)
            if source not in inside and not (k and n.op == "tied_linear")
        )
        return Scope(at, names, outputs[0], reads, sources.pop() if sources else None)

    def _signature(self, scope: Scope) -> Signature:
        places = {name: i for i, name in enumerate(scope.nodes)}
        lines: list[object] = []
        for name in scope.nodes:
            node = self.graph.nodes[name]
            inputs = node.inputs if node.op != "tied_linear" else node.inputs[:1]
            tie = places.get(node.inputs[1]) if node.op == "tied_linear" else None
            refs = tuple([places.get(i, -1) for i in inputs])
            lines.append((below(name, scope.at), form(self.graph, node), refs, tie))
        return self._ids.setdefault(tuple(lines), len(self._ids))

    # -- classes

    def slots(self, signature: Signature) -> list[tuple[tuple[int, int], ...]]:
        """The inputs of a class: reads from outside that are one value at every instance."""
        instances = [self.scopes[at] for at in self.instances[signature]]
        found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        for i, k in instances[0].reads:
            vector = tuple([self.graph.nodes[s.nodes[i]].inputs[k] for s in instances])
            found.setdefault(vector, []).append((i, k))
        return [tuple(places) for places in found.values()]

    def _above(self, at: str) -> str:
        """The scope right above, or nothing of the whole."""
        return next((p for p in reversed(prefixes(at)[:-1]) if p in self.scopes), "")

    def steps(self, at: str) -> int:
        """The lines that the body of a scope would have: nodes, and chosen scopes as one each."""
        return len({next(iter(self.chain(name, at)), name) for name in self.scopes[at].nodes})

    def _differences(self, instances: list[str]) -> int:
        """The numbers that are not the same at all instances, those that always agree counted once."""
        nodes = [[self.graph.nodes[n] for n in self.scopes[at].nodes] for at in instances]
        rows = [[v for n in members for v in numbers(self.graph, n).values()] for members in nodes]
        return len({column for column in zip(*rows, strict=True) if len(set(column)) > 1})

    def _choose(self) -> None:
        for signature, instances in sorted(self.instances.items(), key=lambda item: len(self.scopes[item[1][0]].nodes)):
            first = self.scopes[instances[0]]
            places = {(self.signatures.get(self._above(at)), below(at, self._above(at))) for at in instances}
            alike = len(places) > 1 and len(self.slots(signature)) == 1 and self._differences(instances) <= MANY
            holds = any(stateful(self.graph, self.graph.nodes[n]) for n in first.nodes)
            if (alike and holds) or self.steps(first.at) >= LARGE:
                self.chosen |= dict.fromkeys(instances, signature)


def classes(folding: Folding) -> Mapping[Signature, list[str]]:
    """The chosen signatures with their instances, inner ones first."""
    order = sorted(set(folding.chosen.values()), key=lambda s: len(folding.scopes[folding.instances[s][0]].nodes))
    return {signature: folding.instances[signature] for signature in order}
