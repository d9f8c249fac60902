"""Every guide in docs/ and docs/guides/: each of its blocks is run, in order, and answers what is shown.

json space            a document that is a space; Python below knows it as documents[name]
json refused POINTER  a document that is refused there
shell                 commands, run against the application in this process; $id is the id in the last answer
shell STATUS          one command, answered with this status
json answer           part of what the last command above answered
csv answer, ...       lines of what the last command above answered, in any other language
python                a session, run in one namespace for the whole guide; `answer` is the last command's
"""

import doctest
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.architecture import lower
from app.space import GrammarError, space_from_json

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
REST = "…"  # whatever follows


@dataclass(frozen=True)
class Block:
    guide: Path
    line: int
    kind: str  # the language and what is said of it
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.guide)} line {self.line}"


def name_of(guide: Path) -> str:
    """Such as `costs`, `guides/operations`."""
    return str(guide.relative_to(ROOT / "docs").with_suffix(""))


@cache
def guides() -> dict[Path, tuple[Block, ...]]:
    """The guides that have fences, with their blocks."""
    paths = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md")])
    return {path: tuple(blocks_of(path)) for path in paths if "```" in path.read_text()}


def blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text()
    for match in _BLOCK.finditer(text):
        yield Block(path, text[: match.start()].count("\n") + 2, f"{match[1]} {match[2]}".strip(), match[3])


def only(kind: str) -> list[Any]:
    """The blocks of one kind in every guide."""
    found = [block for blocks in guides().values() for block in blocks if f"{block.kind} ".startswith(f"{kind} ")]
    return [pytest.param(block, id=str(block)) for block in found]


@cache
def documents(guide: Path) -> dict[str, Any]:
    found = [json.loads(block.text) for block in guides()[guide] if block.kind == "json space"]
    return {document["name"]: space_from_json(document) for document in found}


def each_guide() -> Any:
    return pytest.mark.parametrize("guide", guides(), ids=name_of)


@each_guide()
def test_every_block_is_of_a_kind_that_is_run(guide: Path) -> None:
    for block in guides()[guide]:
        assert re.fullmatch(r"json space|json refused /\S*|\w+ answer|shell( \d{3})?|python", block.kind), block
    assert len(guides()[guide]) * 2 == len(re.findall(r"^```", guide.read_text(), re.MULTILINE))


@pytest.mark.parametrize("block", only("json space"))
def test_a_document_is_a_space_with_a_meaning(block: Block) -> None:
    space = documents(block.guide)[json.loads(block.text)["name"]]
    for skeleton in space.skeletons.values():
        assert lower(space.grammar, skeleton, space.input).open


@pytest.mark.parametrize("block", only("json refused"))
def test_a_document_is_refused_at_its_place(block: Block) -> None:
    with pytest.raises(GrammarError) as raised:
        space_from_json(json.loads(block.text))
    assert raised.value.pointer == block.kind.split()[-1]


@dataclass
class Reading:
    """A guide while it is read: what was answered last, and the names of its session."""

    api: TestClient
    names: dict[str, Any]
    answer: Any = None
    text: str = ""
    runner: doctest.DocTestRunner = field(default_factory=doctest.DocTestRunner)

    def read(self, block: Block) -> None:
        match block.kind.split():
            case ["shell", *status]:
                commands = [c for c in re.split(r"^(?=curl )", block.text, flags=re.MULTILINE) if c.strip()]
                assert len(commands) == 1 or not status, "a status is of one command"
                for command in commands:
                    self.ask(command, *map(int, status))
            case ["json", "answer"]:
                shown = json.loads(block.text, parse_float=Decimals)
                assert holds(self.answer, shown), f"answered: {json.dumps(self.answer, ensure_ascii=False)[:4000]}"
            case [_, "answer"]:
                assert has_lines(self.text, block.text), f"answered: {self.text[:4000]}"
            case ["python"]:
                self.run(block)
            case _:
                pass  # documents have tests of their own

    def ask(self, command: str, status: int | None = None) -> None:
        """Ask a command as a guide writes it: options, a URL, perhaps a body, perhaps `> file`."""
        if "$id" in command:
            command = command.replace("$id", self.answer["id"])
        words = shlex.split(command)
        assert words.pop(0) == "curl", command
        if ">" in words:
            words = words[: words.index(">")]
        method, body, headers = None, None, {}
        path = ""
        while words:
            match words.pop(0):
                case "-i" | "-s" | "-N":
                    pass
                case "-X":
                    method = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(":")
                    headers[name] = value.strip()
                case "--json":
                    body = words.pop(0)
                    headers["content-type"] = "application/json"
                case url:
                    assert not path, f"{command}: two addresses, {path} and {url}"
                    assert url.startswith("localhost:8000/"), command
                    path = url.removeprefix("localhost:8000")
        if body is not None and body.startswith("@"):
            body = (ROOT / body.removeprefix("@")).read_text()
        chosen = method or ("GET" if body is None else "POST")
        response = self.api.request(chosen, path, content=body, headers=headers)
        expected = response.is_success if status is None else response.status_code == status
        assert expected, (command, response.status_code, response.text)
        self.text = response.text
        self.answer = response.json() if "json" in response.headers.get("content-type", "") else None

    def run(self, block: Block) -> None:
        self.names["answer"] = self.answer
        name = str(block.guide.relative_to(ROOT))
        test = doctest.DocTestParser().get_doctest(block.text, self.names, block.guide.stem, name, block.line)
        test.globs = self.names  # one namespace: a block uses what those above it made
        said: list[str] = []
        result = self.runner.run(test, out=said.append, clear_globs=False)
        assert result.attempted, "nothing is typed"
        assert not result.failed, "".join(said)


@each_guide()
def test_every_example_answers_what_is_shown(guide: Path, api: TestClient) -> None:
    reading = Reading(api, {"documents": documents(guide)})
    for block in guides()[guide]:
        try:
            reading.read(block)
        except AssertionError as error:
            error.add_note(f"in {block}")
            raise


class Decimals(float):
    """A number as it is written, which stands for all that are rounded to it."""

    places: int

    def __new__(cls, written: str) -> "Decimals":
        made = super().__new__(cls, written)
        made.places = len(written.partition(".")[2]) if "e" not in written.lower() else 17
        return made


def holds(answer: Any, shown: Any) -> bool:
    """Whether an answer has all that is shown of it."""
    match shown:
        case dict():
            return isinstance(answer, dict) and all(k in answer and holds(answer[k], v) for k, v in shown.items())
        case [*first, "…"]:
            return isinstance(answer, list) and len(answer) >= len(first) and all(map(holds, answer, first))
        case list():
            return isinstance(answer, list) and len(answer) == len(shown) and all(map(holds, answer, shown))
        case Decimals():
            return isinstance(answer, float | int) and round(answer, shown.places) == shown
        case str() if shown.endswith(REST):
            return isinstance(answer, str) and answer.startswith(shown.removesuffix(REST))
        case _:
            return answer == shown and isinstance(answer, bool) == isinstance(shown, bool)


def has_lines(text: str, shown: str) -> bool:
    """Whether a text has these lines, one after another; a line `…` stands for any number of them."""
    lines = [line.rstrip() for line in text.splitlines()]
    at = 0
    for part in re.split(r"^…$", shown, flags=re.MULTILINE):
        wanted = [line.rstrip() for line in part.strip("\n").splitlines()]
        places = [i for i in range(at, len(lines) - len(wanted) + 1) if lines[i : i + len(wanted)] == wanted]
        if not places:
            return False
        at = places[0] + len(wanted)
    return True


@pytest.mark.parametrize(
    ("answer", "shown", "equal"),
    [
        ({"a": 1, "b": 2}, '{"a": 1}', True),
        ({"a": 1}, '{"a": 1, "b": 2}', False),
        ({"a": 1.23456}, '{"a": 1.235}', True),
        ({"a": 1.23456}, '{"a": 1.234}', False),
        ([1, 2, 3], '[1, "…"]', True),
        ([1, 2, 3], "[1, 2]", False),
        ("43d0dfcd", '"43d0…"', True),
        ("53d0dfcd", '"43d0…"', False),
        (True, "1", False),
    ],
)
def test_what_is_shown_may_be_a_part_and_never_another_thing(answer: Any, shown: str, equal: bool) -> None:
    assert holds(answer, json.loads(shown, parse_float=Decimals)) is equal


def test_lines_are_shown_in_their_order() -> None:
    assert has_lines("a\nb  \nc\nd\n", "b\nc\n")
    assert has_lines("a\nb\nc\nd\n", "a\n…\nd\n")
    assert not has_lines("a\nb\nc\nd\n", "a\nc\n")
    assert not has_lines("a\nb\nc\nd\n", "d\n…\na\n")
