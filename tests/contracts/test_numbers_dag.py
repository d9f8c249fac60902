"""NAS-Bench-101 and unconstrained graphs: sizes, classes and costs, each beside an independent computation."""

from collections.abc import Iterator
from itertools import combinations
from random import Random
from typing import Any, cast

import pytest

from app.architecture import LoweringError, cost, lower
from app.space import DagSkeleton, ImageInput, SearchSpace, space_size
from app.space.classes import canonical_rank
from app.space.classes.unlabelled import graph_classes
from app.space.constraints.wirings import wirings
from app.space.zoo import NASBENCH101_OPERATIONS, nasbench101, unconstrained_dag

CONV1, CONV3, POOL = NASBENCH101_OPERATIONS
Rows = list[list[int]]


def unique(space: SearchSpace) -> int | None:
    (size,) = space_size(space).unique
    assert size.equivalence == "isomorphism"
    return size.exact


def genotype(rows: str, *operations: str) -> Any:
    matrix = [[int(bit) for bit in row] for row in rows.split()]
    n = len(matrix)
    edges = {f"{i}->{j}": matrix[i][j] for j in range(1, n) for i in range(j)}
    return {"cell": {"vertices": n, **edges, **{f"v{i}": name for i, name in enumerate(operations, start=1)}}}


# -- sizes


def test_nasbench101_has_all_labelled_matrices() -> None:
    """Ying et al. (2019): 2^21 matrices of 7 vertices, 3 operations on 5 of them; and smaller ones."""
    assert nasbench101((7,)).plan.size == 2**21 * 3**5 == 509_607_936
    assert nasbench101().plan.size == sum(2 ** (n * (n - 1) // 2) * 3 ** (n - 2) for n in range(2, 8)) == 512_290_394


def test_nasbench101_has_423624_classes() -> None:
    """The paper's size: cells up to isomorphism, after pruning, of at most 9 edges."""
    assert unique(nasbench101()) == 423_624
    assert [graph_classes(n, 3, 9) for n in range(2, 8)] == [1, 6, 84, 2_441, 62_010, 359_082]


def test_a_class_is_counted_whatever_the_numbers_of_vertices() -> None:
    """Pruned cells of fewer vertices are cells of seven, so seven alone have all classes."""
    assert unique(nasbench101((7,))) == 423_624
    assert unique(nasbench101((3, 6))) == 1 + 6 + 84 + 2_441 + 62_010


@pytest.mark.parametrize("vertices", [2, 3, 4, 5, 6, 7, 8, 9])
def test_classes_of_unlabelled_graphs(vertices: int) -> None:
    """Acyclic digraphs with one source and one sink: A345258 of the On-Line Encyclopedia of Integer Sequences."""
    assert graph_classes(vertices, 1) == [1, 2, 10, 98, 1_960, 80_176, 6_686_760, 1_129_588_960][vertices - 2]


def test_how_edges_are_counted_matters() -> None:
    """Nine edges of seven vertices: after pruning as the paper does, and before it."""
    assert wirings(7, 9) == 1_538_083
    assert space_size(nasbench101((7,))).valid.exact == wirings(7, 9) * 3**5 == 373_754_169
    assert space_size(nasbench101()).valid.exact == sum(wirings(n, 9) * 3 ** (n - 2) for n in range(2, 8))
    assert wirings(7, 9, pruned=False) == 573_494


def test_labelled_cells_with_every_vertex_on_a_way() -> None:
    """1,293,208 over all numbers of vertices: what the reference generator lists before it looks for duplicates."""
    found = {n: sum(1 for _ in full(n, 9)) for n in range(2, 8)}
    assert sum(number * 3 ** (n - 2) for n, number in found.items()) == 1_293_208


def full(vertices: int, most: int) -> Iterator[tuple[int, ...]]:
    """Column by column, what leads to each vertex, every inner vertex with an edge in and an edge out."""

    def extend(columns: tuple[int, ...], left: int) -> Iterator[tuple[int, ...]]:
        target = len(columns) + 1
        unread = [v for v in range(1, target) if not any(column >> v & 1 for column in columns)]
        if target == vertices - 1:
            others = [v for v in range(target) if v not in unread]
            for k in range(len(others) + 1):
                if len(unread) + k <= left and unread + others[:k]:
                    yield from ((*columns, sum(1 << v for v in (*unread, *some))) for some in combinations(others, k))
            return
        for k in range(1, target + 1):
            if k <= left:
                for some in combinations(range(target), k):
                    yield from extend((*columns, sum(1 << v for v in some)), left - k)

    yield from extend((), most)


def test_unconstrained_graphs() -> None:
    """2^45 edge sets of ten ordered vertices, an operation on each of eight."""
    three, seven = unconstrained_dag(), unconstrained_dag(10, tuple("abcdefg"))
    assert three.plan.size == 2**45 * 3**8 == 230_844_665_274_826_752
    assert seven.plan.size == 2**45 * 7**8 == 202_830_903_402_070_802_432
    # every class of a core of up to ten vertices, and all that is not connected
    assert unique(three) == 1 + sum(graph_classes(n, 3) for n in range(2, 11))


def test_a_changed_grammar_is_counted_again() -> None:
    for operations in (1, 2, 5):
        for vertices in (2, 3, 5):
            space = unconstrained_dag(vertices, tuple("abcde")[:operations])
            assert space.plan.size == 2 ** (vertices * (vertices - 1) // 2) * operations ** (vertices - 2)
            found = {canonical_rank(space, index) for index in range(min(space.plan.size, 40_000))}
            assert space.plan.size > 40_000 or len(found) == unique(space)
    assert unique(nasbench101((2, 3, 4, 5), max_edges=4)) == sum(graph_classes(n, 3, 4) for n in range(2, 6))


# -- costs


def test_the_cell_of_the_published_notebook() -> None:
    cell = genotype("0111100 0000001 0000001 0000001 0000010 0000001 0000000", CONV3, CONV1, POOL, CONV3, CONV3)
    space = nasbench101()
    graph = lower(space.grammar, space.skeletons["cifar"], space.input, space.plan.read(cell))
    assert cost(graph).params == 2_694_282


def published(rows: Rows, operations: list[str], skeleton: DagSkeleton) -> int:
    """The parameters by the rule of the paper's code, in numbers alone: a convolution has k·k·c·d weights and 2·d more.

    `rows` are pruned, vertex 0 is the input.
    """
    last = len(rows) - 1
    total = 9 * 3 * skeleton.channels + 2 * skeleton.channels
    before = skeleton.channels
    for stack in range(skeleton.num_stacks):
        channels = skeleton.channels << stack
        for _ in range(skeleton.num_cells):
            joined = [v for v in range(1, last) if rows[v][last]]
            widths = {v: channels // len(joined) for v in joined}
            for v in joined[: channels % len(joined) if joined else 0]:
                widths[v] += 1
            for v in range(last - 1, 0, -1):
                if v not in widths:
                    widths[v] = max(widths[w] for w in range(v + 1, last) if rows[v][w])
            for v, name in enumerate(operations, start=1):
                total += (before * widths[v] + 2 * widths[v]) * rows[0][v]
                kernel = {CONV1: 1, CONV3: 3, POOL: 0}[name]
                total += (kernel * kernel * widths[v] ** 2 + 2 * widths[v]) * (kernel > 0)
            total += (before * channels + 2 * channels) * rows[0][last]
            before = channels
    return total + before * skeleton.num_classes + skeleton.num_classes


def pruned(cell: dict[str, Any]) -> tuple[Rows, list[str]] | None:
    """The matrix and the operations of what lies on a way from input to output."""
    n = cell["vertices"]
    edges = [(i, j) for j in range(1, n) for i in range(j) if cell[f"{i}->{j}"]]
    ways: list[list[int]] = [[0]]
    through: set[int] = set()
    while ways:
        way = ways.pop()
        if way[-1] == n - 1:
            through.update(way)
        ways += [[*way, j] for i, j in edges if i == way[-1]]
    kept = sorted(through)
    rows = [[int((i, j) in edges) for j in kept] for i in kept]
    return (rows, [cell[f"v{v}"] for v in kept[1:-1]]) if kept else None


@pytest.mark.parametrize("channels", [128, 10])
def test_params_follow_the_published_rule(channels: int) -> None:
    """Also where the width is not divisible, and whatever lies on no way from input to output."""
    space = nasbench101()
    skeleton = DagSkeleton(channels=channels, num_stacks=2, num_cells=2)
    image = ImageInput(height=8, width=8)
    for member in space.plan.sample(Random(channels), 150):
        left = pruned(cast("Any", member)["cell"])
        graph = lower(space.grammar, skeleton, image, space.plan.read(member))
        if left is None:  # zeros, which read what feeds them
            assert {node.op for node in graph.nodes.values()} >= {"zero"}
        else:
            assert cost(graph).params == published(*left, skeleton)


def test_isomorphic_cells_may_differ_by_a_channel() -> None:
    """128 channels among three vertices: the first two have 43, so their order matters to the parameters."""
    space = nasbench101()
    a = genotype("01110 00001 00001 00001 00000", CONV3, POOL, POOL)
    b = genotype("01110 00001 00001 00001 00000", POOL, POOL, CONV3)
    assert canonical_rank(space, space.plan.rank(a)) == canonical_rank(space, space.plan.rank(b))
    found = [
        cost(lower(space.grammar, space.skeletons["cifar"], space.input, space.plan.read(each))).params
        for each in (a, b)
    ]
    assert found[0] > found[1]
    assert any("channel" in note for note in space.notes)


def test_too_few_channels_are_refused() -> None:
    space = nasbench101((5,))
    cell = genotype("01110 00001 00001 00001 00000", CONV3, POOL, POOL)
    with pytest.raises(LoweringError) as caught:
        lower(space.grammar, DagSkeleton(channels=2), ImageInput(), space.plan.read(cell))
    assert caught.value.pointer == "/skeleton/channels"
