"""Entries: what a graph computes, counted without its places."""

from collections import Counter

import pytest

from app.architecture import count, lower, lower_operation, macs
from app.architecture.entries import LONGEST, Entry, entries
from app.space import ImageInput
from app.space.zoo import ZOO, darts

IMAGE = ImageInput(channels=1, height=8, width=8)


def test_an_entry_is_written_as_one_line() -> None:
    found = entries(lower_operation("dil_conv_3x3", channels=16), image=False)
    assert [(entry.key, n) for entry, n in found.items()] == [
        ("relu 16x32x32 -> 16x32x32", 1),
        ("conv 16x32x32 -> 16x32x32 bias=false depthwise=true dilation=2 kernel=3x3 pad=none stride=1x1", 1),
        ("conv 16x32x32 -> 16x32x32 bias=false depthwise=false dilation=1 kernel=1x1 pad=none stride=1x1", 1),
        ("batch_norm 16x32x32 -> 16x32x32 affine=true", 1),
    ]


def test_only_the_image_wants_no_gradient() -> None:
    inner = entries(lower_operation("conv_3x3", channels=4), image=False)
    outer = entries(lower_operation("conv_3x3", channels=4))
    assert [e.op for e in inner] == [e.op for e in outer]
    assert {e.key for e in outer} - {e.key for e in inner} == {"relu image:4x32x32 -> 4x32x32"}


@pytest.mark.parametrize("name", sorted(ZOO))
def test_entries_hold_everything_that_a_network_costs(name: str) -> None:
    space = ZOO[name]
    image = IMAGE if name != "darts_rnn" else space.input
    genotype = space.plan.unrank(12345 % space.plan.size)
    graph = lower(space.grammar, space.skeletons["small"], image, space.plan.read(genotype))
    found = entries(graph)
    alone = {entry: entry.graph() for entry in found}
    assert len({entry.key for entry in found}) == len(found)
    assert sum(macs(alone[entry]) * n for entry, n in found.items()) == macs(graph)
    tied = sum(count(g) * found[e] for e, g in alone.items()) - count(graph)
    assert tied == 0 or any(node.op == "tied_linear" for node in graph.nodes.values())


def test_what_a_network_computes_once_counts_once() -> None:
    space = darts(num_nodes=2)
    edge = {"input": 0, "op": "sep_conv_3x3"}
    same = {"node2": [edge, {"input": 1, "op": "sep_conv_3x3"}], "node3": [edge, {"input": 1, "op": "dil_conv_3x3"}]}
    graph = lower(space.grammar, space.skeletons["small"], IMAGE, space.plan.read({"normal": same, "reduce": same}))
    found = Counter[str]()
    for entry, n in entries(graph).items():
        found[entry.op] += n
    assert found["relu"] < sum(node.op == "relu" for node in graph.nodes.values())
    assert found["conv"] == sum(node.op == "conv" for node in graph.nodes.values())


def test_an_open_graph_has_no_entries() -> None:
    space = ZOO["nasbench201"]
    with pytest.raises(ValueError, match="still open"):
        entries(lower(space.grammar, space.skeletons["small"], IMAGE))


def test_a_long_line_ends_in_a_digest() -> None:
    parts = [((3 + i % 2, 32, 32), True) for i in range(100)]
    one = Entry("concat", tuple(parts), (350, 32, 32), ())
    other = Entry("concat", tuple(reversed(parts)), (350, 32, 32), ())
    assert len(one.key) == len(other.key) == LONGEST
    assert one.key != other.key
