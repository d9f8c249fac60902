"""The guide to operations has the tables of the vocabulary, word for word. What it shows is run by test_guides.py."""

from pathlib import Path

from app.architecture.vocabulary import BLOCKS, CATALOGUE
from app.architecture.vocabulary.table import tables

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_the_tables_are_those_of_the_vocabulary() -> None:
    first = tables().splitlines()[0]
    assert GUIDE[GUIDE.index(f"\n{first}\n") + 1 :] == tables() + "\n", (
        "run python -m app.architecture.vocabulary.table"
    )


def test_every_operation_is_in_the_tables_once() -> None:
    for name in CATALOGUE:
        assert GUIDE.count(f"\n### {name}\n" if name in BLOCKS else f"\n| `{name}` | ") == 1, name
