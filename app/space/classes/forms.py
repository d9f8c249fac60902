"""Forms of edge cells: what a cell computes, written so that equal forms mean equal cells, under three readings.

    nats-string         the unique string of NATS-Bench (Dong et al., 2021), its zero rule included: skip is identity,
                        an operation on a node that is written as zero is zero, but a sum of zeros is not
    functional          skip is identity, none is zero, an operation on zero is zero, a sum is a multiset of its terms
    pruned-isomorphism  edges that are none or on no way from input to output are dropped; inner nodes have no order

A form is hashable; the classes of a space are the different forms of its members. Nodes are 0 (input) to n (output).
"""

from collections.abc import Callable, Hashable, Mapping
from itertools import permutations

Edges = Mapping[tuple[int, int], str]  # (i, j) -> the operation on the edge i->j


def nats_string(edges: Edges) -> Hashable:
    """The string of the output node; `#` is zero."""
    texts = {0: "0"}
    for node in range(1, _last(edges) + 1):
        terms: list[str] = []
        for (source, target), operation in sorted(edges.items()):
            if target == node:
                text = texts[source]
                if operation == "none" or text == "#":
                    terms.append("#")
                else:
                    terms.append(text if operation == "skip_connect" else f"({text})@{operation}")
        texts[node] = "+".join(sorted(terms))
    return texts[_last(edges)]


def functional(edges: Edges) -> Hashable:
    """The multiset of terms that the output node adds; a term is the input or an operation on a multiset of terms."""
    sums: dict[int, tuple[str, ...]] = {0: ("x",)}
    for node in range(1, _last(edges) + 1):
        terms: list[str] = []
        for (source, target), operation in edges.items():
            if target == node and operation != "none" and sums[source]:
                inner = sums[source]
                terms.extend(inner if operation == "skip_connect" else (f"{operation}({'+'.join(inner)})",))
        sums[node] = tuple(sorted(terms))
    return sums[_last(edges)]


def pruned_isomorphism(edges: Edges) -> Hashable:
    """The edges that lie on a way from input to output, under the smallest naming of the inner nodes."""
    last = _last(edges)
    present = {edge: operation for edge, operation in edges.items() if operation != "none"}
    ahead, back = {0}, {last}
    for source, target in sorted(present):
        if source in ahead:
            ahead.add(target)
    for source, target in sorted(present, reverse=True):
        if target in back:
            back.add(source)
    kept = {(i, j): operation for (i, j), operation in present.items() if i in ahead and j in back}
    inner = range(1, last)
    return min(
        tuple(sorted((names[i], names[j], operation) for (i, j), operation in kept.items()))
        for moved in permutations(inner)
        for names in [{0: 0, last: last, **dict(zip(inner, moved, strict=True))}]
    )


FORMS: Mapping[str, Callable[[Edges], Hashable]] = {
    "nats-string": nats_string,
    "functional": functional,
    "pruned-isomorphism": pruned_isomorphism,
}


def _last(edges: Edges) -> int:
    return max(target for _, target in edges)
