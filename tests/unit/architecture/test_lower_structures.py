"""What macro, trellis, hierarchical and detection grammars mean, counted by hand, and what they refuse."""

from dataclasses import replace
from typing import Any

import pytest

from app.architecture import Graph, LoweringError, count, lower, resolve
from app.architecture.builder import NODES
from app.space import Choice, Grammar, ImageInput, Record, Ref, SearchSpace, Subset, Term, Value, one_of, record
from app.space.skeleton import (
    BranchSkeleton,
    FpnSkeleton,
    HeadSkeleton,
    HierarchySkeleton,
    SkipSkeleton,
    TrellisSkeleton,
)
from app.space.zoo import ZOO, autodeeplab, detection_head, enas_macro, hierarchical, multibranch, nas_fpn

IMAGE = ImageInput(channels=2, height=16, width=16)
SKIPS = SkipSkeleton(channels=4, reductions=())
HIERARCHY = HierarchySkeleton(channels=4)
TRELLIS = TrellisSkeleton(channels=2, stem_channels=4, head_channels=4, rate=8, num_classes=3)
FPN = FpnSkeleton(backbone_channels=2, channels=4, head_depth=0, num_anchors=1, num_classes=3)
HEAD = HeadSkeleton(backbone_channels=2, channels=4, num_anchors=1, num_classes=3)


def network(space: SearchSpace, skeleton: Any, genotype: Any) -> Graph:
    return lower(space.grammar, skeleton, IMAGE, space.plan.read(genotype))


def convolution(channels: int, width: int, kernel: int = 1) -> int:
    """Learnable numbers of a convolution with its norm."""
    return channels * width * kernel * kernel + 2 * width


# -- skips


def test_a_layer_merges_what_its_bits_say() -> None:
    """Stem, two layers of 1x1 and 3x3, the second with a merge of as many states as its bits and itself."""
    space = enas_macro(3, ("conv_3x3",))
    layer = convolution(4, 4) + convolution(4, 4, 3)
    outside = convolution(2, 4, 3) + 4 * 10 + 10
    for first, second, third in ((0, 0, 0), (1, 0, 1), (0, 1, 1)):
        genotype = {
            "layer0": {"op": "conv_3x3"},
            "layer1": {"op": "conv_3x3", "skip0": first},
            "layer2": {"op": "conv_3x3", "skip0": second, "skip1": third},
        }
        merges = convolution(4 * (1 + first), 4) + convolution(4 * (1 + second + third), 4)
        assert count(network(space, SKIPS, genotype)) == outside + 3 * layer + merges


def test_only_states_that_are_read_later_are_halved() -> None:
    space = enas_macro(2, ("conv_3x3",))
    skeleton = replace(SKIPS, reductions=(1,))
    for bit in (0, 1):
        graph = network(space, skeleton, {"layer0": {"op": "conv_3x3"}, "layer1": {"op": "conv_3x3", "skip0": bit}})
        halved = {name.split("/")[1] for name in graph.nodes if name.startswith("reduction1/")}
        assert halved == ({"0", "1"} if bit else {"1"})


# -- branches


def test_branches_are_added_or_projected() -> None:
    space = multibranch((2,), (1,), ("conv_3x3",))
    skeleton = BranchSkeleton(channels=4, num_modules=1)
    both = {"paths": [{"layers": ["conv_3x3"]}] * 2}
    added, joined = (count(network(space, skeleton, {**both, "merge": merge})) for merge in ("add", "concat"))
    assert added == convolution(2, 4, 3) + 2 * convolution(4, 4, 3) + 4 * 10 + 10
    assert joined - added == convolution(8, 4)


# -- hierarchies


def test_an_edge_without_operation_is_not_there() -> None:
    """The node that only feeds `none` goes, and so does what it merges."""
    space = hierarchical(1, 2, 3, ("none", "conv_1x1"))
    motif = {"motif1": {"0->1": "conv_1x1"}}
    alone = {"0->1": "motif1", "0->2": "motif1", "1->2": "none"}
    empty = {"0->1": "none", "0->2": "motif1", "1->2": "none"}
    used, spared = (network(space, HIERARCHY, {**motif, "cell": cell}) for cell in (alone, empty))
    assert count(used) == count(spared)
    nothing = network(space, HIERARCHY, {**motif, "cell": dict.fromkeys(alone, "none")})
    assert [node.op for node in nothing.nodes.values()].count("zero") == 3, "the zero cell of every stage"


def test_a_motif_has_weights_of_its_own_at_every_place() -> None:
    space = hierarchical(1, 2, 3, ("none", "conv_1x1"))
    genotype = {"motif1": {"0->1": "conv_1x1"}, "cell": {"0->1": "motif1", "0->2": "none", "1->2": "motif1"}}
    graph = network(space, HIERARCHY, genotype)
    convs = [name for name in graph.nodes if "motif1" in name and name.endswith("/conv_1x1/conv")]
    assert len(convs) == len(set(convs)) == 2 * 3, "two edges in the cell of each of three stages"


def test_motifs_may_hold_motifs() -> None:
    """Three levels: the grammar says which names are motifs."""
    rules: dict[str, Term] = {
        "start": record(
            "hierarchy",
            small=record("motif", **{"0->1": one_of("none", "conv_1x1")}),
            large=record(
                "motif", **{"0->1": one_of("small"), "1->2": one_of("small"), "0->2": one_of("none", "small")}
            ),
            cell=record("motif", **{"0->1": one_of("large", "small", "none")}),
        )
    }
    graph = lower(Grammar(rules, "start"), HIERARCHY, IMAGE)
    for label in ("large", "small", "none"):
        assert resolve(graph, {"/cell/0->1": (label,)}) == lower(
            Grammar(rules, "start"), HIERARCHY, IMAGE, {"/cell/0->1": (label,)}
        )


def test_a_motif_inside_itself_is_refused() -> None:
    loop = record("motif", **{"0->1": one_of("none", "other")})
    back = record("motif", **{"0->1": one_of("conv_1x1", "one")})
    grammar = Grammar({"start": record("hierarchy", one=loop, other=back, cell=loop)}, "start")
    with pytest.raises(LoweringError, match="inside itself"):
        lower(grammar, HIERARCHY, IMAGE)


def test_an_unfolding_beyond_the_bound_is_refused_with_its_count() -> None:
    """Every edge of three cells may carry each of ten motifs with 21 edges of six operations."""
    space = hierarchical(10, 7, 6)
    many = 3 * 15 * 10 * 21 * 6
    assert many > NODES
    with pytest.raises(LoweringError, match=f"unfold to {many} operations") as caught:
        lower(space.grammar, HIERARCHY, IMAGE)
    assert (caught.value.value, caught.value.allowed) == (many, (NODES,))
    some = space.plan.unrank(space.plan.size // 2)
    assert network(space, HIERARCHY, some).plain, "its members have networks all the same"


# -- trellises


def states(graph: Graph) -> set[tuple[str, str]]:
    names = [name.split("/") for name in graph.nodes if name.startswith("layer")]
    return {(name[0], name[1]) for name in names}


def test_paths_that_meet_are_not_unfolded() -> None:
    """The supernet has one cell a state, not one a path: 1 + 2 + 3 + 4 + 4 + ... of them, for 28,657 paths."""
    space = autodeeplab(12, num_blocks=1, operations=("skip_connect",))
    graph = lower(space.grammar, TRELLIS, IMAGE)
    assert len(states(graph)) == 1 + 2 + 3 + 9 * 4
    assert len(graph.open) > len(states(graph)) - 4, "every state but the last ones asks where to go"


def test_a_state_has_the_width_and_the_extents_of_its_level() -> None:
    space = autodeeplab(4, num_blocks=2, operations=("skip_connect",))
    graph = lower(space.grammar, TRELLIS, ImageInput(channels=1, height=50, width=64))
    for level, extents in ((4, (13, 16)), (8, (7, 8)), (16, (4, 4)), (32, (2, 2))):
        node = graph.nodes[f"layer4/level{level}/concat"]
        assert (len(node.axis), node.size) == (2 * 2 * level // 4, extents)
    output = graph.nodes[graph.outputs[0]]
    assert (len(output.axis), output.size) == (3, (50, 64)), "a logit of each class at every pixel"


def test_the_supernet_of_the_paper_is_within_the_bound() -> None:
    graph = lower(ZOO["autodeeplab"].grammar, TRELLIS, IMAGE)
    assert len(graph.nodes) <= NODES
    assert len(states(graph)) == 42


def test_two_states_at_one_place_are_refused() -> None:
    """Without shared rules a path unfolds: two ways then lead to two states that would be the same place."""
    edge = record("edge", input=Value(0), op=Value("skip_connect"))
    end = record("state", level=Value(4))
    step = Choice((record("state", level=Value(4), next=end), record("state", level=Value(8), next=end)))
    path = record("state", level=Value(4), next=step)
    cell = record("cell", block2=record("pair", left=edge, right=edge))
    grammar = Grammar({"start": record("trellis", cell=cell, path=path)}, "start")
    with pytest.raises(LoweringError, match="two states of layer 3 at level 4"):
        lower(grammar, TRELLIS, IMAGE)
    assert lower(grammar, TRELLIS, IMAGE, {"/path/next": (8,)}).plain


# -- pyramids and heads


def test_a_level_that_no_merge_puts_out_keeps_its_input() -> None:
    """Members that break the permutation have networks: a law of lowering holds for every member of the grammar."""
    space = nas_fpn(2, (3, 4))
    merge = {"inputs": [0, 1], "level": 3, "op": "sum"}
    graph = network(space, FPN, {"merge0": merge, "merge1": {**merge, "inputs": [1, 2]}})
    assert graph.nodes["classes/4/out"].inputs == ("lateral/4/norm",)
    whole = network(space, FPN, {"merge0": merge, "merge1": {**merge, "inputs": [1, 2], "level": 4}})
    assert whole.nodes["classes/4/out"].inputs == ("pyramid0/merge1/4/norm",)


def test_what_nothing_reads_joins_the_output_of_its_level() -> None:
    space = nas_fpn(3, (3, 4))
    merge = {"inputs": [0, 1], "level": 4, "op": "sum"}
    last = {"merge1": {**merge, "level": 3}, "merge2": merge}
    graph = network(space, FPN, {"merge0": merge, **last})
    assert graph.nodes["pyramid0/out4"].inputs == ("pyramid0/merge2/4/norm", "pyramid0/merge0/4/norm")
    read = network(space, FPN, {"merge0": merge, **last, "merge1": {**merge, "inputs": [0, 2], "level": 3}})
    assert read.nodes["classes/4/out"].inputs == ("pyramid0/merge2/4/norm",)


def test_attention_gates_the_second_map_by_the_first() -> None:
    space = nas_fpn(2, (3, 4))
    gated = {"inputs": [0, 1], "level": 3, "op": "global_pool_attention"}
    graph = network(space, FPN, {"merge0": gated, "merge1": {"inputs": [0, 1], "level": 4, "op": "sum"}})
    scale = graph.nodes["pyramid0/merge0/3/global_pool_attention/scale"]
    second, gate = (graph.nodes[name] for name in scale.inputs)
    assert second.op == "resize"
    assert (gate.op, graph.nodes[gate.inputs[0]].op) == ("sigmoid", "mean")
    assert graph.nodes[gate.inputs[0]].inputs == ("lateral/3/norm",)


def test_every_level_has_classes_and_boxes() -> None:
    for space, skeleton in ((nas_fpn(5), FPN), (detection_head(), HEAD)):
        graph = lower(space.grammar, skeleton, ImageInput(channels=1, height=100, width=40))
        shapes = [(len(graph.nodes[o].axis), graph.nodes[o].size) for o in graph.outputs]
        extents = [(13, 5), (7, 3), (4, 2), (2, 1), (1, 1)]
        assert shapes == [(3, size) for size in extents] + [(4, size) for size in extents]


def test_links_act_from_the_coarsest_level_down_and_back_up() -> None:
    space = detection_head((3, 4), (0,), links=("none", "conv_3x3"))
    towers: dict[str, Any] = {"level3": {"layers": []}, "level4": {"layers": []}}
    graph = network(space, HEAD, {"4->3": "conv_3x3", "3->4": "conv_3x3", **towers})
    assert graph.nodes["link4-3"].inputs == ("lateral/3/norm", "link4-3/conv_3x3/up")
    assert graph.nodes["link3-4/conv_3x3/relu"].inputs == ("link4-3",), "what came down goes up again"
    bare = network(space, HEAD, {"4->3": "none", "3->4": "none", **towers})
    assert bare.nodes["classes/3/out"].inputs == ("lateral/3/norm",)


# -- refusals


def layer(**fields: Term) -> Record:
    return record("skips", layer0=record("layer", op=one_of("conv_3x3", "conv_1x1")), layer1=record("layer", **fields))


def merges(**fields: Term) -> Record:
    usual: dict[str, Term] = {
        "inputs": Subset((Value(0), Value(1)), 2),
        "level": one_of(3, 4),
        "op": one_of("sum", "concat"),
    }
    return record("fpn", merge0=record("merge", **usual), merge1=record("merge", **(usual | fields)))


def towers(**fields: Term) -> Record:
    return record("head", level3=record("tower", layers=Value("x")), **fields)


REFUSED: list[tuple[Record, Any, str]] = [
    (layer(op=one_of("conv_3x3"), skip2=one_of(0, 1)), SKIPS, "no earlier state"),
    (layer(op=one_of("conv_3x3"), jump=one_of(0, 1)), SKIPS, "no earlier state"),
    (layer(op=one_of("conv_3x3"), skip0=one_of(0, 2)), SKIPS, "a skip is 0 or 1, not 2"),
    (layer(op=one_of("conv_9x9")), SKIPS, "no operation 'conv_9x9'"),
    (record("branches", paths=Value(1), merge=one_of("add")), BranchSkeleton(channels=2), "expected a repeat"),
    (merges(inputs=Subset((Value(0), Value(7)), 2)), FPN, "7 is not an earlier map"),
    (merges(op=one_of("product")), FPN, "not 'product'"),
    (merges(level=one_of(3, 40)), FPN, "a level is a number from 3 to 12"),
    (merges(level=one_of(3, 4, 5)), FPN, "2 merges cannot put out 3 levels"),
    (towers(**{"3->4": one_of("none")}), HEAD, "links no two of the levels"),
    (towers(other=one_of("none")), HEAD, "neither a level nor a link"),
    (record("head", **{"3->4": one_of("none")}), HEAD, "a head needs a level"),
    (record("trellis", cell=Value(1), path=Value(1)), TRELLIS, "expected a record"),
    (record("hierarchy", cell=record("motif", **{"1->0": one_of("none")})), HIERARCHY, "not an edge"),
    (record("hierarchy", other=record("motif", **{"0->1": one_of("none")})), HIERARCHY, "needs a field 'cell'"),
]


@pytest.mark.parametrize(("root", "skeleton", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_what_has_no_meaning_is_refused(root: Record, skeleton: Any, message: str) -> None:
    with pytest.raises(LoweringError, match=message):
        lower(Grammar({"start": root}, "start"), skeleton, IMAGE)


@pytest.mark.parametrize("level", [2, 6, True])
def test_a_level_of_a_path_is_a_stride(level: int) -> None:
    edge = record("edge", input=Value(0), op=Value("skip_connect"))
    cell = record("cell", block2=record("pair", left=edge, right=edge))
    path = record("state", level=Value(level))
    with pytest.raises(LoweringError, match="a power of two from 4"):
        lower(Grammar({"start": record("trellis", cell=cell, path=path)}, "start"), TRELLIS, IMAGE)


@pytest.mark.parametrize(
    ("space", "skeleton"),
    [
        (enas_macro(2), SkipSkeleton(channels=0)),
        (multibranch(), BranchSkeleton(num_modules=0)),
        (hierarchical(1, 2, 2), HierarchySkeleton(num_cells=0)),
        (autodeeplab(2, num_blocks=1), TrellisSkeleton(head_channels=0)),
        (nas_fpn(), FpnSkeleton(num_anchors=0)),
        (detection_head(), HeadSkeleton(channels=0)),
    ],
)
def test_a_skeleton_holds_positive_numbers(space: SearchSpace, skeleton: Any) -> None:
    with pytest.raises(LoweringError, match="0 is not a positive number") as caught:
        lower(space.grammar, skeleton, IMAGE)
    assert caught.value.pointer.startswith("/skeleton/")


def test_a_shared_rule_decides_once_whatever_led_to_it() -> None:
    space = autodeeplab(3, (4, 8), num_blocks=1, operations=("skip_connect",))
    assert Ref("l2s4", shared=True) in space.grammar.rules["l1s4"].fields[1][1].options  # type: ignore[union-attr]
    graph = lower(space.grammar, TRELLIS, IMAGE)
    assert list(graph.open) == [
        "/cell/block2/left/input", "/cell/block2/right/input", "@l1s4/next", "@l2s4/next", "@l2s8/next"
    ]  # fmt: skip
