"""The guide to search spaces: every block of it is run, every table of it is complete.

json space            a document that is a space; Python below knows it as documents[name]
json refused POINTER  a document that is refused there
shell                 commands, run against the application in this process
json answer           part of what the last command above answered
python                a session, run in one namespace for the whole guide
"""

import doctest
import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.architecture import lower
from app.architecture.formats import FORMATS
from app.architecture.lower.combinators import COMBINATORS
from app.space import GrammarError, space_from_json
from app.space.constraints import CONSTRAINTS
from app.space.document import EQUIVALENCES
from app.space.limits import LIMITS
from app.space.patterns import PATTERNS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "spaces.md").read_text()
_BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    line: int
    kind: str  # the language and what is said of it
    text: str


def blocks() -> list[Block]:
    return [
        Block(GUIDE[: match.start()].count("\n") + 2, f"{match[1]} {match[2]}".strip(), match[3])
        for match in _BLOCK.finditer(GUIDE)
    ]


@cache
def documents() -> dict[str, Any]:
    found = [json.loads(block.text) for block in blocks() if block.kind == "json space"]
    return {document["name"]: space_from_json(document) for document in found}


def only(kind: str) -> list[Any]:
    return [
        pytest.param(b, id=f"line {b.line}") for b in blocks() if b.kind.split()[: len(kind.split())] == kind.split()
    ]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {block.kind.split(" /")[0] for block in blocks()}
    assert kinds == {"json space", "json refused", "json answer", "shell", "python"}
    assert len(blocks()) * 2 == len(re.findall(r"^```", GUIDE, re.MULTILINE))


@pytest.mark.parametrize("block", only("json space"))
def test_a_document_is_a_space_with_a_meaning(block: Block) -> None:
    space = documents()[json.loads(block.text)["name"]]
    for skeleton in space.skeletons.values():
        assert lower(space.grammar, skeleton, space.input).open


@pytest.mark.parametrize("block", only("json refused"))
def test_a_document_is_refused_at_its_place(block: Block) -> None:
    with pytest.raises(GrammarError) as raised:
        space_from_json(json.loads(block.text))
    assert raised.value.pointer == block.kind.split()[-1]


def test_what_is_typed_answers_what_is_shown() -> None:
    names: dict[str, Any] = {"documents": documents()}
    runner = doctest.DocTestRunner()
    for block in blocks():
        if block.kind == "python":
            test = doctest.DocTestParser().get_doctest(block.text, names, "guide", "docs/spaces.md", block.line)
            test.globs = names  # one namespace: a block uses what those above it made
            said: list[str] = []
            result = runner.run(test, out=said.append, clear_globs=False)
            assert result.attempted
            assert not result.failed, "".join(said)


def test_commands_are_answered_as_shown(api: TestClient) -> None:
    answer: Any = None
    compared = 0
    for block in blocks():
        if block.kind == "shell":
            for command in re.split(r"^(?=curl )", block.text, flags=re.MULTILINE):
                if command.strip():
                    answer = asked(api, command)
        elif block.kind == "json answer":
            assert holds(answer, json.loads(block.text)), (block.line, answer)
            compared += 1
    assert compared == len(only("json answer")) > 3


def asked(api: TestClient, command: str) -> Any:
    """The answer to a command as the guide writes it: a URL, and perhaps a body."""
    program, url, *rest = shlex.split(command)
    assert program == "curl"
    path = url.removeprefix("localhost:8000")
    if not rest:
        answer = api.get(path)
    else:
        option, body = rest
        assert option == "--json"
        text = (ROOT / body.removeprefix("@")).read_text() if body.startswith("@") else body
        answer = api.post(path, content=text, headers={"content-type": "application/json"})
    assert answer.is_success, (command, answer.text)
    return answer.json()


def holds(answer: Any, shown: Any) -> bool:
    """Whether an answer has all that is shown of it."""
    match shown:
        case dict():
            return isinstance(answer, dict) and all(k in answer and holds(answer[k], v) for k, v in shown.items())
        case list():
            return isinstance(answer, list) and len(answer) == len(shown) and all(map(holds, answer, shown))
        case _:
            return answer == shown


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the tables of one section."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if not set(row[0]) <= set("- ")]


def named(cells: list[list[str]], column: int = 0) -> set[str]:
    return {name for row in cells for name in re.findall(r"`([^`]+)`", row[column])}


def test_every_record_is_in_the_guide() -> None:
    rows = table("What a record builds")
    families = {family for row in rows if len(row) == 3 for family in named([row], 1)}
    everything = {name for row in rows for column in range(len(row)) for name in named([row], column)}
    assert {c.family for c in COMBINATORS} <= families
    assert {c.builds for c in COMBINATORS} <= everything
    for c in COMBINATORS:
        if c.family == "free" and not c.root:
            (row,) = [row for row in rows if row[0] == f"`{c.builds}`" and row[1] != f"`{c.builds}`"]
            fields = {part.name for part in c.fields} - {"kind", "*", "i->j"}
            assert named([row], 1) - {"0->1", "0->2"} == fields


def test_every_constraint_equivalence_pattern_and_format_is_in_the_guide() -> None:
    constraints = named(table("Constraints"))
    assert constraints == set(CONSTRAINTS)
    assert named(table("Equivalences")) == set(EQUIVALENCES)
    assert named(table("Formats")) == set(FORMATS)
    assert all(name in GUIDE.split("## Patterns of connectivity")[1] for name in PATTERNS)


def test_every_parameter_of_a_constraint_is_in_the_guide() -> None:
    for row in table("Constraints"):
        for name in named([row]):
            assert set(CONSTRAINTS[name]) == named([row], 1)


def test_the_limits_are_those_of_the_guide() -> None:
    rows = table("Limits")[1:]
    assert {name.strip("`"): int(value.replace(",", "")) for name, value, _ in rows} == {
        name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__
    }


def test_the_spaces_from_papers_are_those_of_the_folder() -> None:
    rows = table("Six spaces from papers")[1:]
    found = {path.stem: path for path in (ROOT / "docs" / "spaces").iterdir()}
    assert {re.findall(r"\[(\w+)\]", row[0])[0] for row in rows} == set(found)
