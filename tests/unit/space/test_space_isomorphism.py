"""Canonical forms of graphs against brute force: all orders of what lies on a way, for every cell of a space."""

from functools import cache
from itertools import permutations
from random import Random
from typing import Any, cast

import pytest

from app.space import Constraint, Grammar, Record, SearchSpace, Value, one_of, record, space_size
from app.space.classes import canonical_rank, reading_of, readings_of
from app.space.document import Equivalence
from app.space.zoo import nasbench101, unconstrained_dag

SPACES = {
    "up to five vertices": lambda: nasbench101((2, 3, 4, 5)),
    "five vertices": lambda: nasbench101((5,), ("a", "b"), 10),
    "unlike and out of order": lambda: nasbench101((4, 2, 5), ("a", "b")),
    "one operation": lambda: nasbench101((3, 5), ("a",)),
    "a network": lambda: unconstrained_dag(5, ("a", "b")),
}
Form = tuple[Any, ...]


@cache
def space_of(name: str) -> SearchSpace:
    return SPACES[name]()


def form(genotype: Any) -> Form:
    """The smallest naming of what lies on a way from input to output, by trying them all."""
    fields = genotype.get("cell", genotype)
    bits = {tuple(map(int, name.split("->"))): bit for name, bit in fields.items() if "->" in name}
    last = max(target for _, target in bits)
    edges = [edge for edge, bit in bits.items() if bit]
    ways: list[list[int]] = [[0]]
    through: set[int] = set()
    while ways:
        way = ways.pop()
        if way[-1] == last:
            through.update(way)
        ways += [[*way, j] for i, j in edges if i == way[-1]]
    inner = sorted(through - {0, last})
    if not through:
        return ()
    kept = [(i, j) for i, j in edges if i in through and j in through]
    found: list[Form] = []
    for moved in permutations(range(1, len(inner) + 1)):
        names = {0: 0, last: len(inner) + 1, **dict(zip(inner, moved, strict=True))}
        operations = {names[v]: fields[f"v{v}"] for v in inner}
        found.append((sorted((names[i], names[j]) for i, j in kept), sorted(operations.items())))
    return (len(inner), min(found))


@cache
def classes(name: str) -> tuple[list[int], ...]:
    """The ranks of each class, by brute force."""
    found: dict[str, list[int]] = {}
    plan = space_of(name).plan
    for index in range(plan.size):
        found.setdefault(repr(form(plan.unrank(index))), []).append(index)
    return tuple(found.values())


@pytest.mark.parametrize("name", SPACES)
def test_the_canonical_form_is_the_lowest_of_its_class(name: str) -> None:
    space = space_of(name)
    for ranks in classes(name):
        assert {canonical_rank(space, index) for index in ranks} == {min(ranks)}
    some = classes(name)[len(classes(name)) // 2]
    canonical = reading_of(space, "isomorphism").canonical(space, space.plan.unrank(some[-1]))
    assert canonical == space.plan.unrank(min(some))


@pytest.mark.parametrize("name", SPACES)
def test_orbits_are_the_sizes_of_classes(name: str) -> None:
    space = space_of(name)
    orbit = reading_of(space, "isomorphism").orbit
    assert orbit is not None
    assert [orbit(space, space.plan.unrank(ranks[-1])) for ranks in classes(name)] == list(map(len, classes(name)))


@pytest.mark.parametrize("name", SPACES)
def test_classes_are_counted_as_they_are_found(name: str) -> None:
    space = space_of(name)
    limits = dict(space.constraints[-1].parameters) if space.constraints else {}
    found = 0
    for ranks in classes(name):
        shape = form(space.plan.unrank(ranks[0]))
        edges = len(shape[1][0]) if shape else 0
        found += edges <= cast("int", limits["max"]) and bool(shape) if limits else 1
    assert [size.exact for size in space_size(space).unique] == [found]


def renamed(genotype: Any, rng: Random) -> Any:
    """A cell of seven vertices with its inner vertices in another order that edges lead on in, if there is one."""
    cell = genotype["cell"]
    for _ in range(200):
        moved = [0, *rng.sample(range(1, 6), 5), 6]
        edges = {(moved[i], moved[j]) for j in range(7) for i in range(j) if cell[f"{i}->{j}"]}
        if all(i < j for i, j in edges):
            bits = {f"{i}->{j}": int((i, j) in edges) for j in range(7) for i in range(j)}
            operations = {f"v{moved[v]}": cell[f"v{v}"] for v in range(1, 6)}
            return {"cell": {"vertices": 7, **bits, **dict(sorted(operations.items()))}}
    return genotype


def test_cells_of_seven_vertices_keep_their_canonical_form_under_other_names() -> None:
    space = nasbench101()
    rng = Random(7)
    another = 0
    for _ in range(400):
        member = space.plan.unrank(rng.randrange(space.plan.size - 7**6, space.plan.size))
        other = renamed(member, rng)
        another += other != member
        rank = canonical_rank(space, space.plan.rank(member))
        assert canonical_rank(space, space.plan.rank(other)) == rank == canonical_rank(space, rank)
        assert rank <= space.plan.rank(member)
        assert form(space.plan.unrank(rank)) == form(member)
    assert another > 50


def test_cells_of_seven_vertices_differ_where_their_forms_do() -> None:
    space = nasbench101((7,))
    rng = Random(8)
    # few edges, so that forms meet
    members = [space.plan.unrank(rng.getrandbits(21) & rng.getrandbits(21) & rng.getrandbits(21)) for _ in range(300)]
    forms = {repr(form(member)) for member in members}
    assert len({canonical_rank(space, space.plan.rank(member)) for member in members}) == len(forms) < 250


def graph(*fields: tuple[str, Any]) -> SearchSpace:
    return SearchSpace(
        name="other",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"net": Record("dag_network", fields)}, "net"),
        skeletons={},
        equivalences=(Equivalence("isomorphism"),),
    )


BIT, OPS = one_of(0, 1), one_of("a", "b")


@pytest.mark.parametrize(
    "fields",
    [
        [("0->1", BIT), ("0->2", BIT), ("v1", OPS)],  # an edge that is never there
        [("0->1", BIT), ("1->2", BIT), ("0->2", BIT), ("v1", OPS)],  # another order of ranks
        [("0->1", one_of(1, 0)), ("0->2", BIT), ("1->2", BIT), ("v1", OPS)],
        [("0->1", one_of(False, True)), ("0->2", BIT), ("1->2", BIT), ("v1", OPS)],
        [("0->1", Value(1)), ("0->2", BIT), ("1->2", BIT), ("v1", OPS)],  # an edge that is always there
        [("0->1", BIT), ("0->2", BIT), ("1->2", BIT), ("v1", OPS), ("extra", BIT)],
        [("0->1", BIT), ("0->2", BIT), ("1->2", BIT), ("v1", record("op", kind=OPS))],
    ],
)
def test_graphs_that_cannot_be_renamed_freely_are_left_alone(fields: list[tuple[str, Any]]) -> None:
    assert not readings_of(graph(*fields))


def test_vertices_with_operations_of_their_own_are_left_alone() -> None:
    edges = [(f"{i}->{j}", BIT) for j in range(1, 4) for i in range(j)]
    assert readings_of(graph(*edges, ("v1", OPS), ("v2", OPS)))
    assert not readings_of(graph(*edges, ("v1", OPS), ("v2", one_of("a", "c"))))
    assert not readings_of(graph(*edges, ("v1", OPS), ("v2", one_of("b", "a"))))


def test_a_condition_on_some_members_of_a_class_is_not_counted_in_closed_form() -> None:
    plain = nasbench101((2, 3, 4))
    fields = {name: getattr(plain, name) for name in ("name", "version", "title", "paper", "grammar", "skeletons")}
    unpruned = Constraint("edges", (("at", "/cell"), ("max", 3)))
    some = Constraint("edges", (("at", "/cell/4"), ("max", 3), ("pruned", True)))
    for limit in (unpruned, some):
        space = SearchSpace(**fields, equivalences=plain.equivalences, constraints=(limit,))
        assert reading_of(space, "isomorphism").count(space) is None
