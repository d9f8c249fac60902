"""Uniform single paths: every member as likely as any other, and the same paths after a restart."""

from collections import Counter
from typing import Any

import pytest
import torch

from app.architecture import lower
from app.space import ImageInput
from app.space.zoo import ZOO, nasbench201
from workers.network import Network
from workers.strategies.protocol import Strategy
from workers.strategies.single_path import SinglePath
from workers.supernet.discretise import genotype_of
from workers.training.checkpoint import CheckpointError

CPU = torch.device("cpu")
IMAGE = ImageInput(channels=1, height=8, width=8)
SMALL = nasbench201(operations=("none", "skip_connect"))  # 64 members


def paths(space: Any, seed: int = 0) -> SinglePath:
    graph = lower(space.grammar, space.skeletons["small"], IMAGE)
    strategy: Strategy = SinglePath(space, graph, seed=seed, device=CPU)
    assert isinstance(strategy, SinglePath)
    return strategy


def test_weights_are_those_of_a_member_and_every_member_is_as_likely() -> None:
    strategy, draws = paths(SMALL), 64 * 50
    counts: Counter[int] = Counter()
    for i in range(draws):
        weights = strategy.draw()
        assert all(set(w.tolist()) == {0.0, 1.0} and w.sum() == 1 for w in weights.values())
        rank = SMALL.plan.rank(genotype_of(SMALL.plan, weights, "argmax"))
        assert rank == strategy.member(i)
        counts[rank] += 1
    assert len(counts) == SMALL.plan.size == 64
    chi_square = sum((counts[rank] - 50) ** 2 / 50 for rank in range(64))
    assert chi_square < 103.4  # of 63 degrees of freedom, exceeded by chance once in a thousand


def test_a_restored_strategy_goes_on_as_the_first_would() -> None:
    first, second = paths(SMALL), paths(SMALL)
    for _ in range(5):
        first.draw()
    second.restore(first.state())
    for _ in range(5):
        a, b = first.draw(), second.draw()
        assert a.keys() == b.keys()
        assert all(torch.equal(a[path], b[path]) for path in a)
    other = paths(SMALL, seed=1)
    assert [other.member(i) for i in range(20)] != [first.member(i) for i in range(20)]
    with pytest.raises(CheckpointError, match="not of single paths"):
        second.restore({"alpha/x": torch.zeros(2)})


def test_nothing_is_learnt_and_every_option_counts_alike_in_the_end() -> None:
    strategy = paths(SMALL)

    def never(weights: Any) -> Any:
        raise AssertionError("no loss is asked for")

    strategy.learn(never)
    assert all(torch.allclose(w, torch.full((2,), 0.5)) for w in strategy.settled().values())


@pytest.mark.parametrize("name", ["nasbench101", "darts", "nasbench_macro", "mobilenet_ofa", "autoformer_t"])
def test_members_of_any_space_compute_on_the_supernet(name: str) -> None:
    space = ZOO[name]
    graph = lower(space.grammar, space.skeletons["small"], IMAGE)
    strategy = SinglePath(space, graph, seed=0, device=CPU)
    network = Network(graph)
    out = network(torch.randn(2, 1, 8, 8), strategy.draw())
    logits = out[0] if isinstance(out, tuple) else out
    assert logits.shape == (2, space.skeletons["small"].num_classes)
    logits.sum().backward()
    learning = sum(p.grad is not None for p in network.parameters())
    assert 0 < learning <= len(list(network.parameters()))
