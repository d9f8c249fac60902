"""Signed cursors, request identities, host names, the installation's secret, the shelf of spaces."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.cursors import read_cursor, write_cursor
from app.api.examples import MINE
from app.api.library import parse_reference
from app.api.middleware import host_name
from app.api.problems import Problem
from app.api.schemas.recipe import SearchRecipeBody, TrainingRecipeBody
from app.api.schemas.skeleton import BODIES
from app.api.services import installation_secret
from app.api.shelf import SpaceShelf
from app.experiment import IMPLIED, SearchRecipe, TrainingRecipe
from app.space import space_from_json
from app.space.skeleton import FAMILIES
from app.space.zoo import ZOO

SECRET = b"s" * 32
POSITIONS = st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False) | st.none())


@given(POSITIONS)
def test_a_cursor_comes_back_as_it_went(position: dict) -> None:
    assert read_cursor(SECRET, "jobs", write_cursor(SECRET, "jobs", position)) == position


@given(POSITIONS, st.integers(min_value=0), st.characters(codec="ascii"))
def test_a_changed_cursor_is_refused(position: dict, place: int, character: str) -> None:
    cursor = write_cursor(SECRET, "jobs", position)
    place %= len(cursor) - 2  # the last characters may carry bits that encode nothing
    changed = cursor[:place] + character + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(Problem):
            read_cursor(SECRET, "jobs", changed)


def test_a_cursor_belongs_to_one_listing_of_one_installation() -> None:
    cursor = write_cursor(SECRET, "jobs", {"id": 1})
    for secret, scope in ((b"t" * 32, "jobs"), (SECRET, "spaces")):
        with pytest.raises(Problem):
            read_cursor(secret, scope, cursor)


def test_an_installation_has_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: installation_secret(tmp_path), range(32)))
    assert len(secrets) == 1
    assert len(secrets.pop()) == 32
    files = list((tmp_path / "api").iterdir())
    assert [file.name for file in files] == ["secret"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert installation_secret(tmp_path / "other") != installation_secret(tmp_path)


@pytest.mark.parametrize(
    ("header", "name"),
    [("LocalHost:80", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a.b", "a.b"), ("", ""), (":80", "")],
)
def test_a_host_is_named_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


def test_references_have_a_name_and_maybe_a_version() -> None:
    assert parse_reference("darts") == ("darts", None)
    assert parse_reference("my-space.2@17") == ("my-space.2", 17)
    for wrong in ("", "@1", "x@", "x@0", "x@01", "x@1@2", "X", "x\n", "x@" + "9" * 20):
        with pytest.raises(Problem):
            parse_reference(wrong)


def test_the_shelf_keeps_the_zoo_and_the_latest_asked_for() -> None:
    shelf, mine = SpaceShelf(capacity=2), space_from_json(MINE)
    for version in (1, 2, 3):
        shelf.put(replace(mine, version=version), viewer="ada")
        shelf.find("two-layers", 1, viewer="ada")
    assert shelf.find("two-layers", 1, viewer="ada") is not None, "it was asked for more lately than version 2"
    assert shelf.find("two-layers", 2, viewer="ada") is None
    assert shelf.find("two-layers", 3, viewer="ada") is not None
    assert shelf.find("two-layers", None, viewer="ada") is None, "which version is the latest is not known here"
    assert shelf.find("darts", None, viewer="ada") is ZOO["darts"]
    assert shelf.find("darts", 1, viewer="ada") is ZOO["darts"]
    assert shelf.find("darts", 2, viewer="ada") is None
    assert shelf.find("two-layers", 3, viewer="bob") is None, "what one was shown is not another's to see"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (TrainingRecipeBody(name="x"), TrainingRecipe(name="x")),
        (SearchRecipeBody(name="x"), SearchRecipe(name="x")),
        *((body(family=family), FAMILIES[family]()) for body, family in zip(BODIES, FAMILIES, strict=True)),
    ],
)
def test_what_can_be_asked_is_what_the_domain_knows(body, value) -> None:
    assert list(type(body).model_fields) == [field.name for field in fields(value) if field.name not in IMPLIED]
    made = body.skeleton() if hasattr(body, "skeleton") else body.recipe()
    assert made == value, "the same defaults"
