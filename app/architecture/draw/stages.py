"""Mobile networks for drawings: a strip of layers for each stage."""

from collections.abc import Sequence

from app.architecture.cursor import Cursor
from app.architecture.draw.menus import Menus
from app.architecture.draw.panels import ChainSketch
from app.space import MobileSkeleton, Record, SearchSpace


def stages(space: SearchSpace, root: Cursor, menus: Menus) -> tuple[ChainSketch, ...]:
    """The layers of a decided network: by stage, where the space's skeletons agree on them, by unit or by block."""
    match root.builds:
        case "units":
            return tuple(_unit(name, unit, menus) for name, unit in root.fields.items())
        case "mnas":
            return (_blocks(root, menus),)
        case _:
            layers = root["layers"]
            named = isinstance(layers.term, Record)
            choices = list(layers.fields.values()) if named else [item for _, _, item in layers.items()]
            return _dealt(space, [menus.of(choice) for choice in choices], frozenset(menus.asked))


def _dealt(space: SearchSpace, names: Sequence[str], asked: frozenset[str]) -> tuple[ChainSketch, ...]:
    depths = {k.depths for k in space.skeletons.values() if isinstance(k, MobileSkeleton)}
    if len(depths) != 1 or sum(agreed := depths.pop()) != len(names):
        return (ChainSketch("layers", tuple(names), asked=asked),)
    starts = [sum(agreed[:s]) for s in range(len(agreed))]
    return tuple(
        ChainSketch(f"stage {s}", tuple(names[start : start + depth]), asked=asked)
        for s, (start, depth) in enumerate(zip(starts, agreed, strict=True))
    )


def _unit(name: str, unit: Cursor, menus: Menus) -> ChainSketch:
    if name == "resolution":
        return ChainSketch(name, (menus.of(unit),), asked=frozenset(menus.asked))
    items = unit["blocks"].items()
    blocks = tuple(
        menus.mark_if_open(f"mb{menus.of(block['expand'])}_k{menus.of(block['kernel'])}") for _, _, block in items
    )
    return ChainSketch(
        name,
        blocks,
        (*menus.under(f"{unit.path}/blocks"), *menus.lengths(unit["blocks"])),
        frozenset(menus.asked),
        least=menus.least(items),
    )


def _blocks(root: Cursor, menus: Menus) -> ChainSketch:
    """Each as `mb6_k5 se 0.25, identity, x1.25, +1`."""
    rows: list[str] = []
    for block in root.fields.values():
        said = {name: menus.of(block[name]) for name in ("conv", "kernel", "se", "skip", "width", "layers")}
        more = said["layers"] if said["layers"].startswith(("[", "-")) else f"+{said['layers']}"
        parts = [f"{said['conv']}_k{said['kernel']} se {said['se']}", said["skip"], f"x{_short(said['width'])}", more]
        rows.append(menus.mark_if_open(", ".join(parts)))
    notes = ("convolution, kernel, share of squeeze-and-excitation, skip, factor of the width, layers more",)
    asked = frozenset(menus.asked)
    return ChainSketch("blocks", tuple(rows), notes if asked else (), asked)


def _short(number: str) -> str:
    """A number of many digits with three of them; any other text as it is."""
    try:
        return number if len(number) <= 5 else f"{float(number):.3g}"
    except ValueError:
        return number
