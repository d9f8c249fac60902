"""docs/security.md: each test that it names is there, each of the ten risks has one, and each bomb has its row."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.integration.bombs import BOMBS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
RISKS = dict(re.findall(r"^### (API\d+): .*\n((?:(?!^##).*\n)+)", TEXT, re.MULTILINE))


@cache
def names_in(path: str) -> set[str]:
    file = ROOT / path
    assert file.exists(), f"docs/security.md names {path}"
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", sorted({"::".join(found) for found in NAMED.findall(TEXT)}))
def test_what_is_named_is_there(name: str) -> None:
    path, test = name.split("::")
    assert test in names_in(path)


def test_each_of_the_ten_has_a_test_that_holds_it() -> None:
    assert list(RISKS) == [f"API{number}" for number in range(1, 11)]
    for risk, text in RISKS.items():
        told, _, held = text.partition("*Held by*")
        assert NAMED.search(held), risk
        assert "*What could happen.*" in told
        assert "*What stops it.*" in told


def test_the_table_has_every_bomb_with_an_answer_that_it_may_have() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (\d{3}) \| \d+ \| [\d.]+ \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(BOMBS)
    for name, status in rows:
        assert int(status) in BOMBS[name].statuses, name
