"""A price list gives members what `cost` counts on their own graphs; of every space, see `cpu/test_costs.py`."""

from random import Random

import pytest

from app.architecture import LoweringError, Price, Prices, cost, lower, price_of
from app.space import CellSkeleton, ImageInput, SearchSpace, Skeleton
from app.space.units import SMALL, units_of
from app.space.zoo import ZOO, darts, nasnet

LATE = 25  # questions after which a list is sure to answer


def lowered(space: SearchSpace, skeleton: Skeleton, image: ImageInput, index: int) -> Price:
    decided = space.plan.read(space.plan.unrank(index))
    total = cost(lower(space.grammar, skeleton, image, decided))
    return Price(total.params, total.macs, total.activations, total.depth)


def drawn(space: SearchSpace, name: str, count: int) -> list[int]:
    """Ranks of members: half uniform, half uniform per decision; the first and the last among them."""
    rng, plan = Random(name), space.plan
    ranks = [plan.rank(plan.sample_per_choice(rng)) if i % 2 else rng.randrange(plan.size) for i in range(count)]
    return [0, plan.size - 1, *ranks]


def test_the_full_size_of_darts_is_priced_by_arithmetic() -> None:
    space = darts()
    prices = Prices(space.plan.part, lower(space.grammar, CellSkeleton(), ImageInput()))
    for index in drawn(space, "full", 6):
        assert prices.of(index) == lowered(space, CellSkeleton(), ImageInput(), index)


def test_questions_in_a_row_are_answered_alike_with_and_without_a_list() -> None:
    space, skeleton = nasnet(num_blocks=2), CellSkeleton(channels=4, num_cells=3)
    ranks = [i % 3 for i in range(LATE)]
    found = [price_of(space, skeleton, ImageInput(), index) for index in ranks]
    assert found == [lowered(space, skeleton, ImageInput(), index) for index in ranks]


def test_an_image_that_does_not_fit_is_refused_early_and_late() -> None:
    space, image = darts(), ImageInput(height=1, width=1)
    skeleton = CellSkeleton(channels=4, num_cells=6, auxiliary=True)
    for _ in range(LATE):
        with pytest.raises(LoweringError, match="too small"):
            price_of(space, skeleton, image, 5)


@pytest.mark.parametrize("name", ZOO)
def test_units_are_digits_of_the_rank(name: str) -> None:
    part = ZOO[name].plan.part
    units = list(units_of(part))
    size = 1
    for unit in units:
        size *= unit.part.size
    assert size == part.size
    assert len({unit.path for unit in units}) == len(units)
    assert len(units) > 1 or part.size <= SMALL or name in ("nasbench101", "chain")
