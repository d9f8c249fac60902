"""Sizes of macro, multi-branch, trellis, hierarchical and detection spaces; classes against brute force."""

from collections.abc import Callable, Iterator
from itertools import permutations
from math import comb, prod
from typing import Any

import pytest

from app.space import SearchSpace, space_size
from app.space.classes import reading_of
from app.space.zoo import autodeeplab, detection_head, enas_macro, hierarchical, multibranch, nas_fpn


def sizes(space: SearchSpace) -> tuple[int, dict[str | None, int | None]]:
    found = space_size(space)
    return found.raw.exact, {size.equivalence: size.exact for size in found.unique}


# -- what the papers describe ------------------------------------------------------------------------------------


def test_enas_macro() -> None:
    """Pham et al., "ENAS", ICML 2018, section 2.3: 6^L · 2^(L(L-1)/2), 1.6e29 for L = 12."""
    assert enas_macro().plan.size == 6**12 * 2**66 == 160_618_186_625_454_535_808_756_219_904
    assert enas_macro(3, ("a", "b")).plan.size == 2**3 * 2**3


def test_autodeeplab() -> None:
    """Liu et al., "Auto-DeepLab", CVPR 2019, section 3.2: 2.9e4 paths, 5.6e14 cells, about 1e19."""
    cell = (2 * 3 * 4 * 5 * 6) ** 2 * 8**10
    assert cell == 556_627_761_561_600
    assert autodeeplab().plan.size == 28_657 * cell == 15_951_281_763_070_771_200
    assert autodeeplab(fixed=False).plan.size == 75_025 * cell
    # the cell is that of PNAS: its 3,147,356,952,080 classes were counted there
    assert sizes(autodeeplab())[1]["relabelling"] == 28_657 * 3_147_356_952_080


@pytest.mark.parametrize("fixed", [True, False])
def test_paths_are_walks_on_a_line_of_levels(fixed: bool) -> None:
    """Counted independently: from level to level, staying or moving by one."""
    for layers in range(1, 9):
        ways = [1, 0, 0, 0]
        for _ in range(layers - fixed):
            ways = [sum(ways[j] for j in (i - 1, i, i + 1) if 0 <= j < 4) for i in range(4)]
        space = autodeeplab(layers, fixed=fixed, num_blocks=1, operations=("a",))
        assert space.plan.size == 4 * sum(ways)


def test_hierarchical() -> None:
    """Liu et al., "Hierarchical Representations", ICLR 2018: 46 edges with one of six labels or none each."""
    raw, unique = sizes(hierarchical())
    assert raw == 7**46 == 749_048_330_965_186_233_494_494_102_694_564_493_649
    assert unique == {"motif-renaming": 1_040_349_489_770_703_064_693_605_323_785_328_779}


def test_nas_fpn() -> None:
    """Ghiasi et al., "NAS-FPN", CVPR 2019, section 3: pairs of 5 to 11 maps, a level and an operation seven times."""
    space = nas_fpn()
    assert space.plan.size == prod(comb(5 + i, 2) * 5 * 2 for i in range(7)) == 78_586_200_000_000_000
    assert space_size(space).valid.exact == 3_017_710_080_000_000, "the last five levels are a permutation: 5! of 5^5"


def test_detection_head() -> None:
    """Eight links of five labels, five towers of 4 + 16 + 64 + 256."""
    assert detection_head().plan.size == 5**8 * (4 + 16 + 64 + 256) ** 5
    assert detection_head((3, 4), (2,), ("a", "b"), ("none",)).plan.size == (2**2) ** 2


def test_multibranch() -> None:
    """Two or three chains of 4 + 16 + 64 + 256, merged in two ways; up to their order, multisets of them."""
    chains = 4 + 16 + 64 + 256
    raw, unique = sizes(multibranch())
    assert raw == 2 * (chains**2 + chains**3) == 78_839_200
    assert unique == {"branch-order": 2 * (comb(chains + 1, 2) + comb(chains + 2, 3))}


# -- classes, by listing all members -----------------------------------------------------------------------------

Rename = Callable[[Any], Iterator[Any]]


def renamings(genotype: Any) -> Iterator[Any]:
    """A member of a hierarchy under every renaming of its motifs."""
    names = [name for name in genotype if name.startswith("motif")]
    for moved in permutations(names):
        new = dict(zip(names, moved, strict=True))
        motifs = {new[name]: genotype[name] for name in names}
        cell = {edge: new.get(label, label) for edge, label in genotype["cell"].items()}
        yield {**{name: motifs[name] for name in names}, "cell": cell}


def reorderings(genotype: Any) -> Iterator[Any]:
    """A member with its branches in every order."""
    for paths in permutations(genotype["paths"]):
        yield {**genotype, "paths": list(paths)}


SMALL: list[tuple[SearchSpace, str, Rename]] = [
    (hierarchical(1, 2, 3, ("none", "a")), "motif-renaming", renamings),
    (hierarchical(2, 2, 3, ("none", "a", "b")), "motif-renaming", renamings),
    (hierarchical(3, 2, 3, ("a", "b")), "motif-renaming", renamings),
    (hierarchical(4, 2, 2, ("a", "b", "c")), "motif-renaming", renamings),
    (multibranch((2, 3), (1, 2), ("a", "b")), "branch-order", reorderings),
    (multibranch((0, 1, 4), (0, 1), ("a", "b"), ("add",)), "branch-order", reorderings),
]


@pytest.mark.parametrize(("space", "equivalence", "images"), SMALL)
def test_classes_are_the_orbits(space: SearchSpace, equivalence: str, images: Rename) -> None:
    """The count, the representatives and the sizes of the classes, found by trying every renaming of every member."""
    reading = reading_of(space, equivalence)
    classes = 0
    for index in range(space.plan.size):
        genotype = space.plan.unrank(index)
        orbit = {space.plan.rank(image) for image in images(genotype)}
        classes += min(orbit) == index
        assert reading.canonical(space, genotype) == space.plan.unrank(min(orbit))
        assert reading.orbit is not None
        assert reading.orbit(space, genotype) == len(orbit)
    counted = reading.count(space)
    assert counted is not None
    assert counted.exact == classes


def test_any_number_of_motifs_is_counted() -> None:
    """Two motifs by hand: (M² (q+2)^e + M q^e) / 2, for the identity and the swap."""
    space = hierarchical(2, 3, 3, ("none", "a"))
    assert sizes(space)[1] == {"motif-renaming": ((2**3) ** 2 * 3**3 + 2**3 * 1**3) // 2}
    many = hierarchical(12, 2, 2, ("a",))
    assert sizes(many)[1] == {"motif-renaming": 2}, "twelve equal motifs: the one edge carries one of them or none"
