"""Every operation of the catalogue, built in torch: what it holds, runs and puts out is what is said of it.

Nothing is skipped: the tests walk the catalogue. Operations with a name are lowered by it, blocks by names that spell
a grid of their fields, what stands between levels by the structures that name it.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.architecture import OPERATIONS, TRUE, Graph, Layers, count, lower_operation, macs
from app.architecture.cursor import Cursor
from app.architecture.lower import fpn, free
from app.architecture.lower.pyramid import resample
from app.architecture.vocabulary import BETWEEN_LEVELS, BLOCKS, CATALOGUE, Operation, Place, operation_of
from app.architecture.vocabulary.blocks import spelling_of
from app.space import Grammar, Value, record
from workers.network import Network

pytestmark = pytest.mark.usefixtures("exactly")

WIDTHS = ((4, 4), (6, 4), (3, 5), (2, 8))
SIZES = ((8, 8), (7, 9), (2, 5), (1, 1))

# A grid of the fields of every block, as names spell them
SPELT = {
    "mbconv": [
        f"mb{e}_k{k}{se}{act}"
        for k, e, se, act in product((3, 7), (1, 2.5, 4), ("", "_se"), ("", "_relu6", "_hswish"))
        if (k, act) != (7, "_relu6")
    ],
    "attention": [
        f"{kind}attention_h{heads}_d{head_dim}{norm}"
        for kind, (heads, head_dim), norm in product(
            ("", "multi_query_", "linear_"), ((1, 4), (3, 5), (8, 2)), ("", "_post")
        )
    ],
    "ffn": [f"ffn_{kind}_r{ratio}{norm}" for kind, ratio, norm in product(("gelu", "swiglu"), (1, 3), ("", "_post"))],
}
LAYERS: list[dict[str, Any]] = [
    {"attention": a, "ffn": f, "norm": n, "heads": heads, "head_dim": d, "mlp_ratio": ratio}
    for a, f, n, (heads, d, ratio) in product(
        ("softmax", "multi_query", "linear"), ("gelu", "swiglu"), ("pre", "post"), ((1, 4, 4.0), (3, 2, 1.5))
    )
]

# At stride 1 alone: merges, and the layer of a transformer
ONCE = {"sum", "concat", "global_pool_attention", "layer"}

# Parameters that no output feels, and why
UNFELT = {
    "k.bias": "softmax does not change where every key moves",
    "depth/norm.bias": "the norm after the next convolution subtracts it",
}


class Counter:
    """Multiply-adds and outputs of what runs, by hooks; divided by the samples."""

    def __init__(self, network: nn.Module) -> None:
        self.macs = self.activations = 0
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(self.count)

    def count(self, module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module.weight, Tensor)
        self.macs += module.weight[0].numel() * output[0].numel()
        self.activations += output[0].numel()


def places(strides: tuple[int, ...] = (1, 2)) -> Iterator[Place]:
    """Widths, odd and even extents, strides; norms that learn and those that do not, with either stride."""
    for i, ((channels, width), size) in enumerate(zip(WIDTHS, SIZES, strict=True)):
        for stride in strides:
            affine = (i + stride) % 2 == 0
            yield Place(channels=channels, width=width, size=size, stride=stride, affine=affine)


def built(operation: Operation, place: Place) -> Graph:
    """An operation at a place as a graph, however structures name it."""
    at = {"channels": place.channels, "width": place.width, "size": place.size, "stride": place.stride}
    name, b = operation.name, Layers(affine=place.affine)
    if name == "layer":
        term = record("layer", **{field: Value(value) for field, value in place.fields})
        x = b.input("x", place.channels, place.size)
        return b.finish([free.build(b, "layer", Cursor.root(Grammar({"net": term}, "net"), {}), x)])
    if operation.family == "merge":
        inputs = [(TRUE, b.input(f"x{i}", place.channels, place.size)) for i in (0, 1)]
        return b.finish([fpn.merged(b, "merge", name, inputs, place.width)])
    if operation.family == "resizing":
        x, steps = b.input("x", place.channels, place.size), place.stride.bit_length() - 1
        _, *extents = operation.shape(place)
        levels = (3, 3 + steps) if name == "downsample" else (3 + steps, 3)
        if name == "resize_bilinear":
            return b.finish([b.resize("resize", x, tuple(extents), "bilinear")])
        return b.finish([resample(b, "resample", x, levels, tuple(extents))])
    return lower_operation(name, **at, affine=place.affine)


def members(name: str) -> Iterator[tuple[Operation, Place]]:
    """An entry of the catalogue wherever it can stand; a block by everything that its grid spells."""
    entry = CATALOGUE[name]
    if name == "layer":
        for i, place in enumerate(places(strides=(1,))):
            fields = LAYERS[i::4]
            square = replace(place, width=place.channels)
            yield from ((entry, replace(square, fields=tuple(f.items()))) for f in fields)
    elif name in BLOCKS:
        for i, spelling in enumerate(SPELT[name]):
            operation = spelling_of(spelling)
            assert operation is not None
            yield from ((operation, place) for j, place in enumerate(places()) if (i + j) % 4 == 0)
    elif name in BETWEEN_LEVELS:
        strides = (1,) if entry.family == "merge" else (1, 2, 4)
        for place in places(strides=strides):
            yield entry, replace(place, width=place.channels) if entry.keeps else place
    else:
        yield from ((entry, place) for place in places() if entry.refuses(place) is None)


@pytest.mark.parametrize("name", CATALOGUE)
def test_it_holds_runs_and_puts_out_what_is_said_of_it(name: str) -> None:
    found = list(members(name))
    assert len({(place.stride, place.affine) for _, place in found}) >= (2 if name in ONCE else 4)
    for operation, place in found:
        assert operation.refuses(place) is None
        graph = built(operation, place)
        network = Network(graph).eval()
        counter = Counter(network)
        images = {n.name: torch.randn(2, place.channels, *place.size) for n in graph.nodes.values() if n.op == "input"}
        with torch.no_grad():
            y = network(images if len(images) > 1 else next(iter(images.values())))
        held = sum(p.numel() for p in network.parameters())
        assert y.shape == (2, *operation.shape(place))
        assert operation.count(place) == (held, counter.macs, counter.activations)
        assert operation.price(place) == (held, counter.macs) == (count(graph), macs(graph))


@pytest.mark.parametrize("name", CATALOGUE)
def test_gradients_reach_every_parameter(name: str) -> None:
    felt: set[str] = set()
    for stride, width in ((1, 4), (2, 6)):
        entry = CATALOGUE[name]
        strides = next(field.values for field in entry.fields if field.name == "stride")
        if stride not in strides:
            continue
        place = Place(channels=4, width=4 if entry.keeps else width, size=(6, 5), stride=stride)
        grid = LAYERS if name == "layer" else [{}]
        names = SPELT.get(name, [name])
        for fields, spelling in product(grid, names):
            operation = operation_of(spelling)
            assert operation is not None
            graph = built(operation, replace(place, fields=tuple(fields.items())))
            network = Network(graph).train()
            inputs = [n.name for n in graph.nodes.values() if n.op == "input"]
            images = {at: (torch.randn(3, 4, 6, 5) + torch.randn(3, 4, 1, 1)).requires_grad_() for at in inputs}
            y = network(images if len(images) > 1 else next(iter(images.values())))
            if not y.requires_grad:
                assert entry.family == "no connection"
                continue
            (y * torch.randn_like(y)).sum().backward()
            for at, parameter in network.named_parameters():
                assert parameter.grad is not None, at
                assert parameter.grad.isfinite().all(), at
                moved = bool(parameter.grad.abs().max() > 1e-9)
                assert moved or any(at.endswith(end) for end in UNFELT), at
                felt.add(at)
            assert entry.family == "no connection" or all(x.grad is not None for x in images.values())
    assert felt or not entry.params.strip("0") or entry.family == "no connection"


def test_the_grids_cover_the_catalogue() -> None:
    assert set(CATALOGUE) == set(OPERATIONS) | set(BETWEEN_LEVELS) | set(BLOCKS)
    assert set(BLOCKS) == {*SPELT, "layer"}
    for block, names in SPELT.items():
        own = [f for f in BLOCKS[block].fields if f.values and f.name not in ("stride", "affine")]
        spelt = [operation for name in names if (operation := spelling_of(name)) is not None]
        assert len(spelt) == len(names)
        for field in own:
            assert {operation.fixed[field.name] for operation in spelt} == set(field.values)
    for field in BLOCKS["layer"].fields:
        if field.values and field.name not in ("stride", "affine"):
            assert {layer[field.name] for layer in LAYERS} == set(field.values)
