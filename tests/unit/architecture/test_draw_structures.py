"""Drawings of skips, branches, motifs, paths, pyramids and heads say what was decided."""

import xml.etree.ElementTree as ET
from random import Random
from typing import Any

import pytest

from app.architecture import draw_svg, draw_text
from app.space import ImageInput, SearchSpace
from app.space.zoo import autodeeplab, detection_head, enas_macro, hierarchical, multibranch, nas_fpn

SMALL = ImageInput(channels=1, height=8, width=8)
SPACES = [enas_macro(), multibranch(), hierarchical(), autodeeplab(), nas_fpn(), detection_head()]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_every_space_draws_itself_and_its_network(space: SearchSpace) -> None:
    for genotype in space.plan.sample(Random(space.name), 3):
        shown = texts(draw_svg(space, genotype, space.skeletons["small"], SMALL))
        assert {"network", "image", "1×8×8"} <= set(shown)
        lines = draw_text(space, genotype).splitlines()
        assert len(lines) > 3
        assert all(len(line) <= 100 for line in lines)


def test_skips_are_arrows() -> None:
    genotype = {
        "layer0": {"op": "conv_3x3"},
        "layer1": {"op": "max_pool_3x3", "skip0": 1},
        "layer2": {"op": "conv_5x5", "skip0": 0, "skip1": 1},
    }
    assert draw_text(enas_macro(3), genotype) == (
        "layers\n"
        "├─ layer0\n"
        "│  └─ stem   ── conv_3x3\n"
        "├─ layer1\n"
        "│  ├─ layer0 ── max_pool_3x3\n"
        "│  └─ stem   ── skip\n"
        "└─ layer2\n"
        "   ├─ layer1 ── conv_5x5\n"
        "   └─ layer0 ── skip\n"
    )


def test_branches_end_in_their_merge() -> None:
    genotype = {"paths": [{"layers": ["conv_3x3", "conv_5x5"]}, {"layers": ["max_pool_3x3"]}], "merge": "concat"}
    assert draw_text(multibranch(), genotype).splitlines()[-1] == "└─ output = concat(0.1, 1.0)"
    empty: Any = {"paths": [], "merge": "add"}
    space = multibranch((0, 1))
    assert draw_text(space, empty).splitlines()[-1] == "└─ output = add(input)"
    assert "add" in texts(draw_svg(space, empty, space.skeletons["small"], SMALL))


def test_only_motifs_that_the_cell_names_are_drawn() -> None:
    space = hierarchical(3, 2, 3)
    motifs = {f"motif{i}": {"0->1": "identity"} for i in (1, 2, 3)}
    genotype = {**motifs, "cell": {"0->1": "motif3", "0->2": "none", "1->2": "motif3"}}
    titles = [line for line in draw_text(space, genotype).splitlines() if line[0] not in "├│└ "]
    assert titles == ["cell", "motif3"]


def test_a_path_says_where_it_goes() -> None:
    space = autodeeplab(3, num_blocks=1)
    edge = {"input": 0, "op": "none"}
    path = {"level": 4, "next": {"level": 8, "next": {"level": 4}}}
    lines = draw_text(space, {"cell": {"block2": {"left": edge, "right": edge}}, "path": path}).splitlines()
    assert lines[-4:] == ["path", "├─ 0  level 4", "├─ 1  down to level 8", "└─ 2  up to level 4"]


def test_a_pyramid_says_the_levels_of_its_merges() -> None:
    merge = {"inputs": [0, 1], "level": 4, "op": "sum"}
    text = draw_text(nas_fpn(2, (3, 4)), {"merge0": merge, "merge1": {**merge, "inputs": [1, 2], "level": 3}})
    assert text.splitlines()[:2] == ["pyramid", "├─ merge0 at level 4"]
    assert text.splitlines()[-1] == "└─ output = outputs(merge0 at level 4, merge1 at level 3)"


def test_a_head_shows_the_links_that_are_there() -> None:
    space = detection_head((3, 4), (0, 1))
    towers = {"level3": {"layers": []}, "level4": {"layers": ["deform_conv_3x3"]}}
    linked = draw_text(space, {"4->3": "conv_3x3", "3->4": "none", **towers})
    assert "level 4 ── conv_3x3" in linked
    alone = draw_text(space, {"4->3": "none", "3->4": "none", **towers}).splitlines()
    assert alone == ["tower of level 3", "└─ no layer", "tower of level 4", "└─ 0  deform_conv_3x3"]
