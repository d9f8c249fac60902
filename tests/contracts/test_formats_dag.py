"""NAS-Bench-101's matrices, both ways: over all small cells and a sample of the large ones, and pointed errors."""

import json
from random import Random
from typing import Any, cast

import pytest

from app.architecture.formats import FormatError, formats_of, read_format, write_format
from app.space import Grammar, InvalidGenotype, SearchSpace, one_of, record
from app.space.classes import canonical_rank
from app.space.zoo import NASBENCH101_OPERATIONS, ZOO, nasbench101

NAME = "nasbench101"
CONV1, CONV3, POOL = NASBENCH101_OPERATIONS
SPACE = nasbench101()


def document(rows: str, *operations: str) -> dict[str, Any]:
    return {"matrix": [[int(bit) for bit in row] for row in rows.split()], "ops": ["input", *operations, "output"]}


def test_all_cells_of_up_to_five_vertices_come_back() -> None:
    plan = nasbench101((2, 3, 4, 5)).plan
    seen: set[str] = set()
    for index in range(plan.size):
        member = plan.unrank(index)
        written = write_format(SPACE, NAME, member)
        assert read_format(SPACE, NAME, written) == member
        seen.add(json.dumps(written))
    assert len(seen) == plan.size == 28_250


def test_cells_of_seven_vertices_come_back() -> None:
    for member in SPACE.plan.sample(Random(0), 2_000):
        written = json.loads(json.dumps(write_format(SPACE, NAME, member)))
        assert read_format(SPACE, NAME, written) == member
        assert len(written["ops"]) == len(written["matrix"]) == cast("Any", member)["cell"]["vertices"]


def test_the_cell_of_the_published_notebook() -> None:
    published = document("0111100 0000001 0000001 0000001 0000010 0000001 0000000", CONV3, CONV1, POOL, CONV3, CONV3)
    member: Any = read_format(SPACE, NAME, published)
    edges = [name for name, bit in member["cell"].items() if "->" in name and bit]
    assert edges == ["0->1", "0->2", "0->3", "0->4", "4->5", "1->6", "2->6", "3->6", "5->6"]
    assert [member["cell"][f"v{v}"] for v in range(1, 6)] == [CONV3, CONV1, POOL, CONV3, CONV3]
    assert write_format(SPACE, NAME, member) == published


def test_what_the_space_does_not_have_is_judged_without_what_lies_on_no_way() -> None:
    """The benchmark drops vertices before it judges: more than seven, or operations unknown, may be fine."""
    small = document("010 001 000", CONV3)
    expected = read_format(SPACE, NAME, small)
    # vertex 1 leads nowhere, vertex 2 is never reached, and so on to nine vertices
    large = document(
        "010010000 000000000 000000001 000000000 000000001 000000000 000000000 000000000 000000000",
        *("dead", "dead", "dead", CONV3, "dead", "dead", "dead"),
    )
    assert read_format(SPACE, NAME, large) == expected
    unknown = document("0110 0000 0001 0000", "avgpool7x7", CONV3)
    assert read_format(SPACE, NAME, unknown) == expected
    # one of the space's own keeps its vertices
    known = document("0110 0000 0001 0000", CONV1, CONV3)
    kept: Any = read_format(SPACE, NAME, known)
    assert kept["cell"]["vertices"] == 4
    assert canonical_rank(SPACE, SPACE.plan.rank(kept)) == SPACE.plan.rank(expected)


@pytest.mark.parametrize(
    ("value", "pointer", "part"),
    [
        (None, "", "found null"),
        ([], "", "a list"),
        ({"matrix": [[0, 1], [0, 0]]}, "", "matrix, ops"),
        ({"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"], "name": "x"}, "", "3 fields"),
        ({"matrix": "01 00", "ops": ["input", "output"]}, "/matrix", "rows"),
        ({"matrix": [[0]], "ops": ["input"]}, "/matrix", "2 to"),
        ({"matrix": [[0] * 65] * 65, "ops": []}, "/matrix", "2 to"),
        ({"matrix": [[0, 1], [0]], "ops": ["input", "output"]}, "/matrix/1", "row of 2"),
        ({"matrix": [[0, 1], 7], "ops": ["input", "output"]}, "/matrix/1", "found 7"),
        ({"matrix": [[0, 2], [0, 0]], "ops": ["input", "output"]}, "/matrix/0/1", "0 or 1"),
        ({"matrix": [[0, True], [0, 0]], "ops": ["input", "output"]}, "/matrix/0/1", "found true"),
        ({"matrix": [[0, 1.0], [0, 0]], "ops": ["input", "output"]}, "/matrix/0/1", "found 1.0"),
        ({"matrix": [[0, 1], [1, 0]], "ops": ["input", "output"]}, "/matrix/1/0", "diagonal"),
        ({"matrix": [[1, 1], [0, 0]], "ops": ["input", "output"]}, "/matrix/0/0", "diagonal"),
        ({"matrix": [[0, 1], [0, 0]], "ops": "input"}, "/ops", "2 operations"),
        ({"matrix": [[0, 1], [0, 0]], "ops": ["input"]}, "/ops", "2 operations"),
        ({"matrix": [[0, 1], [0, 0]], "ops": ["output", "input"]}, "/ops/0", "expected input"),
        ({"matrix": [[0, 1], [0, 0]], "ops": ["input", "Output"]}, "/ops/1", "expected output"),
        (document("010 001 000", CONV1) | {"ops": ["input", 3, "output"]}, "/ops/1", "a word"),
        (document("00000000 " * 8, *[CONV1] * 6), "/matrix", "no way"),
    ],
)
def test_errors_point_at_what_is_wrong(value: object, pointer: str, part: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(SPACE, NAME, value)
    assert caught.value.pointer == pointer
    assert part in caught.value.message


def test_what_it_says_may_be_no_member() -> None:
    with pytest.raises(InvalidGenotype) as caught:
        read_format(SPACE, NAME, document("0110 0001 0001 0000", "conv9x9", "avgpool"))
    assert [fault.pointer for fault in caught.value.faults] == ["/ops/1", "/ops/2"]
    assert caught.value.faults[0].allowed == NASBENCH101_OPERATIONS
    chain = "01000000 00100000 00010000 00001000 00000100 00000010 00000001 00000000"
    with pytest.raises(InvalidGenotype) as caught:
        read_format(SPACE, NAME, document(chain, *[CONV1] * 6))
    assert [(f.pointer, f.value, f.allowed) for f in caught.value.faults] == [("/matrix", 8, (2, 3, 4, 5, 6, 7))]


def test_it_is_a_format_of_graphs_in_cells_alone() -> None:
    assert {name for name, space in ZOO.items() if NAME in [f.name for f in formats_of(space)]} == {"nasbench101"}
    plain = record("dag", **{"0->1": one_of(0, 1), "0->2": one_of(0, 1), "1->2": one_of(0, 1)}, v1=one_of("a", "b"))
    unnumbered = SearchSpace(
        name="plain",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"net": record("dag_cells", cell=plain)}, "net"),
        skeletons={},
    )
    assert NAME not in [f.name for f in formats_of(unnumbered)]
