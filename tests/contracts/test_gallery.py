"""The named architectures of `docs/drawings`: members of their spaces, of the published size, and drawn as they are."""

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "drawings"


def _script() -> Any:
    found = importlib.util.spec_from_file_location("gallery_draw", FOLDER / "draw.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # its dataclasses look their module up
    found.loader.exec_module(module)
    return module


gallery = _script()
ARCHITECTURES = list(gallery.architectures())


@pytest.mark.parametrize("one", ARCHITECTURES, ids=lambda one: one.slug)
def test_it_is_a_member_of_the_published_size(one: Any) -> None:
    assert one.space.plan.check(one.genotype) == ()
    assert one.said.keys() >= {"name", "space", "format", "genotype", "skeleton", "paper", "source"}
    assert re.search(r"\d{4}, arXiv:\d{4}\.\d{5}$", one.said["paper"])
    if "published_params" in one.said:
        assert one.cost.params == one.said["published_params"]


def test_there_are_many_and_each_has_its_name() -> None:
    assert len(ARCHITECTURES) >= 30
    assert len({one.slug for one in ARCHITECTURES}) == len(ARCHITECTURES)
    assert len({one.space.name for one in ARCHITECTURES}) >= 15


def test_what_is_kept_is_what_is_drawn() -> None:
    """After a change of the drawings: python docs/drawings/draw.py, and look at them."""
    drawn = dict(gallery.files(ARCHITECTURES))
    kept = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir() if file.suffix in (".svg", ".md")}
    assert kept.keys() == drawn.keys()
    assert [name for name, text in drawn.items() if kept[name] != text] == []
    assert sum(len(text) for name, text in kept.items() if name.endswith(".svg")) < 1_500_000
    for name, text in kept.items():
        if name.endswith(".svg"):
            width = float(ET.fromstring(text).attrib["width"])
            assert width <= (gallery.PHONE if name.endswith(".phone.svg") else gallery.PAGE), name
    for name in re.findall(r'(?:src|srcset)="([^"]+)"', kept["README.md"]):
        assert name in kept
