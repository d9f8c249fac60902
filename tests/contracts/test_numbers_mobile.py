"""Sizes and costs of the spaces of mobile networks, each beside its closed form and its paper."""

import pytest

from app.space.zoo import (
    FBNET_OPERATIONS,
    NASBENCH_MACRO_OPERATIONS,
    OFA_RESOLUTIONS,
    PROXYLESSNAS_OPERATIONS,
    fbnet,
    mnasnet,
    mobilenet_ofa,
    nasbench_macro,
    proxylessnas,
)


def test_nasbench_macro() -> None:
    """Su et al., CVPR 2021: three options in each of eight layers."""
    assert nasbench_macro().plan.size == 3**8 == 6_561
    assert nasbench_macro(5).plan.size == 3**5


def test_mobilenet_ofa() -> None:
    """Cai et al., ICLR 2020: "about 2·10^19" of ((3·3)^2 + (3·3)^3 + (3·3)^4)^5, 25 resolutions beside it."""
    assert 9**2 + 9**3 + 9**4 == 7_371
    assert mobilenet_ofa().plan.size == 7_371**5 == 21_758_655_492_572_485_851
    assert len(OFA_RESOLUTIONS) == 25
    assert mobilenet_ofa(OFA_RESOLUTIONS).plan.size == 543_966_387_314_312_146_275
    assert mobilenet_ofa(depths=(1,), kernels=(3, 5), num_units=2).plan.size == 6**2


def test_proxylessnas() -> None:
    """Cai et al., ICLR 2019: six blocks everywhere, and zero in the 15 layers that keep their shape."""
    assert len(PROXYLESSNAS_OPERATIONS) == 6
    assert proxylessnas().plan.size == 6**6 * 7**15 == 221_502_229_807_900_608
    assert proxylessnas((2, 3)).plan.size == 6**2 * 7**3


def test_fbnet() -> None:
    """Wu et al., CVPR 2019: nine blocks in each of 22 layers, "about 10^21"."""
    assert len(FBNET_OPERATIONS) == 9
    assert fbnet().plan.size == 9**22 == 984_770_902_183_611_232_881
    assert fbnet(3).plan.size == 9**3


def test_mnasnet() -> None:
    """Tan et al., CVPR 2019, section 4.2: "S = 432, B = 5 ... about 10^13"."""
    assert 4 * 2 * 2 * 3 * 3 * 3 == 432
    assert mnasnet().plan.size == 432**5 == 15_045_919_506_432
    assert mnasnet(2).plan.size == 432**2


@pytest.mark.parametrize("operations", [1, 2, 3])
def test_sizes_follow_the_grammar(operations: int) -> None:
    assert nasbench_macro(8, NASBENCH_MACRO_OPERATIONS[:operations]).plan.size == operations**8
    assert fbnet(22, FBNET_OPERATIONS[:operations]).plan.size == operations**22
    assert proxylessnas((2, 4), PROXYLESSNAS_OPERATIONS[:operations]).plan.size == operations**2 * (operations + 1) ** 4
