"""The least that members of a space cost: by the price list, and by looking at every member, or at many."""

from random import Random

import pytest

from app.api.draws import valid_judge
from app.architecture.prices import least_prices, price_of
from app.space import SearchSpace, space_from_json
from app.space.zoo import ZOO

FEW = ("nasbench201", "nasbench_macro")
MANY = ("darts", "chain", "nats_size", "fbnet", "mobilenet_ofa", "autoformer_t", "enas_macro", "multibranch")


@pytest.mark.parametrize("name", FEW)
def test_the_least_is_exact_where_every_member_can_be_looked_at(name: str) -> None:
    space = ZOO[name]
    for skeleton in space.skeletons.values():
        prices = [price_of(space, skeleton, space.input, i) for i in range(space.plan.size)]
        least = min(p.params for p in prices), min(p.macs for p in prices)
        assert least_prices(space, skeleton, space.input) == (*least, True)


@pytest.mark.parametrize("name", MANY)
def test_no_member_of_a_large_space_costs_less(name: str) -> None:
    space, rng = ZOO[name], Random(0)
    skeleton = next(iter(space.skeletons.values()))
    found = least_prices(space, skeleton, space.input)
    assert found is not None
    for _ in range(200):
        price = price_of(space, skeleton, space.input, rng.randrange(space.plan.size))
        assert price.params >= found[0]
        assert price.macs >= found[1]


def test_constraints_make_the_least_a_bound() -> None:
    def small(constraints: list[object]) -> SearchSpace:
        layers = {"repeat": {"choice": ["conv_3x3", "conv_1x1", "skip_connect"]}, "lengths": [3]}
        return space_from_json(
            {
                "name": "three",
                "grammar": {
                    "start": "chain",
                    "rules": {"chain": {"record": "chain", "fields": {"layers": layers}}},
                },
                "skeletons": {"tiny": {"family": "chain", "channels": 4, "reductions": [1]}},
                "constraints": constraints,
            }
        )

    free = small([])
    skeleton = free.skeletons["tiny"]
    prices = [price_of(free, skeleton, free.input, i) for i in range(free.plan.size)]
    least = min(p.params for p in prices), min(p.macs for p in prices)
    assert least_prices(free, skeleton, free.input) == (*least, True)
    whole = small([{"name": "option_count", "parameters": {"option": "conv_3x3", "min": 3}}])
    (member,) = [i for i in range(free.plan.size) if valid_judge(whole)(i)]
    assert price_of(whole, skeleton, whole.input, member).params > least[0]
    assert least_prices(whole, skeleton, whole.input) == (*least, False)
