"""Networks of named layers as numbers, one a layer, each the index of its operation in a published list.

nasbench-macro    22212220          Su et al., 2021: identity, mb3_k3, mb6_k5
fbnet             [0, 8, 3, ...]    Wu et al., 2019, in the order of HW-NAS-Bench (Li et al., 2021)
proxylessnas      [0, 6, 3, ...]    Cai et al., 2019: the candidates of its search, zero last
"""

import re
from collections.abc import Iterator
from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.reader import Reader
from app.space import Choice, Genotype, Record, Repeat, Scalar, SearchSpace, Term, Value
from app.space.value import is_list, is_object, shown

MACRO = ("identity", "mb3_k3", "mb6_k5")
FBNET_BLOCKS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
PROXYLESS = ("mb3_k3", "mb6_k3", "mb3_k5", "mb6_k5", "mb3_k7", "mb6_k7", "zero")

_DIGIT, _END = re.compile(r"\d"), re.compile(r"\s*+\Z")


def _layers(space: SearchSpace) -> Repeat | Record | None:
    """The layers of a network of named operations; None of another kind of space."""
    follow = space.grammar.follow
    match follow(space.grammar.root):
        case Record("mobile", (("layers", term),)):
            layers = follow(term)
            return layers if isinstance(layers, Repeat | Record) else None
        case _:
            return None


def _names(space: SearchSpace) -> set[Scalar | None]:
    """What the layers may be; None among it where that is no name."""
    layers, follow = _layers(space), space.grammar.follow

    def names(term: Term) -> Iterator[Scalar | None]:
        match follow(term):
            case Value(value):
                yield value
            case Choice(options):
                for option in options:
                    yield from names(option)
            case _:
                yield None

    terms = [layers.body] if isinstance(layers, Repeat) else [t for _, t in layers.fields] if layers else []
    return {name for term in terms for name in names(term)}


def _genotype(space: SearchSpace, names: list[str]) -> Genotype:
    """The member with these layers; FormatError where they are too many or too few for named positions."""
    layers = _layers(space)
    if isinstance(layers, Record):
        if len(names) != len(layers.fields):
            many = len(layers.fields)
            raise FormatError(
                "", f"expected a number for each of {many} layers, found {len(names)}", len(names), (many,)
            )
        return space.plan.normalise({"layers": dict(zip([name for name, _ in layers.fields], names, strict=True))})
    return space.plan.normalise({"layers": list(names)})


def _indices(genotype: Genotype, operations: tuple[str, ...]) -> list[int]:
    layers = cast("dict[str, Any]", genotype)["layers"]
    return [operations.index(name) for name in (layers.values() if is_object(layers) else layers)]


def _read_list(space: SearchSpace, value: object, operations: tuple[str, ...]) -> Genotype:
    if not is_list(value):
        raise FormatError("", f"expected a list of numbers, found {shown(value)}", value)
    names: list[str] = []
    for i, index in enumerate(value):
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(operations):
            message = f"expected a number below {len(operations)}, found {shown(index)}"
            raise FormatError(f"/{i}", message, index, tuple(range(len(operations))))
        names.append(operations[index])
    return _genotype(space, names)


def _read_digits(space: SearchSpace, value: object, operations: tuple[str, ...]) -> Genotype:
    reader = Reader(value)
    allowed = tuple(map(str, range(len(operations))))
    names: list[str] = []
    while (digit := reader.accept(_DIGIT)) is not None:
        if digit[0] not in allowed:
            raise reader.error(digit.start(), f"expected {' or '.join(allowed)}, found {digit[0]!r}", digit[0], allowed)
        names.append(operations[int(digit[0])])
    reader.expect(_END, "a digit", "the end")
    return _genotype(space, names)


def _format(name: str, title: str, source: str, operations: tuple[str, ...], *, digits: bool) -> Format:
    read = _read_digits if digits else _read_list

    def write(space: SearchSpace, genotype: Genotype) -> Any:
        indices = _indices(genotype, operations)
        return "".join(map(str, indices)) if digits else indices

    return Format(
        name=name,
        title=title,
        source=source,
        suits=lambda space: bool(names := _names(space)) and names <= set(operations),
        read=lambda space, value: read(space, value, operations),
        write=write,
    )


NASBENCH_MACRO = _format(
    "nasbench-macro",
    "22212220 as text, a digit a layer: 0 identity, 1 mb3_k3, 2 mb6_k5",
    "xiusu/NAS-Bench-Macro, data/nas-bench-macro_cifar10.json",
    MACRO,
    digits=True,
)
FBNET = _format(
    "fbnet",
    "op_idx_list, a number a layer",
    "GATECH-EIC/HW-NAS-Bench",
    FBNET_BLOCKS,
    digits=False,
)
PROXYLESSNAS = _format(
    "proxylessnas",
    "Indices of the chosen candidates, a number a layer, zero being 6",
    "mit-han-lab/proxylessnas, search/models/super_nets/super_proxyless.py",
    PROXYLESS,
    digits=False,
)
