"""The guide to search spaces: every table of it is complete. What it shows is run by test_guides.py."""

import re
from pathlib import Path

from app.architecture.formats import FORMATS
from app.architecture.lower.combinators import COMBINATORS
from app.space.constraints import CONSTRAINTS
from app.space.document import EQUIVALENCES
from app.space.limits import LIMITS
from app.space.patterns import PATTERNS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "spaces.md").read_text()


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
