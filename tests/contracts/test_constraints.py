"""Constraints against brute force: every member of small spaces judged one by one, every draw's probability summed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, permutations
from random import Random
from typing import Any

import pytest

from app.architecture import cost, faults_of, judge_of, lower, size_of
from app.space import (
    Choice,
    Constraint,
    Equivalence,
    Grammar,
    GrammarError,
    Record,
    Ref,
    Repeat,
    SearchSpace,
    Subset,
    Term,
    Value,
    grammar_to_json,
    one_of,
    record,
    space_from_json,
    space_size,
    space_to_json,
)
from app.space.classes import canonical_rank
from app.space.constraints import conditions_of, tables_of, valid
from app.space.constraints.drawing import draw
from app.space.counting import accepted, unique_size, valid_size
from app.space.errors import Unmet
from app.space.validity import space_faults, space_repair, valid_neighbours, valid_sample
from app.space.zoo import ZOO, chain, darts, nas_fpn, nasbench101, nasbench201, pnasnet


def space_of(
    term: Term | Grammar, *constraints: tuple[str, dict[str, Any]], equivalence: str | None = None
) -> SearchSpace:
    return SearchSpace(
        name="mine",
        version=1,
        title="",
        paper="",
        grammar=term if isinstance(term, Grammar) else Grammar({"net": term}, "net"),
        skeletons={},
        constraints=tuple(Constraint(name, tuple(parameters.items())) for name, parameters in constraints),
        equivalences=() if equivalence is None else (Equivalence(equivalence),),
    )


# -- published spaces ----------------------------------------------------------------------------------------------


def test_nas_fpn() -> None:
    """7 pairs of earlier maps and two operations each; two free levels, then a permutation of the five."""
    pairs = 1
    for maps in range(5, 12):
        pairs *= maps * (maps - 1) // 2
    assert valid_size(nas_fpn()).exact == pairs * 2**7 * 5**2 * 120 == 3_017_710_080_000_000
    assert valid_size(nas_fpn(6)).exact == pairs // 55 * 2**6 * 5 * 120, "a merge less, and another number"


def test_nasbench101() -> None:
    """Ying et al., 2019: 373,754,169 labelled cells of seven vertices pass, edges counted after pruning."""
    assert valid_size(nasbench101((7,))).exact == 373_754_169
    every = [valid_size(nasbench101((n,))).exact for n in range(2, 8)]
    assert valid_size(nasbench101()).exact == sum(n for n in every if n is not None)
    assert valid_size(nasbench101((7,), max_edges=8)).exact != 373_754_169
    assert {size.equivalence: size.exact for size in space_size(nasbench101()).unique} == {"isomorphism": 423_624}


# -- small spaces, every member judged -----------------------------------------------------------------------------


def dag(n: int, *operations: str) -> Record:
    bits: dict[str, Term] = {f"{i}->{j}": one_of(0, 1) for j in range(1, n) for i in range(j)}
    return record("dag", vertices=Value(n), **bits, **{f"v{i}": one_of(*operations) for i in range(1, n - 1)})


def graph_of(cell: Any) -> tuple[list[tuple[int, int]], int]:
    ends = [(*map(int, name.split("->")), value) for name, value in cell.items() if "->" in name]
    return [(i, j) for i, j, there in ends if there not in (0, False, "none")], max(j for _, j, _ in ends)


def through(cell: Any) -> int:
    """Edges on some way from the first vertex to the last, every way walked."""
    edges, last = graph_of(cell)
    used: set[tuple[int, int]] = set()
    ways: list[list[tuple[int, int]]] = [[(i, j)] for i, j in edges if i == 0]
    while ways:
        way = ways.pop()
        if way[-1][1] == last:
            used.update(way)
        ways += [[*way, edge] for edge in edges if edge[0] == way[-1][1]]
    return len(used)


def answers(genotype: Any) -> Iterator[Any]:
    """Every scalar in a genotype."""
    for inner in genotype.values() if isinstance(genotype, dict) else genotype if isinstance(genotype, list) else ():
        yield from answers(inner)
    if not isinstance(genotype, dict | list):
        yield genotype


LAYERS = Repeat(one_of("conv", "pool", "skip"), (2, 3, 4))
THREE = {f"m{i}": record("merge", level=one_of("a", "b", "c"), op=one_of(0, 1)) for i in range(4)}
LAST = ("/m1/level", "/m2/level", "/m3/level")
EDGES = tuple(record("edge", input=Value(i), op=one_of("conv", "skip")) for i in range(4))
PAIRS = {
    f"b{n}": record("pair", left=record("edge", input=one_of(*range(n)), op=one_of("x", "y")),
                    right=record("edge", input=one_of(*range(n)), op=one_of("x", "y")))
    for n in (2, 3)
}  # fmt: skip
TREE = Grammar(
    {
        "term": Choice(
            (
                record("apply", kind=Value("apply"), op=one_of("conv", "pool")),
                record("pair", kind=Value("pair"), a=Ref("term"), b=Ref("term")),
            )
        )
    },
    "term",
    3,
)
TRELLIS = Grammar(
    {
        "net": record("net", first=Ref("s0", shared=True), op=one_of("conv", "pool")),
        "s0": record("state", level=Value(0), next=Choice((Ref("s1", shared=True), Ref("s2", shared=True)))),
        "s1": record("state", level=Value(1), op=one_of("conv", "pool", "skip")),
        "s2": record("state", level=Value(2), op=one_of("conv", "skip")),
    },
    "net",
)

Case = tuple[str, SearchSpace, Callable[[Any], bool]]
CASES: list[Case] = [
    ("at most two", space_of(record("chain", layers=LAYERS), ("option_count", {"option": "conv", "max": 2})),
     lambda g: g["layers"].count("conv") <= 2),
    ("at least two", space_of(record("chain", layers=LAYERS), ("option_count", {"option": "conv", "min": 2})),
     lambda g: g["layers"].count("conv") >= 2),
    ("between, and no pool first", space_of(
        record("chain", layers=LAYERS, tail=one_of("conv", "pool")),
        ("option_count", {"option": "conv", "at": "/layers", "min": 1, "max": 2}),
        ("option_count", {"option": "pool", "at": "/layers/0", "max": 0})),
     lambda g: 1 <= g["layers"].count("conv") <= 2 and g["layers"][0] != "pool"),
    ("permutation", space_of(record("fpn", **THREE), ("permutation", {"at": LAST})),
     lambda g: len({g[f"m{i}"]["level"] for i in (1, 2, 3)}) == 3),
    ("distinct", space_of(record("fpn", **THREE), ("distinct", {"at": LAST[:2]})),
     lambda g: g["m1"]["level"] != g["m2"]["level"]),
    ("distinct inputs", space_of(record("shared_cell", **PAIRS),
                                 ("distinct", {"at": ("/b3/left/input", "/b3/right/input")})),
     lambda g: g["b3"]["left"]["input"] != g["b3"]["right"]["input"]),
    ("predecessors", space_of(record("shared_cell", **PAIRS), ("predecessors", {"at": "/b3", "allowed": (1, 2)})),
     lambda g: all(edge["input"] in (1, 2) for edge in g["b3"].values())),
    ("predecessors of a subset", space_of(record("cell", a=Subset(EDGES, 2), b=Subset(EDGES, 3)),
                                          ("predecessors", {"at": "/a", "allowed": (0, 2, 3)})),
     lambda g: all(edge["input"] in (0, 2, 3) for edge in g["a"])),
    ("counted in a subset", space_of(record("cell", a=Subset(EDGES, 2), b=Subset(EDGES, 3)),
                                     ("option_count", {"option": "skip", "min": 1, "max": 3})),
     lambda g: 1 <= list(answers(g)).count("skip") <= 3),
    ("subsets apart", space_of(record("cell", a=Subset(EDGES, 1), b=Subset(EDGES, 2)),
                               ("distinct", {"at": ("/a", "/b")})),
     lambda g: not {e["input"] for e in g["a"]} & {e["input"] for e in g["b"]}),
    ("connected", space_of(dag(4, "x", "y"), ("connected", {"at": ""})), lambda g: through(g) > 0),
    ("few edges", space_of(dag(4, "x", "y"), ("edges", {"at": "", "max": 3})), lambda g: len(graph_of(g)[0]) <= 3),
    ("edges between", space_of(dag(4, "x"), ("edges", {"at": "", "min": 2, "max": 3}), ("connected", {"at": ""})),
     lambda g: 2 <= len(graph_of(g)[0]) <= 3 and through(g) > 0),
    ("pruned", space_of(dag(4, "x", "y"), ("edges", {"at": "", "max": 3, "pruned": True}), ("connected", {"at": ""})),
     lambda g: 1 <= through(g) <= 3),
    ("pruned, or nothing", space_of(dag(4, "x"), ("edges", {"at": "", "max": 2, "pruned": True})),
     lambda g: through(g) <= 2),
    ("graphs of two sizes", space_of(
        record("net", cell=Choice((dag(3, "x", "y"), dag(4, "x", "y")))), ("connected", {"at": "/cell"}),
        ("edges", {"at": "/cell", "max": 4, "pruned": True}), ("option_count", {"option": "x", "max": 1})),
     lambda g: 1 <= through(g["cell"]) <= 4 and list(answers(g)).count("x") <= 1),
    ("bits that are counted too", space_of(dag(4, "x"), ("connected", {"at": ""}),
                                           ("option_count", {"option": 1, "max": 3})),
     lambda g: through(g) > 0 and len(graph_of(g)[0]) <= 3),
    ("operations for edges", space_of(nasbench201(4, ("none", "conv")).grammar, ("connected", {"at": ""})),
     lambda g: through(g) > 0),
    ("recursion", space_of(TREE, ("option_count", {"option": "pool", "min": 1, "max": 2})),
     lambda g: 1 <= list(answers(g)).count("pool") <= 2),
    ("shared rules", space_of(TRELLIS, ("option_count", {"option": "skip", "max": 0})),
     lambda g: "skip" not in list(answers(g))),
    ("at a shared rule", space_of(TRELLIS, ("option_count", {"option": "conv", "at": "@s1", "max": 0})),
     lambda g: not (g["first"]["next"]["level"] == 1 and g["first"]["next"]["op"] == "conv")),
]  # fmt: skip


@pytest.mark.parametrize(("space", "holds"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
class TestEveryMember:
    def test_is_judged(self, space: SearchSpace, holds: Callable[[Any], bool]) -> None:
        for index in range(space.plan.size):
            genotype = space.plan.unrank(index)
            faults = space_faults(space, genotype)
            assert (not faults) == holds(genotype) == valid(space)(index), genotype
            for fault in faults:
                assert fault.message
                at: Any = genotype
                for token in fault.pointer.split("/")[1:]:
                    at = at[int(token) if isinstance(at, list) else token]

    def test_is_counted(self, space: SearchSpace, holds: Callable[[Any], bool]) -> None:
        exact = sum(holds(space.plan.unrank(index)) for index in range(space.plan.size))
        assert 0 < exact < space.plan.size
        tables = tables_of(space)
        assert tables is not None
        assert tables.size == exact == valid_size(space).exact

    def test_is_drawn_as_often_as_any_other(
        self, space: SearchSpace, holds: Callable[[Any], bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables = tables_of(space)
        assert tables is not None
        drawn = valid_sample(space, Random(0), 40)
        assert drawn.acceptance == 1
        assert all(map(holds, drawn.genotypes))
        if tables.graphs:  # numbers of numpy: see the test of their frequencies
            return
        monkeypatch.setattr("app.space.constraints.drawing._pick", pick)
        chances = dict(every_outcome(lambda rng: draw(tables, rng, 1)[0]))
        assert {holds(space.plan.unrank(index)) for index in chances} == {True}
        assert set(chances.values()) == {Fraction(1, tables.size)}
        assert len(chances) == tables.size

    def test_is_repaired(self, space: SearchSpace, holds: Callable[[Any], bool]) -> None:
        for genotype in space.plan.sample(Random(1), 40):
            repaired = space_repair(space, genotype)
            assert holds(repaired)
            if holds(genotype):
                assert repaired == genotype
        assert holds(space_repair(space, None))

    def test_has_valid_neighbours(self, space: SearchSpace, holds: Callable[[Any], bool]) -> None:
        for genotype in space.plan.sample(Random(2), 5):
            expected = [near for near in space.plan.neighbours(genotype) if holds(near)]
            assert list(valid_neighbours(space, genotype)) == expected

    def test_survives_its_document(self, space: SearchSpace, holds: Callable[[Any], bool]) -> None:
        again = space_from_json(space_to_json(space))
        assert again.digest == space.digest
        assert again.constraints == space.constraints


class Script(Random):
    """A generator that follows a script; beyond it, it takes the first answer and notes what else there was."""

    def __init__(self, script: tuple[int, ...]) -> None:
        super().__init__(0)
        self.script, self.taken, self.others = script, list[int](), list[tuple[int, ...]]()
        self.chance = Fraction(1)

    def take(self, weights: list[int]) -> int:
        place = len(self.taken)
        if place < len(self.script):
            answer = self.script[place]
        else:
            answer = 0
            self.others += [(*self.taken, other) for other in range(1, len(weights))]
        self.taken.append(answer)
        self.chance *= Fraction(weights[answer], sum(weights))
        return answer

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return self.take([1] * start)


def pick(weights: Mapping[Any, int], rng: Script) -> Any:
    """As the drawing picks a key by its weight."""
    keys = [key for key, weight in weights.items() if weight]
    return keys[rng.take([weights[key] for key in keys])]


def every_outcome(question: Callable[[Random], int]) -> Iterator[tuple[int, Fraction]]:
    """What a question to a generator may answer, with its probability: every answer of the generator is tried."""
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        rng = Script(waiting.pop())
        yield question(rng), rng.chance
        waiting += rng.others


# -- more than that ------------------------------------------------------------------------------------------------


def test_graphs_are_drawn_uniformly() -> None:
    """Pearson's statistic of 6,000 draws; beyond twice its degrees of freedom once in a million trials."""
    space = space_of(record("net", cell=Choice((dag(3, "x", "y"), dag(4, "x")))), ("connected", {"at": "/cell"}))
    tables = tables_of(space)
    assert tables is not None
    assert tables.graphs
    drawn = Counter(draw(tables, Random(3), 6_000))
    assert len(drawn) == tables.size
    expected = 6_000 / tables.size
    assert sum((n - expected) ** 2 / expected for n in drawn.values()) < 2 * tables.size


@pytest.mark.parametrize("name", ["permutation", "distinct", "predecessors", "connected", "pruned", "distinct inputs"])
def test_repair_changes_the_fewest_decisions(name: str) -> None:
    """In a grammar whose decisions are always all there, the distance is the number of answers that differ."""
    space, holds = next(case[1:] for case in CASES if case[0] == name)
    good = [read for i in range(space.plan.size) if holds(space.plan.unrank(i)) and (read := space.plan.read(
        space.plan.unrank(i)))]  # fmt: skip
    for genotype in space.plan.sample(Random(4), 40):
        own, found = space.plan.read(genotype), space.plan.read(space_repair(space, genotype))
        best = min(sum(own[path] != other[path] for path in own) for other in good)
        assert sum(own[path] != found[path] for path in own) == best


def test_what_no_automaton_counts_is_estimated_and_drawn_until_it_fits() -> None:
    """Edges in an order in which a vertex is left before it is entered, and bits that may be missing."""
    edges = [(1, 3), (0, 1), (0, 2), (2, 3), (1, 2), (3, 4), (0, 4), (2, 4), (0, 3), (1, 4), (4, 5), (3, 5), (2, 5)]
    wide: dict[str, Term] = {f"{i}->{j}": one_of(0, 1) for i, j in edges} | {"v1": one_of("x", "y", "z")}
    space = space_of(Record("dag", tuple(wide.items())), ("edges", {"at": "", "min": 4, "pruned": True}))
    assert tables_of(space) is None
    assert space.plan.size > 20_000
    exact = sum(map(valid(space), range(space.plan.size)))
    found = valid_size(space)
    assert found.exact is None
    assert found.estimate is not None
    assert found.estimate.low <= exact <= found.estimate.high
    assert found.estimate.samples == 2_000
    drawn = valid_sample(space, Random(0), 200)
    assert all(through(g) >= 4 for g in drawn.genotypes)
    assert abs(drawn.acceptance - exact / space.plan.size) < 0.1
    worst = {name: 0 for name in wide if "->" in name} | {"v1": "x"}
    assert through(space_repair(space, worst)) >= 4


def test_small_spaces_without_an_automaton_are_listed() -> None:
    edges = [(1, 3), (0, 1), (0, 2), (2, 3), (1, 2)]
    bits = tuple((f"{i}->{j}", one_of(0, 1)) for i, j in edges)
    space = space_of(Record("dag", bits), ("connected", {"at": ""}))
    assert tables_of(space) is None
    assert valid_size(space).exact == sum(through(space.plan.unrank(i)) > 0 for i in range(space.plan.size))


def test_the_wilson_interval_covers() -> None:
    """95 % intervals of an acceptance rate of 2 %: 1,000 of them, of which about fifty miss."""
    rng, held = Random(0), 0
    for _ in range(1_000):
        size = accepted(10_000, sum(rng.random() < 0.02 for _ in range(400)), 400, 0)
        assert size.estimate is not None
        held += size.estimate.low <= 200 <= size.estimate.high
    assert 925 <= held <= 985
    none = accepted(1_000, 0, 500, 0)
    assert none.estimate is not None
    assert (none.estimate.low, none.estimate.mean) == (0, 0)
    assert none.log10 is None
    assert 0 < none.estimate.high < 10


def test_classes_of_valid_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to relabelling, with at most one `b`: listed where the space is small, else estimated."""
    limit = ("option_count", {"option": "b", "max": 1})
    space = space_of(pnasnet(2, ("a", "b")).grammar, limit, equivalence="relabelling")
    forms = {canonical_rank(space, i, "relabelling") for i in range(space.plan.size) if valid(space)(i)}
    assert unique_size(space, "relabelling").exact == len(forms)
    monkeypatch.setattr("app.space.counting.LARGEST_LISTED", 0)
    estimate = unique_size(space, "relabelling", samples=500).estimate
    assert estimate is not None
    assert estimate.low <= len(forms) <= estimate.high


# -- documents -----------------------------------------------------------------------------------------------------


def document(term: Term, *constraints: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "grammar": grammar_to_json(Grammar({"net": term}, "net")), "constraints": list(constraints)}


CHAIN = record("chain", layers=LAYERS)


@pytest.mark.parametrize(
    ("term", "constraint", "pointer", "allowed"),
    [
        (CHAIN, 3, "/constraints/0", None),
        (CHAIN, {"name": "few"}, "/constraints/0/name", "option_count"),
        (CHAIN, {"name": ["edges"]}, "/constraints/0/name", "edges"),
        (CHAIN, {"name": "option_count", "more": 1}, "/constraints/0/more", None),
        (CHAIN, {"name": "option_count", "parameters": {"max": 1}}, "/constraints/0/parameters/option", None),
        (CHAIN, {"name": "option_count", "parameters": {"option": "conv"}}, "/constraints/0/parameters", None),
        (CHAIN, {"name": "option_count", "parameters": {"option": "conv", "max": -1}},
         "/constraints/0/parameters/max", None),
        (CHAIN, {"name": "option_count", "parameters": {"option": "conv", "min": 3, "max": 2}},
         "/constraints/0/parameters/max", 3),
        (CHAIN, {"name": "option_count", "parameters": {"option": "swish", "max": 1}},
         "/constraints/0/parameters/option", "conv"),
        (CHAIN, {"name": "option_count", "parameters": {"option": "conv", "max": 1, "at": "/none"}},
         "/constraints/0/parameters/at", "/layers/0"),
        (CHAIN, {"name": "option_count", "parameters": {"option": "conv", "max": 1, "at": "layers"}},
         "/constraints/0/parameters/at", ""),
        (CHAIN, {"name": "option_count", "parameters": {"option": None, "max": 1}},
         "/constraints/0/parameters/option", None),
        (CHAIN, {"name": "connected", "parameters": {"at": ""}}, "/constraints/0/parameters/at", None),
        (dag(3, "x"), {"name": "edges", "parameters": {"at": "", "max": 2, "pruned": "yes"}},
         "/constraints/0/parameters/pruned", True),
        (record("fpn", **THREE), {"name": "permutation", "parameters": {"at": []}},
         "/constraints/0/parameters/at", None),
        (record("fpn", **THREE), {"name": "permutation", "parameters": {"at": ["/m1/level", "/m1"]}},
         "/constraints/0/parameters/at/1", "/m0/level"),
        (record("fpn", **THREE), {"name": "distinct", "parameters": {"at": ["/m1/level", "/m1/level"]}},
         "/constraints/0/parameters/at/1", None),
        (record("fpn", **THREE), {"name": "permutation", "parameters": {"at": ["/m1/level", "/m2/level"]}},
         "/constraints/0/parameters/at", 3),
        (record("shared_cell", **PAIRS), {"name": "predecessors", "parameters": {"at": "/b2", "allowed": [1, 7]}},
         "/constraints/0/parameters/allowed/1", 0),
        (CHAIN, {"name": "max_params", "parameters": {"value": 10}}, "/constraints/0/parameters/skeleton", None),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_constraint_is_pointed_at(term: Term, constraint: Any, pointer: str, allowed: Any) -> None:
    with pytest.raises(GrammarError) as raised:
        space_from_json(document(term, constraint))
    (fault,) = raised.value.faults
    assert fault.pointer == pointer
    assert allowed is None or allowed in fault.allowed


@pytest.mark.parametrize(
    ("term", "constraints", "pointer"),
    [
        (CHAIN, [("option_count", {"option": "conv", "min": 9})], "/constraints/0"),
        (CHAIN, [("option_count", {"option": "conv", "min": 3}), ("option_count", {"option": "pool", "min": 2})],
         "/constraints/1"),
        (dag(4, "x"), [("connected", {"at": ""}), ("edges", {"at": "", "max": 0})], "/constraints/1"),
        (dag(4, "x"), [("edges", {"at": "", "min": 7, "pruned": True})], "/constraints/0"),
        (record("fpn", **THREE), [("distinct", {"at": [f"/m{i}/level" for i in range(4)]})], "/constraints/0"),
        (record("fpn", **THREE), [("permutation", {"at": list(LAST)}),
                                  ("option_count", {"option": "a", "at": "/m1", "min": 1}),
                                  ("option_count", {"option": "a", "at": "/m2", "min": 1})], "/constraints/2"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_at_once(term: Term, constraints: list[tuple[str, Any]], pointer: str) -> None:
    asked = [{"name": name, "parameters": parameters} for name, parameters in constraints]
    started = time.process_time()
    with pytest.raises(GrammarError) as raised:
        space_from_json(document(term, *asked))
    assert raised.value.pointer == pointer
    assert time.process_time() - started < 0.1


def test_what_cannot_be_met_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space made in Python may contradict itself; nothing is drawn from it for ever."""
    space = space_of(CHAIN, ("option_count", {"option": "conv", "min": 9}))
    assert valid_size(space).exact == 0
    with pytest.raises(Unmet, match="no member"):
        valid_sample(space, Random(0), 1)
    with pytest.raises(Unmet):
        space_repair(space, {"layers": ["conv", "conv"]})
    monkeypatch.setattr("app.space.validity.JUDGED", 500)
    unheard = space_of(CHAIN, ("option_count", {"option": "conv", "max": 9}))
    with pytest.raises(Unmet) as raised:
        valid_sample(unheard, Random(0), 1, judge=lambda index: False)
    assert raised.value.tried == 500


def test_large_tables_are_given_up_within_their_bound() -> None:
    """Hundreds of counted decisions under composed conditions: an answer, and in time."""
    layers = Repeat(one_of(*"abcdefgh"), (200, 400, 600))
    space = space_of(record("chain", layers=layers), *(("option_count", {"option": o, "max": 90}) for o in "abcdef"))
    asked = space_to_json(space)
    started = time.process_time()
    again = space_from_json(asked)
    assert time.process_time() - started < 0.5
    assert conditions_of(again)


def test_constraints_belong_to_the_digest() -> None:
    plain = darts()
    limited = space_of(plain.grammar, ("option_count", {"option": "skip_connect", "max": 2}))
    assert limited.digest != plain.digest
    assert limited.digest != space_of(plain.grammar, ("option_count", {"option": "skip_connect", "max": 3})).digest


def test_darts_with_few_skips() -> None:
    """PC-DARTS and others allow two skips a cell: by hand, sums over which of the eight edges skip."""
    space = space_of(
        darts().grammar,
        *(("option_count", {"option": "skip_connect", "at": f"/{cell}", "max": 2}) for cell in ("normal", "reduce")),
    )
    wirings = 1 * 3 * 6 * 10
    cell = wirings * sum(len(list(combinations(range(8), skips))) * 6 ** (8 - skips) for skips in (0, 1, 2))
    assert valid_size(space).exact == cell**2
    drawn = valid_sample(space, Random(0), 50)
    assert all(str(cell).count("skip_connect") <= 2 for g in drawn.genotypes for cell in g.values())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [name for name, space in ZOO.items() if space.constraints])
def test_the_zoo_with_constraints(name: str) -> None:
    space = ZOO[name]
    assert space_from_json(space_to_json(space)).digest == space.digest
    drawn = valid_sample(space, Random(0), 20)
    assert drawn.acceptance == 1
    assert not any(space_faults(space, genotype) for genotype in drawn.genotypes)
    for genotype in space.plan.sample(Random(1), 20):
        assert not space_faults(space, space_repair(space, genotype))


def test_permutations_are_all_drawn() -> None:
    space = space_of(record("fpn", **{n: f for n, f in THREE.items() if n != "m0"}), ("permutation", {"at": LAST}))
    drawn = valid_sample(space, Random(0), 400)
    orders = {tuple(g[m]["level"] for m in ("m1", "m2", "m3")) for g in drawn.genotypes}  # type: ignore[index, call-overload]
    assert orders == set(permutations("abc"))


# -- bounds on costs -----------------------------------------------------------------------------------------------


def bounded(space: SearchSpace, **limits: int) -> SearchSpace:
    named = [Constraint(name, (("value", value), ("skeleton", "small"))) for name, value in limits.items()]
    return replace(space, constraints=(*space.constraints, *named))


def costs_of(space: SearchSpace, index: int) -> tuple[int, int, int]:
    made = space.plan.read(space.plan.unrank(index))
    found = cost(lower(space.grammar, space.skeletons["small"], space.input, made))
    return found.params, found.macs, found.depth


def test_bounds_on_params_and_macs_are_counted_by_pricing_every_member() -> None:
    plain = nasbench201(3)
    known = [costs_of(plain, index) for index in range(plain.plan.size)]
    middle = sorted(params for params, _, _ in known)[60], sorted(macs for _, macs, _ in known)[80]
    space = bounded(plain, max_params=middle[0], max_macs=middle[1])
    good = [i for i, (params, macs, _) in enumerate(known) if params <= middle[0] and macs <= middle[1]]
    assert 0 < len(good) < 125
    sizes = size_of(space)
    assert (sizes.raw.exact, sizes.valid.exact) == (125, len(good))
    assert space_size(space).valid.exact is None, "of costs nothing is known a floor below"
    judge = judge_of(space)
    assert judge is not None
    for index in range(125):
        faults = faults_of(space, space.plan.unrank(index))
        assert judge(index) == (index in good) == (not faults)
        assert all(fault.allowed[0] in middle for fault in faults)
    assert {size.equivalence: size.exact for size in sizes.unique}["relabelling"] == len(
        {canonical_rank(plain, i, "relabelling") for i in good}
    )


def test_what_is_bounded_is_drawn_and_repaired_within_its_bounds() -> None:
    plain = darts()
    params = sorted(costs_of(plain, plain.plan.rank(genotype))[0] for genotype in plain.plan.sample(Random(2), 30))
    limit = Constraint("option_count", (("option", "skip_connect"), ("min", 1)))
    space = bounded(replace(plain, constraints=(limit,)), max_params=params[len(params) // 3])
    drawn = valid_sample(space, Random(0), 20, judge_of(space))
    assert 0.05 < drawn.acceptance < 0.9
    assert not any(faults_of(space, genotype) for genotype in drawn.genotypes)
    for genotype in space.plan.sample(Random(1), 3):
        assert not faults_of(space, space_repair(space, genotype, judge_of(space)))


def test_bounds_of_large_spaces_are_estimated() -> None:
    plain = ZOO["nasbench201"]
    known = [costs_of(plain, plain.plan.rank(genotype))[0] for genotype in plain.plan.sample(Random(0), 60)]
    space = bounded(nasbench201(5), max_params=sorted(known)[30])
    sizes = size_of(space)
    assert sizes.valid.exact is None
    assert sizes.valid.estimate is not None
    assert 0 < sizes.valid.estimate.low < sizes.valid.estimate.high < space.plan.size
    relabelling = next(size for size in sizes.unique if size.equivalence == "relabelling")
    assert relabelling.estimate is not None
    assert relabelling.estimate.mean <= sizes.valid.estimate.mean


def test_bounds_on_depth_look_at_the_lowered_graph() -> None:
    plain = chain((1, 2, 3), ("conv_3x3", "skip_connect"))
    known = [costs_of(plain, index)[2] for index in range(plain.plan.size)]
    space = bounded(plain, max_depth=sorted(known)[5])
    assert size_of(space).valid.exact == sum(depth <= sorted(known)[5] for depth in known)


def test_a_skeleton_that_is_not_there_is_pointed_at() -> None:
    asked = space_to_json(darts()) | {
        "constraints": [{"name": "max_macs", "parameters": {"value": 1, "skeleton": "x"}}]
    }
    with pytest.raises(GrammarError) as raised:
        space_from_json(asked)
    assert raised.value.pointer == "/constraints/0/parameters/skeleton"
    assert raised.value.faults[0].allowed == tuple(darts().skeletons)
