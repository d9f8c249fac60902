"""Sizes from the literature and from independent counts, each beside its source; and changed grammars, recounted."""

from collections.abc import Callable
from itertools import permutations, product
from math import comb, prod
from typing import Any

import pytest

from app.space import (
    Choice,
    Grammar,
    Record,
    Ref,
    Repeat,
    SearchSpace,
    Subset,
    Term,
    Value,
    compile_plan,
    one_of,
    record,
)
from app.space import space_size as sizes_of
from app.space.classes.forms import functional
from app.space.document import Equivalence
from app.space.zoo import DARTS_OPERATIONS, OPERATIONS, ZOO, chain, darts, nasbench201, simple_cell


def raw(grammar: Grammar) -> int:
    return compile_plan(grammar).size


def unique(space: SearchSpace) -> dict[str | None, int]:
    return {size.equivalence: size.exact for size in sizes_of(space).unique if size.exact is not None}


# -- the zoo -----------------------------------------------------------------------------------------------------


def test_darts() -> None:
    """Liu et al., "DARTS", ICLR 2019, section 3: about 10^18. A cell: C(n, 2) pairs of inputs, 7 operations each."""
    cell = prod(comb(n, 2) * 7**2 for n in range(2, 6))
    assert cell == 1_037_664_180
    assert darts().plan.size == cell**2 == 1_076_746_950_455_072_400
    assert darts(none=True).plan.size == 9_119_789_245_425_254_400


def test_darts_up_to_relabelling() -> None:
    """Each cell's nodes may be exchanged; counted independently by canonical forms and by orbits."""
    assert unique(darts()) == {"relabelling": 146_021_935_250_523_556}
    assert 382_128_166**2 == 146_021_935_250_523_556


def test_simple_cell() -> None:
    """(2·3·4·5)^2 · O^8 cells; up to operand order, each node is a multiset of two (input, operation) pairs."""
    seven, eight = simple_cell(operations=DARTS_OPERATIONS), simple_cell()
    assert seven.plan.size == 83_013_134_400
    assert eight.plan.size == 241_591_910_400
    assert unique(seven) == {"operand-swap": 6_203_943_900, "relabelling": 1_820_474_670}
    assert unique(eight) == {"operand-swap": 17_664_768_000, "relabelling": 5_194_395_866}


def test_nasbench201() -> None:
    """Dong and Yang, "NAS-Bench-201", ICLR 2020: 15,625 cells, 6,466 of them unique (NATS-Bench's string)."""
    assert nasbench201().plan.size == 5**6 == 15_625
    assert unique(nasbench201()) == {
        "relabelling": 14_125,
        "pruned-isomorphism": 8_765,
        "nats-string": 6_466,
        "functional": 4_930,
    }


def test_chain() -> None:
    """c operations a layer: the sum of c^d over the depths."""
    assert chain().plan.size == sum(5**d for d in (4, 5, 6, 7, 8)) == 488_125
    assert chain((20,), ("a", "b", "c")).plan.size == 3**20
    assert chain((0, 1)).plan.size == 6


@pytest.mark.parametrize("name", ZOO)
def test_every_size_says_what_it_is(name: str) -> None:
    sizes = sizes_of(ZOO[name])
    assert sizes.raw.exact == ZOO[name].plan.size
    assert (sizes.valid.exact == sizes.raw.exact) is not bool(ZOO[name].constraints)
    assert [size.equivalence for size in sizes.unique] == [e.name for e in ZOO[name].equivalences]
    for size in (sizes.raw, sizes.valid, *sizes.unique):
        assert size.method
        if size.exact is None:
            assert size.estimate is None or size.estimate.low <= size.estimate.mean <= size.estimate.high
            continue
        assert size.log10 is not None
        assert 10 ** (size.log10 % 1) == pytest.approx(int(str(size.exact)[:8]) / 10 ** (len(str(size.exact)[:8]) - 1))


# -- a changed grammar is counted again ----------------------------------------------------------------------------


@pytest.mark.parametrize("operations", [1, 2, 3, 7])
@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_darts_of_any_shape_is_counted(nodes: int, operations: int) -> None:
    names = tuple(f"op{i}" for i in range(operations))
    expected = prod(comb(n, 2) * operations**2 for n in range(2, 2 + nodes))
    assert darts(nodes, names).plan.size == expected**2


def test_one_operation_less_on_one_edge() -> None:
    names = dict(nasbench201().grammar.rules)
    cell = names["nasbench201"]
    assert isinstance(cell, Record)
    fewer = Record(cell.builds, (*cell.fields[:-1], ("2->3", one_of("none", "nor_conv_3x3"))))
    space = SearchSpace(
        name="fewer",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"cell": fewer}, "cell"),
        skeletons={},
        equivalences=(Equivalence("relabelling"), Equivalence("functional")),
    )
    assert space.plan.size == 5**5 * 2
    both_ways = 5**3 * 2**2  # without 1->2, and with an operation on 1->3 that 2->3 offers too
    assert unique(space)["relabelling"] == 6_250 - (both_ways - 5**2 * 2) // 2 == 6_025
    kept = [g for g in map(nasbench201().plan.unrank, range(15_625)) if g["2->3"] in ("none", "nor_conv_3x3")]
    assert len(kept) == space.plan.size
    assert unique(space)["functional"] == len({functional(edges(g)) for g in kept}) < 4_930


def edges(genotype: Any) -> dict[tuple[int, int], str]:
    return {(int(name[0]), int(name[3])): operation for name, operation in genotype.items()}


def brute(space: SearchSpace, form: Callable[[Any], object]) -> int:
    return len({form(space.plan.unrank(i)) for i in range(space.plan.size)})


def renamed(nodes: dict[int, list[tuple[int, str]]], first: int) -> object:
    """The smallest relabelling of a cell, by trying all orders of its nodes and sorting operands."""
    inner = sorted(nodes)
    found = []
    for moved in permutations(inner):
        names = {**{i: i for i in range(first)}, **dict(zip(inner, moved, strict=True))}
        image = {names[n]: sorted((names[s], op) for s, op in edges) for n, edges in nodes.items()}
        if all(s < n for n, edges in image.items() for s, _ in edges):
            found.append(tuple(sorted((n, tuple(edges)) for n, edges in image.items())))
    return min(found)


@pytest.mark.parametrize(("nodes", "operations"), [(1, 3), (2, 2), (2, 3), (3, 1)])
def test_relabelling_of_simple_cells_against_canonical_forms(nodes: int, operations: int) -> None:
    space = simple_cell(nodes, tuple(f"op{i}" for i in range(operations)))

    def form(genotype: Any) -> object:
        sides = {2 + i: [(e["input"], e["op"]) for e in pair.values()] for i, pair in enumerate(genotype.values())}
        return renamed(sides, 2)

    def swapped(genotype: Any) -> object:
        return str([sorted((e["input"], e["op"]) for e in pair.values()) for pair in genotype.values()])

    assert unique(space) == {"operand-swap": brute(space, swapped), "relabelling": brute(space, form)}


@pytest.mark.parametrize(("nodes", "operations"), [(2, 2), (3, 1), (2, 4)])
def test_relabelling_of_darts_cells_against_canonical_forms(nodes: int, operations: int) -> None:
    space = darts(nodes, tuple(f"op{i}" for i in range(operations)))
    cell = compile_plan(Grammar({"cell": space.grammar.rules["cell"]}, "cell"))

    def form(genotype: Any) -> object:
        return renamed({int(n[4:]): [(e["input"], e["op"]) for e in edges] for n, edges in genotype.items()}, 2)

    classes = len({form(cell.unrank(i)) for i in range(cell.size)})
    assert unique(space) == {"relabelling": classes**2}


@pytest.mark.parametrize("operations", [("none", "a"), ("none", "a", "b"), ("a", "b")])
def test_relabelling_of_edge_cells_against_canonical_forms(operations: tuple[str, ...]) -> None:
    space = nasbench201(4, operations)

    def form(genotype: Any) -> object:
        present = {edge: op for edge, op in edges(genotype).items() if op != "none"}
        return min(
            tuple(sorted((names[s], names[t], op) for (s, t), op in present.items()))
            for names in ({0: 0, 1: 1, 2: 2, 3: 3}, {0: 0, 1: 2, 2: 1, 3: 3})
            if all(names[s] < names[t] for s, t in present)
        )

    assert unique(space)["relabelling"] == brute(space, form)


def test_larger_edge_cells_are_counted_too() -> None:
    """Five nodes: 5^10 cells, too many to list, so there is no count of the forms, but one of the orbits."""
    found = unique(nasbench201(5))
    assert set(found) == {"relabelling"}
    assert 5**10 / 6 < found["relabelling"] < 5**10


def test_what_is_no_cell_has_no_relabelling() -> None:
    space = SearchSpace(
        name="other",
        version=1,
        title="",
        paper="",
        grammar=chain().grammar,
        skeletons={},
        equivalences=(Equivalence("relabelling"), Equivalence("operand-swap"), Equivalence("functional")),
    )
    assert unique(space) == {}


# -- other published spaces in the same algebra -----------------------------------------------------------------------


def bits(vertices: int) -> dict[str, Term]:
    return {f"{i}->{j}": one_of(0, 1) for j in range(1, vertices) for i in range(j)}


def test_nasbench101() -> None:
    """Ying et al., ICML 2019: upper-triangular matrices on 2 to 7 vertices, three operations inside."""

    def cell(n: int) -> Record:
        inner = {f"v{v}": one_of("conv1x1", "conv3x3", "maxpool3x3") for v in range(1, n - 1)}
        return record("dag", vertices=Value(n), **bits(n), **inner)

    grammar = Grammar({"cell": Choice(tuple(map(cell, range(2, 8))))}, "cell")
    assert raw(grammar) == 512_290_394
    assert raw(Grammar({"cell": cell(7)}, "cell")) == 2**21 * 3**5 == 509_607_936


def test_once_for_all() -> None:
    """Cai et al., ICLR 2020: five units of 2 to 4 blocks, a kernel of 3, an expansion of 3; 25 resolutions."""
    block = record("mbconv", kernel=one_of(3, 5, 7), expand=one_of(3, 4, 6))
    units = {f"unit{i}": Ref("unit") for i in range(5)}
    rules = {"unit": record("stage", blocks=Repeat(block, (2, 3, 4))), "net": record("mobile", **units)}
    assert raw(Grammar(rules, "net")) == 7_371**5 == 21_758_655_492_572_485_851
    rules["net"] = record("mobile", **units, resolution=one_of(*range(128, 228, 4)))
    assert raw(Grammar(rules, "net")) == 543_966_387_314_312_146_275


def nasnet(operations: int, blocks: int = 5, cells: int = 2) -> Grammar:
    names = one_of(*(f"op{i}" for i in range(operations)))

    def block(b: int) -> Record:
        sides = {side: record("edge", input=one_of(*range(b + 2)), op=names) for side in ("left", "right")}
        return record("pair", **sides)

    cell = Record("cell", tuple((f"block{b}", block(b)) for b in range(blocks)))
    return Grammar({"cell": cell, "net": record("cells", **{f"cell{i}": Ref("cell") for i in range(cells)})}, "net")


@pytest.mark.parametrize(
    ("operations", "cells", "size"),
    [
        (13, 2, 5_107_366_597_713_630_212_832_188_866_560_000),  # NASNet, Zoph et al. 2018, blocks that add
        (8, 2, 309_834_464_941_077_422_470_594_560_000),  # AmoebaNet, Real et al. 2019
        (8, 1, 556_627_761_561_600),  # PNASNet, Liu et al. 2018: "5.6e14"
        (5, 2, 25_628_906_250_000_000_000_000_000),  # ENAS micro, Pham et al. 2018
    ],
)
def test_cells_of_five_blocks(operations: int, cells: int, size: int) -> None:
    assert raw(nasnet(operations, cells=cells)) == size


def test_layers_of_blocks() -> None:
    """FBNet (Wu et al., 2019), ProxylessNAS (Cai et al., 2019), MnasNet (Tan et al., 2019), NAS-Bench-Macro (2021)."""
    assert raw(chain((22,), tuple(f"b{i}" for i in range(9))).grammar) == 984_770_902_183_611_232_881
    six, seven = one_of(*range(6)), one_of(*range(7))
    layers = {f"layer{i}": six if i < 6 else seven for i in range(21)}
    assert raw(Grammar({"net": record("mobile", **layers)}, "net")) == 221_502_229_807_900_608
    assert raw(Grammar({"net": record("mnas", **{f"b{i}": one_of(*range(432)) for i in range(5)})}, "net")) == (
        15_045_919_506_432
    )
    assert raw(chain((8,), ("identity", "mb3_k3", "mb6_k5")).grammar) == 6_561


def test_enas_macro() -> None:
    """Pham et al., 2018: twelve layers, six operations, a skip bit from every earlier layer: about 1.6e29."""
    operations = one_of(*(f"op{i}" for i in range(6)))
    layers = {
        f"layer{i}": record("layer", op=operations, **{f"skip{j}": one_of(0, 1) for j in range(i)}) for i in range(12)
    }
    assert raw(Grammar({"net": record("skips", **layers)}, "net")) == 160_618_186_625_454_535_808_756_219_904


def test_nas_fpn() -> None:
    """Ghiasi et al., CVPR 2019: seven merging cells, two different earlier maps each, a level and an operation."""
    cells = {
        f"merge{i}": record(
            "merge",
            inputs=Subset(tuple(Value(k) for k in range(5 + i)), 2),
            level=one_of(3, 4, 5, 6, 7),
            combine=one_of("sum", "global_pool"),
        )
        for i in range(7)
    }
    assert raw(Grammar({"net": record("fpn", **cells)}, "net")) == 78_586_200_000_000_000


def trellis(moves: int, levels: int = 4) -> Grammar:
    """A path over levels, one move a layer; the move out of a state is one decision however the path came there."""
    rules: dict[str, Term] = {}
    for layer, level in product(range(moves + 1), range(levels)):
        following = [Ref(f"l{layer + 1}s{t}", shared=True) for t in (level - 1, level, level + 1) if 0 <= t < levels]
        onward = {"next": Choice(tuple(following))} if layer < moves else {}
        if level <= layer:
            rules[f"l{layer}s{level}"] = record("state", level=Value(level), **onward)
    return Grammar(rules, "l0s0")


def test_autodeeplab() -> None:
    """Liu et al., CVPR 2019: "2.9e4" paths when the first of twelve layers stays at its level, and with it free."""
    assert raw(trellis(11)) == 28_657
    assert raw(trellis(12)) == 75_025
    assert len(compile_plan(trellis(11)).decisions()) == sum(min(layer + 1, 4) for layer in range(11))


def test_unconstrained_graph() -> None:
    """Ten nodes, any upper-triangular edge set, an operation on each of the eight inner ones: 2^45 · O^8."""
    for operations, size in ((3, 230_844_665_274_826_752), (7, 202_830_903_402_070_802_432)):
        inner = {f"v{v}": one_of(*range(operations)) for v in range(1, 9)}
        assert raw(Grammar({"net": record("graph", **bits(10), **inner)}, "net")) == size


def test_darts_rnn() -> None:
    """Liu et al., 2019: eight nodes, one predecessor and one of four activations each: about 10^9."""
    activations = one_of("tanh", "relu", "sigmoid", "identity")
    nodes = {f"node{i}": record("edge", input=one_of(*range(i + 1)), op=activations) for i in range(8)}
    assert raw(Grammar({"cell": record("recurrent", **nodes)}, "cell")) == 2_642_411_520


def test_recursion_is_counted_by_its_recurrence() -> None:
    """T(1) = leaves, T(d) = leaves + T(d-1)^2 · ways: binary terms nested at most d times."""
    leaf = record("apply", kind=Value("apply"), op=one_of("conv", "pool", "skip"))
    pair = record("seq", kind=Value("seq"), a=Ref("term"), b=Ref("term"), merge=one_of("add", "cat"))
    expected = 0
    for depth in range(1, 6):
        expected = 3 + 2 * expected**2
        assert raw(Grammar({"term": Choice((leaf, pair))}, "term", depth)) == expected


def test_operations_of_the_textbook() -> None:
    assert ("none", *DARTS_OPERATIONS) == OPERATIONS
    assert len(OPERATIONS) == 8
