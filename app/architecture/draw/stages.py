"""Mobile networks for drawings: a strip of layers for each stage."""

from collections.abc import Sequence

from app.architecture.cursor import Cursor
from app.architecture.draw.panels import ChainSketch
from app.space import MobileSkeleton, Record, SearchSpace


def stages(space: SearchSpace, root: Cursor) -> tuple[ChainSketch, ...]:
    """The layers of a decided network: by stage, where the space's skeletons agree on them, by unit or by block."""
    match root.builds:
        case "units":
            return tuple(_unit(name, unit) for name, unit in root.fields.items())
        case "mnas":
            return (ChainSketch("blocks", tuple(_block(block) for block in root.fields.values())),)
        case _:
            layers = root["layers"]
            named = isinstance(layers.term, Record)
            choices = list(layers.fields.values()) if named else [item for _, _, item in layers.items()]
            return _dealt(space, [_value(choice) for choice in choices])


def _dealt(space: SearchSpace, names: Sequence[str]) -> tuple[ChainSketch, ...]:
    depths = {k.depths for k in space.skeletons.values() if isinstance(k, MobileSkeleton)}
    if len(depths) != 1 or sum(agreed := depths.pop()) != len(names):
        return (ChainSketch("layers", tuple(names)),)
    starts = [sum(agreed[:s]) for s in range(len(agreed))]
    return tuple(
        ChainSketch(f"stage {s}", tuple(names[start : start + depth]))
        for s, (start, depth) in enumerate(zip(starts, agreed, strict=True))
    )


def _unit(name: str, unit: Cursor) -> ChainSketch:
    if name == "resolution":
        return ChainSketch(name, (_value(unit),))
    blocks = [block for _, _, block in unit["blocks"].items()]
    return ChainSketch(name, tuple(f"mb{_value(block['expand'])}_k{_value(block['kernel'])}" for block in blocks))


def _block(block: Cursor) -> str:
    """As `mb6_k5 se 0.25, identity, x1.25, +1`."""
    said = {name: _value(field) for name, field in block.fields.items()}
    more = int(said["layers"])
    parts = [f"{said['conv']}_k{said['kernel']} se {said['se']}", said["skip"], f"x{said['width']}", f"{more:+d}"]
    return ", ".join(parts)


def _value(choice: Cursor) -> str:
    return str(choice.values()[0][1])
