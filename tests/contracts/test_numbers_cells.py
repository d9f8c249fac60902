"""Sizes of the spaces of cells, each beside its closed form and its paper; changed spaces are counted again."""

from collections.abc import Callable
from math import factorial

import pytest

from app.space import SearchSpace
from app.space.zoo import (
    AMOEBANET_OPERATIONS,
    ENAS_MICRO_OPERATIONS,
    NASNET_OPERATIONS,
    PNASNET_OPERATIONS,
    amoebanet,
    darts,
    enas_micro,
    nasbench301,
    nasnet,
    pnasnet,
)


def block_cells(operations: int, blocks: int = 5, combinations: int = 1) -> int:
    """Block b reads two of b states and applies two operations: prod of (b·O)^2 over b = 2 .. blocks + 1."""
    return (factorial(blocks + 1) * operations**blocks) ** 2 * combinations**blocks


def test_nasnet() -> None:
    """Zoph et al., CVPR 2018: thirteen operations, two cells."""
    assert len(NASNET_OPERATIONS) == 13
    assert nasnet().plan.size == block_cells(13) ** 2 == 5_107_366_597_713_630_212_832_188_866_560_000
    both = nasnet(combine=("add", "concat"))
    assert both.plan.size == block_cells(13, combinations=2) ** 2 == 1024 * nasnet().plan.size


def test_amoebanet() -> None:
    """Real et al., AAAI 2019: eight operations, two cells."""
    assert len(AMOEBANET_OPERATIONS) == 8
    assert amoebanet().plan.size == block_cells(8) ** 2 == 309_834_464_941_077_422_470_594_560_000


def test_pnasnet() -> None:
    """Liu et al., ECCV 2018: "5.6·10^14" cells of five blocks; one cell for both uses."""
    assert sorted(PNASNET_OPERATIONS) == sorted(AMOEBANET_OPERATIONS)
    assert pnasnet().plan.size == block_cells(8) == 556_627_761_561_600
    assert pnasnet(1).plan.size == 256, "the paper's section 3.1: 256 cells of one block"
    assert pnasnet(concat_all=True).plan.size == pnasnet().plan.size


def test_enas_micro() -> None:
    """Pham et al., ICML 2018, says 1.3·10^11, which is (5·5!)^4 and wrong by fourteen orders of magnitude."""
    assert enas_micro().plan.size == block_cells(5) ** 2 == 25_628_906_250_000_000_000_000_000
    assert (5 * factorial(5)) ** 4 == 129_600_000_000


def test_nasbench301() -> None:
    """Zela et al., ICLR 2022: the space of DARTS."""
    assert nasbench301().plan.size == darts().plan.size == 1_076_746_950_455_072_400
    assert nasbench301().digest != darts().digest


@pytest.mark.parametrize(
    ("space", "operations", "cells"),
    [(nasnet, NASNET_OPERATIONS, 2), (amoebanet, AMOEBANET_OPERATIONS, 2), (enas_micro, ENAS_MICRO_OPERATIONS, 2)],
)
def test_sizes_follow_the_grammar(
    space: Callable[[int, tuple[str, ...]], SearchSpace], operations: tuple[str, ...], cells: int
) -> None:
    for blocks in (1, 2, 6):
        for o in (1, 3, len(operations)):
            assert space(blocks, operations[:o]).plan.size == block_cells(o, blocks) ** cells
