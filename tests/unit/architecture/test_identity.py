"""Architecture identity: isomorphism of graphs, with everything that is kept."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest

from app.architecture import TRUE, Axis, Builder, Graph, LoweringError, Node, architecture_id, canonical, lower
from app.architecture.isomorphism import certificate
from app.space import CellSkeleton, ImageInput, MobileSkeleton
from app.space.zoo import ZOO, darts, darts_rnn, nasbench201, simple_cell

IMAGE = ImageInput(channels=1, height=8, width=8)
SMALL = CellSkeleton(channels=4, num_cells=3)


def pair(a: int, x: str, b: int, y: str) -> dict[str, dict[str, int | str]]:
    return {"left": {"input": a, "op": x}, "right": {"input": b, "op": y}}


@pytest.mark.parametrize("name", ["darts", "simple_cell"])
def test_relabelled_genotypes_are_one_architecture(name: str) -> None:
    space = ZOO[name]
    skeleton = space.skeletons["small"]
    changed = 0
    for genotype in space.plan.sample(Random(0), 12):
        smallest = canonical(space, genotype)
        changed += smallest != genotype
        ids = [architecture_id(space, skeleton, IMAGE, g) for g in (genotype, smallest)]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 32
        assert set(ids[0]) <= set("0123456789abcdef")
    assert changed


def test_identity_is_finer_than_relabelling_where_none_is_an_operation() -> None:
    """Swapping nodes 1 and 2 of NAS-Bench-201 turns the `none` between them around, and what it reads is kept."""
    space = nasbench201()
    cell = {"0->1": "skip_connect", "0->2": "avg_pool_3x3", "1->2": "none"}
    cell |= {"0->3": "none", "1->3": "nor_conv_1x1", "2->3": "nor_conv_3x3"}
    swapped = {"0->1": "avg_pool_3x3", "0->2": "skip_connect", "1->2": "none"}
    swapped |= {"0->3": "none", "1->3": "nor_conv_3x3", "2->3": "nor_conv_1x1"}
    assert canonical(space, cell) == canonical(space, swapped)
    skeleton = space.skeletons["small"]
    assert architecture_id(space, skeleton, IMAGE, cell) != architecture_id(space, skeleton, IMAGE, swapped)


def test_different_classes_are_different_architectures() -> None:
    space = darts(2, ("skip_connect", "max_pool_3x3"))
    sampled = space.plan.sample(Random(0), 40)
    classes = {space.plan.rank(canonical(space, g)) for g in sampled}
    ids = {architecture_id(space, SMALL, IMAGE, g) for g in sampled}
    assert len(ids) == len(classes)


def test_a_node_read_twice_differs_from_two_equal_nodes() -> None:
    space = simple_cell(3, ("max_pool_3x3", "skip_connect"))
    base = {"node0": pair(0, "max_pool_3x3", 1, "max_pool_3x3"), "node1": pair(0, "max_pool_3x3", 1, "max_pool_3x3")}
    twice = {**base, "node2": pair(2, "skip_connect", 2, "skip_connect")}
    both = {**base, "node2": pair(2, "skip_connect", 3, "skip_connect")}
    ids = [architecture_id(space, SMALL, IMAGE, g) for g in (twice, both)]
    assert ids[0] != ids[1]


def test_operations_with_equal_costs_are_told_apart() -> None:
    space = nasbench201()
    edges = list(dict(space.plan.unrank(0)))  # type: ignore[call-overload]
    ids = {
        architecture_id(space, space.skeletons["small"], IMAGE, {**dict.fromkeys(edges, "none"), "0->3": operation})
        for operation in ("none", "skip_connect", "avg_pool_3x3")
    }
    assert len(ids) == 3


def test_surroundings_are_part_of_the_identity() -> None:
    space = darts()
    genotype = space.plan.unrank(12345)
    plain = architecture_id(space, SMALL, IMAGE, genotype)
    others = [
        architecture_id(space, CellSkeleton(channels=5, num_cells=3), IMAGE, genotype),
        architecture_id(space, CellSkeleton(channels=4, num_cells=3, affine=False), IMAGE, genotype),
        architecture_id(space, CellSkeleton(channels=4, num_cells=3, num_classes=11), IMAGE, genotype),
        architecture_id(space, SMALL, ImageInput(channels=3, height=8, width=8), genotype),
        architecture_id(space, SMALL, ImageInput(channels=1, height=8, width=9), genotype),
        architecture_id(darts(none=True), SMALL, IMAGE, genotype),
    ]
    assert len({plain, *others}) == 7


def test_the_identity_is_the_same_in_every_process() -> None:
    code = (
        "from app.architecture import architecture_id\n"
        "from app.space import CellSkeleton, ImageInput\n"
        "from app.space.zoo import darts\n"
        "s = darts()\n"
        "print(architecture_id(s, CellSkeleton(channels=4, num_cells=3), ImageInput(), s.plan.unrank(987654321)))\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def drawn(edges: list[tuple[int, int]], order: list[int]) -> Graph:
    """`edges[i]`: the two tops that bottom i adds up; tops differ by nothing. Nodes are built in some order."""
    b = Builder()
    image = b.add("image", "input", [], Axis.of(1), (4, 4))
    tops: dict[int, Node] = {}
    for i in sorted({t for pair in edges for t in pair}, key=lambda t: hashlib.md5(f"{order}{t}".encode()).digest()):
        tops[i] = b.add(f"top{i}", "relu", [image], Axis.of(1), (4, 4))
    bottoms = [b.sum(f"bottom{i}", [(TRUE, tops[edges[i][0]]), (TRUE, tops[edges[i][1]])]) for i in order]
    return b.finish([b.concat("out", [(TRUE, x) for x in bottoms])])


def test_colours_alone_do_not_decide() -> None:
    """Rings of nodes look alike locally: one of six and two of three, and mixtures that refinement cannot split."""
    six = [(i, (i + 1) % 6) for i in range(6)]
    threes = [(i, (i + 1) % 3) for i in range(3)] + [(3 + i, 3 + (i + 1) % 3) for i in range(3)]
    mixed = [*six, *[(6 + i, 6 + (i + 1) % 4) for i in range(4)], *[(10 + i, 10 + (i + 1) % 3) for i in range(3)]]
    rng = Random(0)
    seen = set()
    for edges in (six, threes, mixed):
        certificates = set()
        for _ in range(5):
            order = list(range(len(edges)))
            rng.shuffle(order)
            names = list({t for e in edges for t in e})
            renamed = dict(zip(names, rng.sample(names, len(names)), strict=True))
            moved = [(renamed[a], renamed[b]) for a, b in edges]
            certificates.add(certificate(drawn(moved, order)))
        assert len(certificates) == 1
        seen |= certificates
    assert len(seen) == 3


def sums(reads: list[tuple[int, int]]) -> Graph:
    """Node 0 is the image, node 1 + i adds up `reads[i]`; what nothing reads is concatenated."""
    b = Builder()
    nodes = [b.add("image", "input", [], Axis.of(1), (4, 4))]
    for i, (x, y) in enumerate(reads):
        nodes.append(b.sum(f"node{1 + i}", [(TRUE, nodes[x]), (TRUE, nodes[y])]))
    read = {x for pair in reads for x in pair}
    return b.finish([b.concat("out", [(TRUE, node) for i, node in enumerate(nodes) if i not in read])])


def smallest(reads: list[tuple[int, int]]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """The same by brute force: the least of all ways to number the nodes."""
    found = []
    for order in permutations(range(1, 1 + len(reads))):
        at = dict(enumerate((0, *order)))
        found.append(tuple(sorted((at[1 + i], tuple(sorted((at[x], at[y])))) for i, (x, y) in enumerate(reads))))
    return min(found)


def test_certificates_agree_with_brute_force() -> None:
    rng = Random(0)
    graphs = []
    for _ in range(250):
        n = rng.choice((4, 5, 5))
        graphs.append([(rng.randrange(1 + i), rng.randrange(1 + i)) for i in range(n)])
    certificates = [certificate(sums(reads)) for reads in graphs]
    forms = [smallest(reads) for reads in graphs]
    assert 50 < len(set(forms)) < 245
    assert len(set(zip(certificates, forms, strict=True))) == len(set(forms)) == len(set(certificates))


def test_symmetric_cells_do_not_make_it_slow() -> None:
    """Twenty cells, each with four interchangeable nodes: 24 to the power of 20 markings, of which few are followed."""
    space = darts()
    node = [{"input": 0, "op": "sep_conv_3x3"}, {"input": 1, "op": "sep_conv_3x3"}]
    cell = {f"node{i}": node for i in range(2, 6)}
    skeleton = CellSkeleton(channels=4, num_cells=20)
    assert len(architecture_id(space, skeleton, ImageInput(), {"normal": cell, "reduce": cell})) == 32


def test_only_plain_graphs_have_a_certificate() -> None:
    space = nasbench201()
    with pytest.raises(ValueError, match="/0->1"):
        certificate(lower(space.grammar, space.skeletons["small"], IMAGE))


def test_two_nodes_at_one_place_are_refused() -> None:
    b = Builder()
    b.add("x", "input", [], Axis.of(1), (4, 4))
    with pytest.raises(LoweringError) as caught:
        b.add("x", "input", [], Axis.of(1), (4, 4))
    assert caught.value.pointer == "x"


def test_shapes_that_do_not_meet_are_refused() -> None:
    b = Builder()
    x = b.add("x", "input", [], Axis.of(1), (4, 4))
    y = b.add("y", "input", [], Axis.of(2), (4, 4))
    z = b.add("z", "input", [], Axis.of(1), (4, 2))
    for combine in (
        lambda: b.sum("s", [(TRUE, x), (TRUE, y)]),
        lambda: b.concat("c", [(TRUE, x), (TRUE, z)]),
        lambda: b.sum("e", []),
        lambda: b.concat("f", []),
    ):
        with pytest.raises(LoweringError):
            combine()


@pytest.mark.parametrize(("op", "same"), [("multiply", True), ("average", True), ("highway", False)])
def test_inputs_have_an_order_where_their_operation_tells_them_apart(op: str, same: bool) -> None:
    def built(order: tuple[int, int, int]) -> str:
        b = Builder()
        x = b.add("x", "input", [], Axis.of(3), ())
        parts = [x, *(b.add(name, name, [x], x.axis, ()) for name in ("relu", "tanh"))]
        return certificate(b.finish([b.add("y", op, [parts[i] for i in order], x.axis, ())]))

    assert (built((0, 1, 2)) == built((0, 2, 1))) is same


def test_nodes_of_a_recurrent_cell_may_change_places() -> None:
    """Two nodes that do not read each other, the weights of all steps in time tied: one architecture."""
    space = darts_rnn(3)

    def named(*steps: tuple[int, str]) -> str:
        genotype = {f"node{i}": {"input": j, "activation": a} for i, (j, a) in enumerate(steps, 1)}
        return architecture_id(space, space.skeletons["small"], IMAGE, genotype)

    one = named((0, "tanh"), (0, "relu"), (1, "sigmoid"))
    assert named((0, "relu"), (0, "tanh"), (2, "sigmoid")) == one
    assert named((0, "tanh"), (0, "relu"), (2, "sigmoid")) != one


def test_a_setting_that_came_later_leaves_old_identities() -> None:
    """An id given before `features_bias` was a setting of mobile skeletons; used, it tells another architecture."""
    space = ZOO["mobilenet_ofa"]
    skeleton = space.skeletons["small"]
    assert isinstance(skeleton, MobileSkeleton)
    genotype = space.plan.unrank(7)
    found = architecture_id(space, skeleton, IMAGE, genotype)
    assert found == "350b15bfcbeb784f277ccffb6ed17e3f"
    assert architecture_id(space, replace(skeleton, features_bias=True), IMAGE, genotype) != found
