"""The `Genotype(...)` text of DARTS' recurrent cells (Liu et al., 2019, `rnn/genotypes.py`).

    Genotype(recurrent=[('tanh', 0), ('relu', 1), ...], concat=range(1, 9))

One pair (activation, earlier state) a node, nodes in their order; the mean is over all nodes, so that `concat`, a range
or a list, says nothing new and may be left out.
"""

import re
from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.reader import Reader
from app.space import Choice, Genotype, Record, SearchSpace, Term, Value

_START = re.compile(r"\s*+(?:\w++\s*+=\s*+)?Genotype\s*+\(\s*+recurrent\s*+=\s*+[\[(]\s*+")
_PAIR = re.compile(r"""[(\[]\s*+(?:'([\w.+-]++)'|"([\w.+-]++)")\s*+,\s*+(\d{1,9})\s*+,?+\s*+[)\]]""")
_COMMA = re.compile(r"\s*+,\s*+")
_CLOSE = re.compile(r"\s*+,?+\s*+[\])]")
_CONCAT = re.compile(r"\s*+,\s*+concat\s*+=\s*+")
_STATES = re.compile(r"[\[(]([\d\s,]*+)[\])]")
_RANGE = re.compile(r"(list\s*+\(\s*+)?range\s*+\(\s*+(\d{1,4})\s*+,\s*+(\d{1,4})\s*+\)(?(1)\s*+\))")
_END = re.compile(r"\s*+,?+\s*+\)\s*+\Z")

Nodes = dict[str, tuple[tuple[object, ...], tuple[object, ...]]]  # the states and the activations of each


def _values(space: SearchSpace, term: Term) -> tuple[object, ...]:
    term = space.grammar.follow(term)
    options = map(space.grammar.follow, term.options) if isinstance(term, Choice) else [term]
    return tuple([o.value for o in options if isinstance(o, Value)])


def _nodes(space: SearchSpace) -> Nodes | None:
    """The nodes of a recurrent cell; None of another kind of space."""
    root = space.grammar.follow(space.grammar.root)
    if not isinstance(root, Record) or root.builds != "recurrent":
        return None
    nodes: Nodes = {}
    for name, term in root.fields:
        match space.grammar.follow(term):
            case Record(_, (("input", source), ("activation", activation))):
                nodes[name] = (_values(space, source), _values(space, activation))
            case _:
                return None
    return nodes


def _read(space: SearchSpace, value: object) -> Genotype:
    nodes = _nodes(space)
    if nodes is None:
        raise FormatError("", f"{space.name} is no space of recurrent cells", space.name)
    reader = Reader(value)
    reader.expect(_START, "Genotype(recurrent=[")
    found: dict[str, Genotype] = {}
    for name, (states, activations) in nodes.items():
        if found:
            reader.expect(_COMMA, f"a comma and the pair of {name}")
        pair = reader.expect(_PAIR, f"('activation', state) of {name}")
        quoted = 1 if pair[1] else 2
        if pair[quoted] not in activations:
            raise reader.error(pair.start(quoted), f"no activation {pair[quoted]!r}", pair[quoted], activations)
        if int(pair[3]) not in states:
            raise reader.error(pair.start(3), f"{name} does not read state {pair[3]}", int(pair[3]), states)
        found[name] = {"input": int(pair[3]), "activation": pair[quoted]}
    reader.expect(_CLOSE, "] after the last node")
    if reader.accept(_CONCAT):
        at, wanted = reader.at, list(range(1, 1 + len(nodes)))
        bounds = reader.accept(_RANGE)
        if bounds:
            states = list(range(int(bounds[2]), int(bounds[3])))
        else:
            listed = reader.expect(_STATES, "[1, 2, ...]", "range(1, ...)")
            states = [int(state) for state in listed[1].replace(",", " ").split()]
        if sorted(states) != wanted:
            raise reader.error(at, f"the mean is over all nodes, {wanted}, not {states}", states, (wanted,))
    reader.expect(_END, "the last )")
    return space.plan.normalise(found)


def _write(space: SearchSpace, genotype: Genotype) -> str:
    steps = list(cast("dict[str, Any]", genotype).values())
    pairs = [(step["activation"], step["input"]) for step in steps]
    return f"Genotype(recurrent={pairs}, concat=range(1, {1 + len(steps)}))"


DARTS_RNN = Format(
    name="darts-rnn",
    title="Genotype(recurrent=[('tanh', 0), ...], concat=range(1, 9)) as text",
    source="quark0/darts, rnn/genotypes.py",
    suits=lambda space: _nodes(space) is not None,
    read=_read,
    write=_write,
)
