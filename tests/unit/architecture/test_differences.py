"""Sampled differences, against exact expectations where both can be had and against each other where not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from app.architecture import lower
from app.architecture.differences import differences
from app.architecture.fairness import Option, places
from app.architecture.graph import charges
from app.space import SearchSpace, Skeleton, space_from_json
from app.space.zoo import ZOO, darts, nasbench101

MACS = 1
MEASURES = range(3)
CHAINS = space_from_json(
    {
        "name": "chains",
        "input": {"channels": 1, "height": 8, "width": 8},
        "skeletons": {"small": {"family": "chain", "channels": 4, "reductions": []}},
        "grammar": {
            "start": "chain",
            "rules": {
                "chain": {
                    "record": "chain",
                    "fields": {
                        "layers": {"repeat": {"choice": ["conv_1x1", "conv_3x3", "identity"]}, "lengths": [1, 2, 4]}
                    },
                }
            },
        },
    }
)
PAIRS = darts(num_nodes=2, operations=("sep_conv_3x3", "dil_conv_3x3", "skip_connect"))


def exact(space: SearchSpace, skeleton: Skeleton) -> Mapping[str, tuple[Option, ...]]:
    """What options cost in expectation, by the path of their decision."""
    graph = lower(space.grammar, skeleton, space.input)
    found = places(space.plan.part, ((name, guard, (n, m, a)) for name, guard, n, m, a in charges(graph)), 3)
    return {path: place.options for place in found for path in place.paths}


@pytest.mark.parametrize(
    ("space", "work", "noisy"),
    [
        (CHAINS, 25_000, True),  # lists of several lengths: longer ones cost what is drawn
        (PAIRS, 50_000, True),  # subsets: an edge costs what its operation does
        (replace(nasbench101(vertices=(3, 4)), constraints=()), 25_000, True),  # widths that hang on edges
        (ZOO["nasbench201"], 25_000, False),  # every edge costs by its operation alone
    ],
    ids=["lengths", "subsets", "graphs", "edges"],
)
def test_they_are_the_differences_of_exact_expectations(space: SearchSpace, work: int, noisy: bool) -> None:
    expected = exact(space, space.skeletons["small"])
    found = differences(space, space.skeletons["small"], space.input, seed=7, work=work)
    assert not found.undetermined
    assert [path for place in found.places for path in place.paths] == [
        d.path for d in space.plan.decisions() if d.answers > 1
    ]
    spread = False
    for place in found.places:
        options = expected[place.paths[0]]
        assert [o.symbol for o in place.options] == [o.symbol for o in options]
        for m in MEASURES:
            sampled = [(o.amounts[m], o.errors[m]) for o in place.options if o.errors is not None]
            cheapest = options[sampled.index((0.0, 0.0))].amounts[m]
            for (difference, error), option in zip(sampled, options, strict=True):
                spread = spread or error > 0
                assert difference == pytest.approx(option.amounts[m] - cheapest, rel=1e-9, abs=4 * error + 1e-5)
    assert spread is noisy


def test_the_vertices_of_nasbench101() -> None:
    """A 3x3 convolution is nine times the work of a 1x1 one, wherever it is; pooling multiplies nothing."""
    space = nasbench101(vertices=(2, 4, 5))
    found = differences(space, space.skeletons["cifar"], space.input, work=30_000)
    vertices = [place for place in found.places if "/v" in place.paths[0]]
    assert len(vertices) == 5
    for place in vertices:
        costs = dict(zip((o.symbol for o in place.options), place.costs(MACS), strict=True))
        assert costs["maxpool3x3"] == 0 < costs["conv1x1-bn-relu"]
        assert costs["conv3x3-bn-relu"] == pytest.approx(9 * costs["conv1x1-bn-relu"])
    assert "/cell/2/0->1" in found.undetermined  # without its only edge the cell is not connected
    assert found.invalid > 0


def test_where_nothing_is_decided_nothing_is_sampled() -> None:
    space = darts(num_nodes=1, operations=("skip_connect",))
    assert not [d for d in space.plan.decisions() if d.answers > 1]
    found = differences(space, space.skeletons["small"], space.input)
    assert (found.places, found.undetermined, found.samples, found.members) == ((), (), 0, 0)


def test_a_seed_tells_all() -> None:
    space = nasbench101(vertices=(2, 3, 4, 5))
    one, same, other = (
        differences(space, space.skeletons["small"], space.input, seed, work=8_000) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.places != other.places
