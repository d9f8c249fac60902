"""Every operation states its costs twice, as text and as code; the graph counts them a third time."""

from dataclasses import replace
from itertools import product

import pytest

from app.architecture import OPERATIONS, TRUE, Layers, Operation, cost, count, lower_operation, macs
from app.architecture.lower import fpn
from app.architecture.lower.fpn import MERGES
from app.architecture.lower.operation import BUILDERS
from app.architecture.lower.pyramid import resample
from app.architecture.vocabulary import BETWEEN_LEVELS, Place
from app.architecture.vocabulary.mobile import squeezed

PLACES = [
    Place(channels=c, width=d, size=size, stride=s, affine=affine)
    for (c, d), size, s, affine in product(((6, 6), (4, 8), (5, 3)), ((8, 8), (7, 10)), (1, 2), (True, False))
]


def evaluated(formula: str, place: Place) -> int:
    """A formula of the vocabulary as a number."""
    rows, columns = place.output
    letters = {
        "C": place.channels,
        "D": place.width,
        "H": rows,
        "W": columns,
        "h": place.size[0],
        "w": place.size[1],
        "M": squeezed,
        "n": 2 if place.affine else 0,
        "c": int(place.channels != place.width),
        "r": int(place.channels != place.width or place.stride != 1),
    }
    return eval(formula.replace("²", "**2").replace("·", "*"), {"__builtins__": {}}, letters)


def test_the_vocabulary_is_what_can_be_built() -> None:
    assert set(OPERATIONS) == set(BUILDERS)
    assert all(name == operation.name for name, operation in OPERATIONS.items())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_formulas_code_and_graph_agree(operation: Operation) -> None:
    for place in PLACES:
        if "groups=2" in operation.fields and (place.channels % 2 or place.width % 2):
            continue  # two groups want even numbers
        graph = lower_operation(
            operation.name,
            channels=place.channels,
            width=place.width,
            size=place.size,
            stride=place.stride,
            affine=place.affine,
        )
        output = graph.nodes[graph.outputs[0]]
        assert (len(output.axis), output.size) == (place.width, place.output)
        counted = count(graph), macs(graph)
        assert operation.price(place) == counted
        assert (evaluated(operation.params, place), evaluated(operation.macs, place)) == counted
        total = cost(graph)
        assert (total.params, total.macs) == counted


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_everything_is_said(operation: Operation) -> None:
    assert operation.title
    assert operation.source
    assert operation.domain in ("classification", "mobile", "detection", "segmentation", "transformer")
    assert {"channels", "width", "stride"} <= set(operation.fields)
    assert operation.shape_rule.startswith("(C, h, w)")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "pool" in name])
def test_a_norm_after_pooling_learns_nothing(name: str) -> None:
    with_norm = lower_operation(name, channels=4, norm_after_pool=True)
    assert [node.op for node in with_norm.nodes.values()][-1] == "batch_norm"
    assert count(with_norm) == 0


@pytest.mark.parametrize("name", MERGES)
def test_merges_cost_what_their_formulas_say(name: str) -> None:
    for place in PLACES:
        width = place.width if name == "concat" else place.channels
        b = Layers(affine=place.affine)
        inputs = [(TRUE, b.input(at, place.channels, place.size)) for at in ("a", "b")]
        where = replace(place, width=width, stride=1)
        output = fpn.merged(b, "merge", name, inputs, width)
        graph = b.finish([output])
        assert (len(output.axis), output.size) == (width, place.size)
        merge = BETWEEN_LEVELS[name]
        counted = count(graph), macs(graph)
        assert merge.price(where) == counted
        assert (evaluated(merge.params, where), evaluated(merge.macs, where)) == counted


@pytest.mark.parametrize("operation", BETWEEN_LEVELS.values(), ids=list(BETWEEN_LEVELS))
def test_what_stands_between_levels_is_said(operation: Operation) -> None:
    assert operation.title
    assert operation.source
    assert operation.name not in OPERATIONS
    assert operation.domain in ("detection", "segmentation")
    assert operation.shape_rule.startswith("(C, h, w)")


def test_levels_change_without_costs() -> None:
    b = Layers()
    x = b.input("x", 3, (7, 10))
    down = resample(b, "down", x, (3, 5), (2, 3))
    up = resample(b, "up", down, (5, 3), (7, 10))
    assert (down.size, up.size) == ((2, 3), (7, 10))
    graph = b.finish([up])
    assert (count(graph), macs(graph)) == (0, 0) == BETWEEN_LEVELS["upsample"].price(PLACES[0])
    assert [node.op for node in graph.nodes.values()] == ["input", "max_pool", "max_pool", "resize"]
