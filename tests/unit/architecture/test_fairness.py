"""What options cost where they stand, against figures worked out by hand and against the prices of members."""

from itertools import product

import pytest

from app.architecture import certain, lower, tariff
from app.architecture.expectation import Drawn, Expectation
from app.architecture.fairness import Place, overall, places, spread, uniform, ways
from app.architecture.graph import charges
from app.space import SearchSpace, Skeleton, space_from_json
from app.space.zoo import ZOO, darts

PARAMS, MACS, ACTIVATIONS = range(3)


def found(space: SearchSpace, skeleton: Skeleton) -> tuple[Place, ...]:
    graph = lower(space.grammar, skeleton, space.input)
    return places(space.plan.part, ((name, guard, (n, m, a)) for name, guard, n, m, a in charges(graph)), 3)


def at(space: SearchSpace, name: str, path: str) -> dict[object, tuple[float, ...]]:
    (place,) = (p for p in found(space, space.skeletons[name]) if path in p.paths)
    return {option.symbol: option.amounts for option in place.options}


def test_the_edges_of_nasbench201() -> None:
    """15 cells at 16, 32 and 64 channels; on 32, 16 and 8 pixels every convolution is as much work."""
    (place,) = found(ZOO["nasbench201"], ZOO["nasbench201"].skeletons["cifar"])
    assert len(place.paths) == 6
    per_pixel = 5 * 16 * 16 * 32 * 32 * 3
    outputs = 5 * (16 * 1024 + 32 * 256 + 64 * 64)
    assert {o.symbol: o.amounts for o in place.options} == {
        "none": (0, 0, 0),
        "skip_connect": (0, 0, 0),
        "nor_conv_1x1": (28_000, per_pixel, outputs),
        "nor_conv_3x3": (243_040, 9 * per_pixel, outputs),
        "avg_pool_3x3": (0, 0, 0),
    }
    whole = overall([place], MACS)
    assert (whole.decisions, whole.unequal, whole.greatest, whole.free) == (6, 6, 9.0, 0.6)
    assert overall([place], PARAMS).greatest == 243_040 / 28_000
    assert overall([place], ACTIVATIONS).greatest == 1


def test_the_edges_of_darts() -> None:
    """20 cells at 36 channels: a separable convolution is two depthwise and two pointwise ones, each with a norm."""
    edges, nodes = (
        {option.symbol: option.amounts for option in place.options}
        for place in found(ZOO["darts"], ZOO["darts"].skeletons["cifar"])[:2]
    )
    separable = sum(6 * 2 * (25 * c + c * c + 2 * c) for c in (36, 72, 144))
    work = sum(6 * 2 * (25 * c + c * c) * (1152 // c) ** 2 for c in (36, 72, 144))
    assert edges["sep_conv_5x5"][:2] == (separable, work) == (408_240, 67_129_344)
    assert edges["dil_conv_5x5"][:2] == (separable // 2, work // 2)
    assert edges["skip_connect"] == edges["max_pool_3x3"] == (0, 0, 0)
    # an edge brings the mean of its operations: the subset of edges is as unequal as that
    mean = sum(amounts[PARAMS] for amounts in edges.values()) / len(edges)
    assert [amounts[PARAMS] for amounts in nodes.values()] == [pytest.approx(mean)] * 3


def test_a_kernel_costs_its_whole_convolution() -> None:
    costs = at(ZOO["mobilenet_ofa"], "small", "/unit0/blocks/0/kernel")
    assert [costs[k][PARAMS] / costs[3][PARAMS] for k in (3, 5, 7)] == pytest.approx([1, 25 / 9, 49 / 9])


def test_what_leads_to_a_decision_is_certain() -> None:
    kinds = ways(ZOO["mobilenet_ofa"].plan.part)
    assert kinds["/unit0/blocks/3/kernel"] == {"/unit0/blocks#": (4,)}
    assert kinds["/unit0/blocks/2/kernel"] == {"/unit0/blocks#": (3, 4)}
    shared = ways(ZOO["autodeeplab"].plan.part)
    assert all(path in shared for path in (d.path for d in ZOO["autodeeplab"].plan.decisions()))


def test_a_space_of_ones_own() -> None:
    """Two layers that may end early: what the second costs is asked where there is one."""
    space = space_from_json(
        {
            "name": "short",
            "input": {"channels": 1, "height": 8, "width": 8},
            "skeletons": {"tiny": {"family": "chain", "channels": 4, "reductions": []}},
            "grammar": {
                "start": "chain",
                "rules": {
                    "chain": {
                        "record": "chain",
                        "fields": {
                            "layers": {"repeat": {"choice": ["conv_1x1", "conv_3x3", "identity"]}, "lengths": [1, 2]}
                        },
                    }
                },
            },
        }
    )
    first, second = (at(space, "tiny", f"/layers/{i}") for i in range(2))
    assert first == second
    assert {k: v[MACS] for k, v in first.items()} == {"conv_1x1": 16 * 64, "conv_3x3": 144 * 64, "identity": 0}
    lengths = at(space, "tiny", "/layers#")
    assert lengths[2][MACS] - lengths[1][MACS] == pytest.approx((16 + 144) * 64 / 3, abs=1e-5)


def test_spread_and_weights() -> None:
    s = spread((0.0, 1.0, 2.0, 5.0))
    assert (s.ratio, s.peak, s.free) == (5.0, 2.5, 0.25)
    assert s.weights == (0.0, 0.5, 1.0, 2.5)
    assert sum(s.inverse) == pytest.approx(4)
    assert [v / s.inverse[0] for v in s.inverse] == pytest.approx([1 / (1 + w) for w in s.weights])
    nothing = spread((0.0, 0.0))
    assert (nothing.ratio, nothing.variation, nothing.free, nothing.weights) == (None, None, 1.0, (1.0, 1.0))


def test_expectations_are_means_of_prices_and_slopes_their_differences() -> None:
    """Against every member of a small space, its decisions independent: two chains of three options."""
    space = darts(num_nodes=1, operations=("sep_conv_3x3", "dil_conv_3x3", "skip_connect"))
    skeleton = space.skeletons["small"]
    prices = tariff(lower(space.grammar, skeleton, space.input))
    expected = Expectation((guard, (float(n), float(m))) for guard, n, m, _ in prices.entries)
    chances = {"sep_conv_3x3": 0.5, "dil_conv_3x3": 0.125, "skip_connect": 0.375}

    def weight(path: str, symbols: tuple[object, ...]) -> float:
        return sum(chances.get(str(symbol), 1.0) for symbol in symbols)

    paths = [d.path for d in space.plan.decisions() if d.kind == "choice"]
    mean = [0.0, 0.0]
    for answers in product(chances, repeat=len(paths)):
        made = {path: (answer,) for path, answer in zip(paths, answers, strict=True)}
        made |= {d.path: d.options for d in space.plan.decisions() if d.kind == "subset"}
        p = 1.0
        for answer in answers:
            p *= chances[answer]
        mean = [m + p * c for m, c in zip(mean, prices.price(certain(made)), strict=True)]
    drawn = Drawn(weight)
    assert expected.at(drawn) == pytest.approx(tuple(mean))
    assert expected.at(drawn) == pytest.approx(prices.price(weight))
    for path, slopes in expected.slopes(drawn).items():
        if path in paths:
            for symbol, slope in zip(chances, slopes, strict=True):

                def forced(other: str, symbols: tuple[object, ...], at: str = path, to: str = symbol) -> float:
                    return float(to in symbols) if other == at else weight(other, symbols)

                rest = [
                    e - sum(w * s[i] for w, s in zip(chances.values(), slopes, strict=True)) for i, e in enumerate(mean)
                ]
                assert [r + s for r, s in zip(rest, slope, strict=True)] == pytest.approx(prices.price(forced))


@pytest.mark.parametrize("name", ["mobilenet_ofa", "autoformer_t", "enas_micro"])
def test_decisions_drawn_beforehand_change_no_expectation_of_later_ones(name: str) -> None:
    """Half of the questions drawn once and for all, and slopes asked for of one decision at a time."""
    space = ZOO[name]
    graph = lower(space.grammar, space.skeletons["small"], space.input)
    whole = Expectation((guard, (float(n), float(m))) for _, guard, n, m, _ in charges(graph))
    asked = sorted({(g.question.place, g.question.path) for g in whole.order if g.question is not None})
    start = asked[len(asked) // 2][0]
    drawn = Drawn(uniform({}, {d.path: d for d in space.plan.decisions()}))
    rest, slopes = whole.after(start, drawn), whole.slopes(drawn)
    assert rest.at(drawn) == pytest.approx(whole.at(drawn))
    assert 0 < len(rest.order) < len(whole.order)
    assert {g.question.path for g in rest.order if g.question is not None} == {p for at, p in asked if at >= start}
    for at, path in asked[:: max(1, len(asked) // 12)]:
        (alone,) = whole.slopes(drawn, {path}).items()
        assert alone == (path, slopes[path])
        if at >= start:
            later = rest.slopes(drawn, {path})[path]
            assert later == [pytest.approx(slope) for slope in slopes[path]]
