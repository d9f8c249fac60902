"""The largest and the smallest member of a space: against all members where they can be looked at, or by the papers."""

from random import Random

import pytest

from app.architecture import lower, price_of
from app.architecture.extremes import largest, smallest
from app.space import SearchSpace, space_from_json
from app.space.validity import valid_ranks
from app.space.zoo import ZOO


def bounds(space: SearchSpace, skeleton: str) -> list[tuple[int, int]]:
    chosen = space.skeletons[skeleton]
    prices = [price_of(space, chosen, space.input, i) for i in range(space.plan.size)]
    return [(p.macs, p.params) for p in prices]


@pytest.mark.parametrize("name", ["nasbench_macro", "nasbench201"])
def test_of_all_members(name: str) -> None:
    space = ZOO[name]
    skeleton = next(iter(space.skeletons))
    costs = bounds(space, skeleton)
    graph = lower(space.grammar, space.skeletons[skeleton], space.input)
    least, most = smallest(space, graph), largest(space, graph)
    assert least.exact
    assert most.exact
    assert (least.macs, least.params) == min(costs) == costs[least.index]
    assert (most.macs, most.params) == max(costs) == costs[most.index]


@pytest.mark.parametrize("name", ["mobilenet_ofa", "autoformer_t"])
def test_of_elastic_spaces_every_decision_is_at_its_end(name: str) -> None:
    space = ZOO[name]
    graph = lower(space.grammar, space.skeletons["small"], space.input)
    for found, end in ((largest(space, graph), max), (smallest(space, graph), min)):
        assert found.exact
        decided = space.plan.read(space.plan.unrank(found.index))
        options = {d.path: d.options for d in space.plan.decisions()}
        assert all(answer == end(options[path]) for path, (answer,) in decided.items()), decided


def test_of_unlike_widths_and_depths_by_hand() -> None:
    """Three layers or one, each wide or narrow in front of a stride: more layers of the cheaper kind may cost less."""
    op = {"choice": ["conv_3x3", "conv_1x1", "skip_connect"]}
    space = space_from_json(
        {
            "name": "layers",
            "grammar": {
                "start": "chain",
                "rules": {"chain": {"record": "chain", "fields": {"layers": {"repeat": op, "lengths": [1, 3]}}}},
            },
            "skeletons": {"tiny": {"family": "chain", "channels": 4, "reductions": [1]}},
        }
    )
    costs = bounds(space, "tiny")
    graph = lower(space.grammar, space.skeletons["tiny"], space.input)
    least, most = smallest(space, graph), largest(space, graph)
    assert ((least.macs, least.params), least.exact) == (min(costs), True)
    assert ((most.macs, most.params), most.exact) == (max(costs), True)


def test_what_constraints_refuse_is_not_found() -> None:
    op = {"choice": ["conv_3x3", "conv_1x1", "skip_connect"]}
    space = space_from_json(
        {
            "name": "three",
            "grammar": {
                "start": "chain",
                "rules": {"chain": {"record": "chain", "fields": {"layers": {"repeat": op, "lengths": [3]}}}},
            },
            "skeletons": {"tiny": {"family": "chain", "channels": 4, "reductions": [1]}},
            "constraints": [{"name": "option_count", "parameters": {"option": "conv_1x1", "min": 1, "max": 2}}],
        }
    )
    valid = set(valid_ranks(space, Random(0), 500)[0])
    assert len(valid) == 18  # of 27, without the 8 of no such layer and the one of three
    costs = bounds(space, "tiny")
    graph = lower(space.grammar, space.skeletons["tiny"], space.input)
    for found, best in ((largest(space, graph), max), (smallest(space, graph), min)):
        assert found.index in valid
        assert (found.macs, found.params) == best(costs[i] for i in valid)
        assert found.exact == (costs[found.index] == best(costs))


@pytest.mark.parametrize("name", ["enas_micro", pytest.param("unconstrained_dag", marks=pytest.mark.slow)])
def test_of_entangled_spaces_no_drawn_member_is_beyond(name: str) -> None:
    space = ZOO[name]
    skeleton = space.skeletons["small"]
    graph = lower(space.grammar, skeleton, space.input)
    least, most = smallest(space, graph), largest(space, graph)
    assert not least.exact
    assert not most.exact
    for rank in valid_ranks(space, Random(1), 300)[0]:
        price = price_of(space, skeleton, space.input, rank)
        assert (least.macs, least.params) <= (price.macs, price.params) <= (most.macs, most.params)
