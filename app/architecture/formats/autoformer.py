"""AutoFormer's dictionaries of a sampled network (Chen et al., 2021).

    {layer_num: 13, mlp_ratio: [3.0, ...], num_heads: [6, ...], embed_dim: [384, ...]}

One entry a layer; `embed_dim` is the same throughout, and may be one number. The names of its configuration files,
DEPTH, MLP_RATIO, NUM_HEADS and EMBED_DIM, are read as well.
"""

from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.space import Genotype, Record, Repeat, SearchSpace, pointer
from app.space.value import is_list, is_object, shown

_NAMES = {"layer_num": "DEPTH", "mlp_ratio": "MLP_RATIO", "num_heads": "NUM_HEADS", "embed_dim": "EMBED_DIM"}


def _suits(space: SearchSpace) -> bool:
    """Whether an embedding, heads and ratios are all that is decided."""
    follow = space.grammar.follow
    root = follow(space.grammar.root)
    if (
        not isinstance(root, Record)
        or root.builds != "transformer"
        or [n for n, _ in root.fields] != ["embed", "layers"]
    ):
        return False
    layers = follow(root.fields[1][1])
    layer = follow(layers.body) if isinstance(layers, Repeat) else layers
    return isinstance(layer, Record) and [name for name, _ in layer.fields] == ["heads", "mlp_ratio"]


def _entries(value: object, at: str, many: int) -> list[Any]:
    """A list with an entry a layer."""
    if not is_list(value) or len(value) != many:
        raise FormatError(at, f"expected a list of {many}, an entry a layer, found {shown(value)}", value, (many,))
    return value


def _read(space: SearchSpace, value: object) -> Genotype:
    if not is_object(value):
        raise FormatError("", f"expected an object, found {shown(value)}", value)
    names = {name: upper if upper in value else name for name, upper in _NAMES.items()}
    for key in value:
        if key not in names.values():
            raise FormatError(pointer("", key), f"no field {shown(key)} here", key, tuple(names.values()))
    for name in names.values():
        if name not in value:
            raise FormatError("", f"the field {name} is missing", None, tuple(names.values()))
    places = {name: pointer("", key) for name, key in names.items()}
    found = {name: value[key] for name, key in names.items()}
    many = found["layer_num"]
    if isinstance(many, bool) or not isinstance(many, int) or many < 0:
        raise FormatError(places["layer_num"], f"expected a number of layers, found {shown(many)}", many)
    heads, ratios = (_entries(found[name], places[name], many) for name in ("num_heads", "mlp_ratio"))
    embed = found["embed_dim"]
    if is_list(embed):
        widths = _entries(embed, places["embed_dim"], many)
        for i, width in enumerate(widths):
            if width != widths[0]:
                at = pointer(places["embed_dim"], str(i))
                raise FormatError(at, f"one embedding for all layers, {shown(widths[0])}", width, (widths[0],))
        if not widths:
            raise FormatError(places["embed_dim"], "no layer tells the embedding", embed)
        embed = widths[0]
    layers = [{"heads": h, "mlp_ratio": r} for h, r in zip(heads, ratios, strict=True)]
    return space.plan.normalise({"embed": embed, "layers": layers})


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, Any]:
    whole = cast("dict[str, Any]", genotype)
    layers = whole["layers"]
    return {
        "layer_num": len(layers),
        "mlp_ratio": [layer["mlp_ratio"] for layer in layers],
        "num_heads": [layer["heads"] for layer in layers],
        "embed_dim": [whole["embed"]] * len(layers) or whole["embed"],
    }


AUTOFORMER = Format(
    name="autoformer",
    title="{layer_num, mlp_ratio, num_heads, embed_dim}, an entry a layer",
    source="microsoft/Cream, AutoFormer/experiments/subnet",
    suits=_suits,
    read=_read,
    write=_write,
)
