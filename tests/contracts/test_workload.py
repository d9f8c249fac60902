"""What an open graph may compute is what its members compute, no more and no less."""

from random import Random

import pytest

from app.architecture import certain, lower, weigh
from app.architecture.entries import entries
from app.architecture.workload import latencies, workload
from app.space.zoo import ZOO

# The open graphs of these two hang together too much for any price list.
ENTANGLED = {"nasbench101", "unconstrained_dag"}
QUICK = ("nasbench201", "darts", "mobilenet_ofa", "autoformer_t", "multibranch", "darts_rnn")
SLOW = tuple(name for name in ZOO if name not in {*QUICK, *ENTANGLED})


def agree(name: str, members: int) -> None:
    space = ZOO[name]
    skeleton = space.skeletons["small"]
    listed = list(workload(lower(space.grammar, skeleton, space.input)))
    for genotype in space.plan.sample(Random(1), members):
        decided = space.plan.read(genotype)
        computed = set(entries(lower(space.grammar, skeleton, space.input, decided)))
        memo: dict[int, object] = {}
        assert {entry for _, guard, entry in listed if weigh(guard, certain(decided), memo)} == computed


@pytest.mark.parametrize("name", QUICK)
def test_members_compute_what_is_listed_for_them(name: str) -> None:
    agree(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_members_of_larger_spaces_compute_what_is_listed_for_them(name: str) -> None:
    agree(name, 10)


def test_a_table_prices_what_it_has_and_names_what_it_lacks() -> None:
    space = ZOO["nasbench201"]
    graph = lower(space.grammar, space.skeletons["small"], space.input)
    keys = {entry.key for *_, entry in workload(graph)}
    table = dict.fromkeys(sorted(keys)[1:], 2.0)
    found, lacking = latencies(graph, table)
    assert lacking == (min(keys),)
    assert {ms for *_, ms in found} == {2.0}
    assert {node for node, *_ in found} < set(graph.nodes)
