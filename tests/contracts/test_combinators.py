"""The published table of records: complete against what lowering understands, what the zoo says and what is free."""

import json
from pathlib import Path

import pytest

from app.architecture.lower import MEANINGS
from app.architecture.lower.combinators import COMBINATORS, combinator
from app.architecture.lower.free import TERMS
from app.space import Record, SearchSpace, space_from_json
from app.space.recursion import terms
from app.space.skeleton import FAMILIES
from app.space.zoo import ZOO

DOCUMENTS = Path(__file__).parents[2] / "docs" / "spaces"
SPACES = [*ZOO.values(), *(space_from_json(json.loads(p.read_text())) for p in sorted(DOCUMENTS.iterdir()))]


def test_every_root_that_has_a_meaning_is_there_and_no_other() -> None:
    roots = {c.builds: c.family for c in COMBINATORS if c.root}
    assert roots == {builds: meaning.family for builds, meaning in MEANINGS.items()}
    assert set(roots.values()) <= set(FAMILIES)


def test_every_free_term_is_there_and_no_other() -> None:
    assert {c.builds for c in COMBINATORS if c.family == "free" and not c.root} == set(TERMS)


def test_a_name_has_one_meaning_in_a_family() -> None:
    assert len({(c.builds, c.family) for c in COMBINATORS}) == len(COMBINATORS)


def test_every_record_says_what_it_means_and_holds() -> None:
    for c in COMBINATORS:
        assert c.meaning[0].isupper()
        assert c.fields
        assert all(part.holds for part in c.fields)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_the_records_of_a_space_are_those_of_the_table(space: SearchSpace) -> None:
    root = space.grammar.follow(space.grammar.root)
    assert isinstance(root, Record)
    family = MEANINGS[root.builds].family
    for term in (term for rule in space.grammar.rules.values() for term in terms(rule)):
        if isinstance(term, Record):
            known = combinator(term.builds, family)
            assert known is not None, (term.builds, family)
            fields = [name for name, _ in term.fields]
            assert all(known.part(name) for name in fields), (term.builds, fields)
            assert all(any(part.matches(name) for name in fields) for part in known.fields if part.required)


def test_records_that_no_space_of_ours_has_are_free_terms() -> None:
    """Whatever else is in the table stands in some space above."""
    used = {
        (term.builds, MEANINGS[space.grammar.follow(space.grammar.root).builds].family)  # pyright: ignore[reportAttributeAccessIssue]
        for space in SPACES
        for rule in space.grammar.rules.values()
        for term in terms(rule)
        if isinstance(term, Record)
    }
    unused = {(c.builds, c.family) for c in COMBINATORS} - used
    assert {family for _, family in unused} <= {"free"}
