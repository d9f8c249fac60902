"""Connectivity patterns: their counts in closed form, their documents, and networks of them."""

from typing import Any

import pytest

from app.architecture import lower
from app.space import (
    CellSkeleton,
    FreeSkeleton,
    Grammar,
    GrammarError,
    ImageInput,
    Ref,
    compile_plan,
    grammar_from_json,
    grammar_to_json,
    record,
)
from app.space.patterns import PATTERNS, cell_saving

OPERATIONS = ("conv_1x1", "max_pool_3x3", "identity")
IMAGE = ImageInput(channels=1, height=8, width=8)


def grammar(name: str, nodes: int, operations: tuple[str, ...] = OPERATIONS) -> Grammar:
    body = PATTERNS[name].build(nodes, operations)
    root = record("cells", cell=Ref("body")) if name == "cell" else record("free", body=Ref("body"))
    return Grammar({"net": root, "body": body}, "net")


def document(name: object, nodes: object, operations: object) -> Any:
    term = {"pattern": name, "nodes": nodes, "operations": operations}
    return {"start": "net", "rules": {"net": {"record": "free", "fields": {"body": term}}}}


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("nodes", [1, 2, 4])
@pytest.mark.parametrize("operations", [1, 3])
def test_the_closed_form_is_what_the_algebra_counts(name: str, nodes: int, operations: int) -> None:
    pattern = PATTERNS[name]
    assert compile_plan(grammar(name, nodes, OPERATIONS[:operations])).size == pattern.count(nodes, operations)


def test_counts_that_are_known_from_papers() -> None:
    assert PATTERNS["cell"].count(4, 7) == 1_037_664_180  # a cell of DARTS
    assert PATTERNS["dense"].count(3, 5) == 15_625  # NAS-Bench-201, none among its operations
    assert PATTERNS["dag"].count(3, 4) == 15_625


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_a_meaning(name: str) -> None:
    skeleton = CellSkeleton(channels=2, num_cells=2) if name == "cell" else FreeSkeleton(channels=2)
    assert lower(grammar(name, 3), skeleton, IMAGE).open


@pytest.mark.parametrize("name", PATTERNS)
def test_a_document_may_name_a_pattern(name: str) -> None:
    found = grammar_from_json(document(name, 3, list(OPERATIONS)))
    expected = Grammar({"net": record("free", body=PATTERNS[name].build(3, OPERATIONS))}, "net")
    assert found == expected
    assert grammar_from_json(grammar_to_json(found)) == expected


@pytest.mark.parametrize(
    ("name", "nodes", "operations", "pointer"),
    [
        ("star", 3, ["a"], "/pattern"),
        ([], 3, ["a"], "/pattern"),
        ("dense", 0, ["a"], "/nodes"),
        ("dense", 33, ["a"], "/nodes"),
        ("tree", 7, ["a"], "/nodes"),
        ("chain", 3, [], "/operations"),
        ("chain", 3, ["a", "a"], "/operations"),
        ("chain", 3, ["a", 1], "/operations/1"),
        ("dag", 32, [f"o{i}" for i in range(99)], ""),
    ],
)
def test_a_pattern_that_cannot_be_built_is_refused(
    name: object, nodes: object, operations: object, pointer: str
) -> None:
    with pytest.raises(GrammarError) as raised:
        grammar_from_json(document(name, nodes, operations))
    assert raised.value.pointer == f"/rules/net/fields/body{pointer}"


def test_the_case_for_cells() -> None:
    """Eight operations: 8^20 networks of twenty layers, 8^5 cells of five blocks."""
    assert cell_saving(8, 20, 5) == (8**20, 8**5)
    layers, blocks = cell_saving(7, 6, 2)
    assert layers == compile_plan(grammar("chain", 6, tuple("abcdefg"))).size
    assert blocks == compile_plan(grammar("chain", 2, tuple("abcdefg"))).size
