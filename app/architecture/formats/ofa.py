"""Once-for-all's dictionaries of a sub-network (Cai et al., 2020).

    {ks: [20 kernels], e: [20 expansions], d: [5 depths], r: [resolution]}

Each unit has as many kernels and expansions as it can have blocks; those past its depth say nothing. They are not read,
and written as the first option of their block, so that a network is always written alike. One number stands for a list
of it. `r` is read where it is decided, or where it names the height of the space's own input; `wid`, the width
multiplier, belongs to the skeleton and may only be null.
"""

from dataclasses import dataclass
from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.space import Choice, Genotype, Record, Repeat, Scalar, SearchSpace, Value, pointer
from app.space.derived import derived
from app.space.value import is_list, is_object, shown

_FIELDS = ("ks", "e", "d", "r", "wid")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a space: how many blocks it may have, and the first options of a block."""

    name: str
    blocks: int
    kernel: Scalar
    expand: Scalar


@derived
def _units(space: SearchSpace) -> list[Unit]:
    """The units of a space; none where it is another kind of space."""
    grammar = space.grammar
    root = grammar.follow(grammar.root)
    found: list[Unit] = []
    for name, term in root.fields if isinstance(root, Record) and root.builds == "units" else ():
        match grammar.follow(term):
            case Record("unit", (("blocks", blocks),)):
                repeat = grammar.follow(blocks)
                block = grammar.follow(repeat.body) if isinstance(repeat, Repeat) else None
                if not isinstance(repeat, Repeat) or not isinstance(block, Record):
                    return []
                if [field for field, _ in block.fields] != ["kernel", "expand"]:
                    return []
                first = [_first(space, term) for _, term in block.fields]
                if first[0] is None or first[1] is None:
                    return []
                found.append(Unit(name, max(repeat.lengths), first[0], first[1]))
            case _ if name != "resolution":
                return []
            case _:
                continue
    return found


def _first(space: SearchSpace, term: Any) -> Scalar | None:
    """The first option of a choice of numbers."""
    inner = space.grammar.follow(term)
    first = space.grammar.follow(inner.options[0]) if isinstance(inner, Choice) else inner
    return first.value if isinstance(first, Value) else None


def _decides_resolution(space: SearchSpace) -> bool:
    root = space.grammar.follow(space.grammar.root)
    return isinstance(root, Record) and "resolution" in dict(root.fields)


def _list(value: dict[str, Any], name: str, many: int) -> list[Any]:
    """One of the lists, of a known length; a number stands for a list of it."""
    if name not in value:
        raise FormatError("", f"the field {name} is missing", None, _FIELDS)
    items = value[name]
    if isinstance(items, int | float) and not isinstance(items, bool):
        return [items] * many
    if not is_list(items) or len(items) != many:
        message = f"expected a list of {many} or one number, found {shown(items)}"
        raise FormatError(pointer("", name), message, items, (many,))
    return items


def _read(space: SearchSpace, value: object) -> Genotype:
    units = _units(space)
    if not is_object(value):
        raise FormatError("", f"expected an object, found {shown(value)}", value)
    for name in value:
        if name not in _FIELDS:
            raise FormatError(pointer("", name), f"no field {shown(name)} here", name, _FIELDS)
    if value.get("wid") is not None:
        raise FormatError("/wid", "the width multiplier is the skeleton's", value["wid"], (None,))
    slots = sum(unit.blocks for unit in units)
    kernels, expansions = _list(value, "ks", slots), _list(value, "e", slots)
    found: dict[str, Genotype] = {}
    resolution = _resolution(space, value)
    if resolution is not None:
        found["resolution"] = resolution
    start = 0
    for i, (unit, depth) in enumerate(zip(units, _list(value, "d", len(units)), strict=True)):
        if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= unit.blocks:
            message = f"expected a depth up to {unit.blocks}, found {shown(depth)}"
            raise FormatError(f"/d/{i}", message, depth, tuple(range(unit.blocks + 1)))
        active = range(start, start + depth)
        found[unit.name] = {"blocks": [{"kernel": kernels[j], "expand": expansions[j]} for j in active]}
        start += unit.blocks
    return space.plan.normalise(found)


def _resolution(space: SearchSpace, value: dict[str, Any]) -> Any:
    """The resolution where it is decided; FormatError where another than the input's is asked for and is not."""
    given: Any = value.get("r")
    if is_list(given) and len(given) == 1:
        given = given[0]
    if _decides_resolution(space):
        if "r" not in value:
            raise FormatError("", "the field r is missing", None, _FIELDS)
        return given
    if "r" in value and given != space.input.height:
        message = f"{space.name} does not decide the resolution: its input is {space.input.height} high"
        raise FormatError("/r", message, value["r"], (space.input.height,))
    return None


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, Any]:
    whole = cast("dict[str, Any]", genotype)
    kernels: list[Any] = []
    expansions: list[Any] = []
    depths: list[int] = []
    for unit in _units(space):
        blocks = whole[unit.name]["blocks"]
        past = unit.blocks - len(blocks)
        kernels += [block["kernel"] for block in blocks] + [unit.kernel] * past
        expansions += [block["expand"] for block in blocks] + [unit.expand] * past
        depths.append(len(blocks))
    written: dict[str, Any] = {"ks": kernels, "e": expansions, "d": depths}
    return written | ({"r": [whole["resolution"]]} if "resolution" in whole else {})


OFA = Format(
    name="ofa",
    title="{ks, e, d, r}: kernels and expansions of all blocks, depths of the units, perhaps a resolution",
    source="mit-han-lab/once-for-all, ofa/imagenet_classification/elastic_nn/networks/ofa_mbv3.py",
    suits=lambda space: bool(_units(space)),
    read=_read,
    write=_write,
)
