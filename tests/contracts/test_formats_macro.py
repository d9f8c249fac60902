"""Formats of ENAS' macro space and of Auto-DeepLab, both ways, and what they refuse and where."""

import json
from random import Random
from typing import Any

import pytest

from app.architecture.formats import FormatError, formats_of, read_format, write_format
from app.space import SearchSpace
from app.space.zoo import autodeeplab, darts, enas_macro, hierarchical

SPACES: dict[str, tuple[SearchSpace, str]] = {
    "enas macro": (enas_macro(), "enas-macro"),
    "enas macro, four operations": (
        enas_macro(24, ("conv_3x3", "separable_conv_3x3", "conv_5x5", "separable_conv_5x5")),
        "enas-macro",
    ),
    "auto-deeplab": (autodeeplab(), "autodeeplab"),
    "auto-deeplab, free start": (autodeeplab(fixed=False), "autodeeplab"),
    "auto-deeplab, two levels": (autodeeplab(3, (4, 8), num_blocks=2), "autodeeplab"),
}


@pytest.mark.parametrize("name", SPACES)
def test_formats_follow_from_the_grammar(name: str) -> None:
    space, form = SPACES[name]
    assert [f.name for f in formats_of(space)] == ["json", form]


@pytest.mark.parametrize("space", [darts(), hierarchical(), enas_macro(3, ("none", "conv_3x3"))], ids=lambda s: s.name)
def test_other_spaces_are_not_written_so(space: SearchSpace) -> None:
    for form in ("enas-macro", "autodeeplab"):
        with pytest.raises(FormatError):
            read_format(space, form, "0")


@pytest.mark.parametrize("name", SPACES)
def test_what_is_written_is_read(name: str) -> None:
    space, form = SPACES[name]
    for genotype in space.plan.sample(Random(name), 200):
        written = json.loads(json.dumps(write_format(space, form, genotype)))
        assert read_format(space, form, written) == genotype


def test_all_small_macro_networks() -> None:
    space = enas_macro(3)
    texts = [str(write_format(space, "enas-macro", space.plan.unrank(i))) for i in range(space.plan.size)]
    assert len(set(texts)) == space.plan.size == 6**3 * 2**3
    assert [space.plan.rank(read_format(space, "enas-macro", text)) for text in texts] == list(range(space.plan.size))


def test_the_macro_network_that_enas_published() -> None:
    """The first rows of `cifar10_macro_final.sh`, in one line as the script passes them."""
    space = enas_macro(5)
    text = "0 3 0 0 1 0 2 0 0 1 2 0 0 0 0"
    found: Any = read_format(space, "enas-macro", text)
    assert found["layer1"] == {"op": "separable_conv_5x5", "skip0": 0}
    assert found["layer2"] == {"op": "conv_3x3", "skip0": 1, "skip1": 0}
    assert found["layer3"] == {"op": "conv_5x5", "skip0": 0, "skip1": 0, "skip2": 1}
    assert write_format(space, "enas-macro", found) == "0\n3 0\n0 1 0\n2 0 0 1\n2 0 0 0 0"
    assert read_format(space, "enas-macro", "[[0], [3, 0], [0, 1, 0], [2, 0, 0, 1], [2, 0, 0, 0, 0]]") == found


PUBLISHED: dict[str, list[Any]] = {
    "network_path": [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1],
    "cell": [[0, 7], [1, 4], [2, 4], [3, 6], [5, 4], [8, 4], [11, 5], [13, 5], [19, 7], [18, 5]],
}


def test_the_network_that_auto_deeplab_published() -> None:
    """Its path and cell as the PyTorch reimplementation has them by default (there with layer 1 at level 1)."""
    space = autodeeplab()
    found: Any = read_format(space, "autodeeplab", PUBLISHED)
    assert write_format(space, "autodeeplab", found) == PUBLISHED
    levels, state = [], found["path"]
    while state:
        levels.append(state["level"])
        state = state.get("next")
    assert levels == [4, 4, 4, 8, 16, 8, 16, 16, 32, 32, 16, 8]
    assert found["cell"]["block2"] == {
        "left": {"input": 0, "op": "dil_conv_5x5"},
        "right": {"input": 1, "op": "sep_conv_3x3"},
    }
    assert found["cell"]["block6"]["left"] == {"input": 5, "op": "dil_conv_5x5"}
    moved = {**PUBLISHED, "network_path": [1, *PUBLISHED["network_path"][1:]]}
    free = autodeeplab(fixed=False)
    assert write_format(free, "autodeeplab", read_format(free, "autodeeplab", moved)) == moved


@pytest.mark.parametrize(
    ("value", "pointer", "allowed"),
    [
        ({"cell": PUBLISHED["cell"]}, "/network_path", ("network_path",)),
        ({**PUBLISHED, "network_path": [1] * 12}, "/network_path/0", (0,)),
        ({**PUBLISHED, "network_path": [0, 2]}, "/network_path/1", (0, 1)),
        ({**PUBLISHED, "network_path": [0] * 11}, "/network_path", ()),
        ({**PUBLISHED, "network_path": [0] * 13}, "/network_path/12", ()),
        ({**PUBLISHED, "network_path": [0, True]}, "/network_path/1", (0, 1)),
        ({**PUBLISHED, "network_path": "000"}, "/network_path", ()),
        ({**PUBLISHED, "cell": PUBLISHED["cell"][:9]}, "/cell", (10,)),
        ({**PUBLISHED, "cell": [[2, 7], *PUBLISHED["cell"][1:]]}, "/cell/0/0", (0, 1)),
        ({**PUBLISHED, "cell": [*PUBLISHED["cell"][:2], [1, 7], *PUBLISHED["cell"][3:]]}, "/cell/2/0", (0, 1, 2)),
        ({**PUBLISHED, "cell": [[0, 8], *PUBLISHED["cell"][1:]]}, "/cell/0/1", tuple(range(8))),
        ({**PUBLISHED, "more": 1}, "/more", ("network_path", "cell")),
        ("path", "", ()),
    ],
)
def test_a_network_of_auto_deeplab_is_refused_at_its_fault(
    value: object, pointer: str, allowed: tuple[object, ...]
) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(autodeeplab(), "autodeeplab", value)
    assert (caught.value.pointer, caught.value.allowed) == (pointer, allowed)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [("", "/0"), ("0\n3", "/3"), ("6", "/0"), ("0 3 2", "/4"), ("0 3 0 0 1 0 1", "/12"), ("0 x", "/2"), (7, "")],
)
def test_rows_of_enas_are_refused_at_their_fault(text: object, pointer: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(enas_macro(3), "enas-macro", text)
    assert caught.value.pointer == pointer
