"""Peak memory: figures added up by hand on tiny graphs, and laws over members of many spaces."""

import random

import pytest

from app.architecture import TRUE, Axis, Graph, Node, lower
from app.architecture.memory import MemoryDirection, PeakMemory, peak_memory
from app.space.zoo import ZOO

BATCH = 2


def graph(*nodes: Node) -> Graph:
    return Graph({node.name: node for node in nodes}, (nodes[-1].name,))


def vector(name: str, op: str, width: int, *inputs: str, **attrs: object) -> Node:
    guards = (TRUE,) * len(inputs) if op in ("sum", "concat") else ()
    return Node(name, op, inputs, Axis.of(width), (), guards, tuple(sorted(attrs.items())))


def maps(name: str, op: str, width: int, *inputs: str, **attrs: object) -> Node:
    guards = (TRUE,) * len(inputs) if op in ("sum", "concat") else ()
    return Node(name, op, inputs, Axis.of(width), (4, 4), guards, tuple(sorted(attrs.items())))


def of(made: Graph, direction: MemoryDirection = "forward", **more: object) -> PeakMemory:
    return peak_memory(made, batch_size=BATCH, direction=direction, **more)  # pyright: ignore[reportArgumentType]


MAP = BATCH * 4 * 16 * 4  # bytes of four maps of 4 x 4


def test_a_chain_holds_the_image_and_two_values() -> None:
    chain = graph(maps("x", "input", 4), *(maps(f"r{i}", op, 4, f"r{i - 1}" if i else "x") for i, op in CHAIN))
    found = of(chain)
    assert (found.total, found.activations_peak) == (3 * MAP, 3 * MAP)
    assert (found.parameters, found.gradients, found.optimiser) == (0, 0, 0)


CHAIN = tuple(enumerate(("relu", "gelu", "silu", "tanh")))


def test_a_training_pass_by_hand() -> None:
    """8 -> 16, relu, 16 -> 4: the most is held when the first layer's gradient has just been made."""
    net = graph(
        vector("x", "input", 8),
        vector("a", "linear", 16, "x", bias=False),
        vector("r", "relu", 16, "a"),
        vector("b", "linear", 4, "r", bias=False),
    )
    weights = 4 * (8 * 16 + 16 * 4)
    forward = of(net)
    assert forward.total == weights + BATCH * 4 * (8 + 16 + 16)
    both = of(net, "forward+backward")
    assert (both.parameters, both.gradients, both.activations_peak) == (weights, weights, BATCH * 4 * (8 + 16))
    assert both.total == 2 * weights + BATCH * 4 * (8 + 16)


@pytest.mark.parametrize(("optimiser", "states"), [("sgd", 1), ("adam", 2)])
def test_a_step_holds_the_state_of_the_optimiser_and_the_gradients_of_the_last(optimiser: str, states: int) -> None:
    net = graph(vector("x", "input", 8), vector("a", "linear", 16, "x", bias=True))
    weights = 4 * (8 * 16 + 16)
    found = of(net, "training", optimiser=optimiser)
    assert (found.optimiser, found.gradients) == (states * weights, weights)
    assert found.total == found.parameters + found.optimiser + found.gradients + found.activations_peak


def test_sums_add_in_place_and_equal_nodes_are_computed_once() -> None:
    terms = [maps(f"t{i}", op, 4, "x") for i, op in CHAIN]
    summed = graph(maps("x", "input", 4), *terms, maps("s", "sum", 4, *(t.name for t in terms), drop_path=False))
    assert of(summed).total == (1 + 4 + 1) * MAP
    again = graph(
        maps("x", "input", 4),
        *(maps(f"t{i}", "relu", 4, "x") for i in range(3)),
        maps("s", "sum", 4, "t0", "t1", "t2", drop_path=False),
    )
    assert of(again).total == 3 * MAP


def test_what_autograd_saves_is_saved_once() -> None:
    """The two linear maps and the relu save one storage; the values between are let go."""
    net = graph(
        vector("x", "input", 8),
        vector("a", "linear", 8, "x", bias=False),
        vector("r", "relu", 8, "a"),
        vector("b", "linear", 8, "r", bias=False),
        vector("c", "linear", 8, "r", bias=False),
        vector("s", "sum", 8, "b", "c", drop_path=False),
    )
    one, weights = BATCH * 8 * 4, 3 * 8 * 8 * 4
    # largest at the last gradient of weights: image, gradient of `a`, and all gradients of weights
    assert of(net, "forward+backward").total == 2 * weights + 2 * one


def test_indices_of_maxima_are_long() -> None:
    pooled = graph(maps("x", "input", 4), maps("p", "max_pool", 4, "x", kernel=3, stride=1, pad=1, ceil=False))
    assert of(pooled).total == 2 * MAP + 2 * MAP  # eight bytes beside each four


def test_tokens_share_the_storage_of_maps() -> None:
    net = graph(
        maps("x", "input", 4),
        maps("r", "relu", 4, "x"),
        Node("t", "tokens", ("r",), Axis.of(4), (16,)),
        Node("m", "mean", ("t",), Axis.of(4), ()),
    )
    assert of(net).total == 2 * MAP + BATCH * 4 * 4


def test_a_branch_without_a_way_back_is_forgotten() -> None:
    """Zeros are made of nothing: what was before them is not kept for a backward pass that never comes."""
    net = graph(
        vector("x", "input", 64),
        vector("a", "linear", 64, "x", bias=False),
        vector("r", "relu", 64, "a"),
        vector("z", "zero", 64, "r", stride=1),
        vector("b", "linear", 1, "z", bias=False),
    )
    weights, one = 4 * (64 * 64 + 64), BATCH * 64 * 4
    assert of(net, "forward+backward").total == weights + 3 * one


def test_an_open_graph_is_refused() -> None:
    space = ZOO["nasbench201"]
    with pytest.raises(ValueError, match="still open"):
        peak_memory(lower(space.grammar, space.skeletons["small"], space.input), batch_size=1)


@pytest.mark.parametrize("name", ["darts", "nasbench101", "transformer", "nas_fpn"])
def test_laws(name: str) -> None:
    """More images never need less; training never less than inference, a step never less than a pass."""
    space = ZOO[name]
    genotype = space.plan.sample(random.Random(1), 1)[0]
    made = lower(space.grammar, space.skeletons["small"], space.input, space.plan.read(genotype))
    for precision in ("float32", "bfloat16"):
        grown: list[int] = []
        for batch_size in (1, 3):
            forward, both, step, adam = (
                peak_memory(made, batch_size=batch_size, precision=precision, direction=d, optimiser=o).total  # pyright: ignore[reportArgumentType]
                for d, o in (("forward", "sgd"), ("forward+backward", "sgd"), ("training", "sgd"), ("training", "adam"))
            )
            assert forward <= both <= step < adam
            grown.append(step)
        assert grown == sorted(set(grown))


def test_every_space_is_answered_and_its_parts_add_up() -> None:
    for space in ZOO.values():
        genotype = space.plan.sample(random.Random(2), 1)[0]
        made = lower(space.grammar, space.skeletons["small"], space.input, space.plan.read(genotype))
        found = peak_memory(made, batch_size=2, direction="training", drop_path=True)
        parts = found.parameters + found.buffers + found.gradients + found.optimiser + found.activations_peak
        assert found.total == parts
        assert 0 < len(found.largest) <= 10
        assert [held.bytes for held in found.largest] == sorted((h.bytes for h in found.largest), reverse=True)
