"""ENAS against its definition: every member enumerated, the LSTM written out, in float64."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import lower
from app.experiment import SearchRecipe
from app.space import Decision, ImageInput
from app.space.zoo import ZOO, nasbench201
from workers.data import load
from workers.network import Network
from workers.strategies import enas
from workers.strategies.controller import Controller
from workers.strategies.enas import Enas
from workers.strategies.protocol import Strategy
from workers.supernet.discretise import genotype_of
from workers.supernet.fit import SupernetFit
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.weights import Relaxed, relax
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import seeded

CPU = torch.device("cpu")
RECIPE = SearchRecipe(name="test", alpha_learning_rate=0.02, alpha_weight_decay=0.0, alpha_betas=(0.0, 0.999))
SMALL = (
    Relaxed(Decision("/op", "choice", ("a", "b", "c")), "softmax"),
    Relaxed(Decision("/inputs", "subset", (0, 1, 2, 3), 2), "sigmoid"),
    Relaxed(Decision("/edges", "subset", (0, 1), 1), "present"),
    Relaxed(Decision("/other", "choice", ("a", "b", "c")), "softmax"),
)
MEMBERS = [
    {"/op": (a,), "/inputs": pair, "/other": (b,)}
    for a, pair, b in product(range(3), combinations(range(4), 2), range(3))
]


def made(seed: int = 0, recipe: SearchRecipe = RECIPE) -> Enas:
    """A strategy in float64 whose probabilities are far from alike."""
    strategy = Enas(SMALL, recipe, seed=seed, device=CPU)
    strategy.controller.double()
    with torch.no_grad():
        for parameter in strategy.controller.parameters():
            parameter.mul_(8.0)
    return strategy


def log_probability(controller: Controller, member: dict[str, tuple[int, ...]]) -> Tensor:
    """Of one member: the LSTM of Hochreiter and Schmidhuber gate by gate, and a product of conditional chances."""
    total = torch.zeros((), dtype=torch.float64)
    h = c = torch.zeros(100, dtype=torch.float64)
    x = controller.start[0]
    heads: Any = [controller.heads[0], controller.heads[1], controller.heads[0]]  # both choices have the same options
    tables: Any = [controller.embeddings[0], controller.embeddings[1], controller.embeddings[0]]
    for path, head, table in zip(("/op", "/inputs", "/other"), heads, tables, strict=True):
        gates: Any = controller.cell.weight_ih @ x + controller.cell.weight_hh @ h
        let_in, keep, new, out = gates.view(4, 100)
        c = keep.sigmoid() * c + let_in.sigmoid() * new.tanh()
        h = out.sigmoid() * c.tanh()
        z = 2.5 * torch.tanh(head.weight @ h / 5.0)
        taken = member[path]
        if len(taken) == 1:
            total = total + z[taken[0]] - z.exp().sum().log()
        else:
            left = 2
            for i in range(4):
                odds = z[i].exp() * left
                there = odds / (odds + (4 - i - left))
                total = total + (there if i in taken else 1 - there).log()
                left -= i in taken
        x = table.weight[[*taken]].mean(0)
    return total


def scripted(member: dict[str, tuple[int, ...]]) -> Iterator[int]:
    """What has to be chosen on the way to a member, where there is a choice."""
    for path in ("/op", "/inputs", "/other"):
        if path != "/inputs":
            yield member[path][0]
            continue
        left = 2
        for i in range(4):
            if left not in (0, 4 - i):
                yield int(i not in member[path])
            left -= i in member[path]


def test_chances_of_all_members_are_those_of_the_definition_and_sum_to_one() -> None:
    controller = made().controller.requires_grad_(False)
    total, entropy = 0.0, 0.0
    for member in MEMBERS:
        script = scripted(member)
        walk = controller.walk(lambda logs: next(script))  # noqa: B023
        assert walk.taken == member
        assert next(script, None) is None
        expected = log_probability(controller, member)
        assert walk.log_probability.item() == pytest.approx(expected.item(), rel=1e-10)
        total += math.exp(expected)
        entropy += math.exp(expected) * float(walk.entropy)
    assert total == pytest.approx(1.0, abs=1e-12)
    by_definition = -sum(math.exp(p) * p for p in (float(log_probability(controller, m)) for m in MEMBERS))
    assert entropy == pytest.approx(by_definition, rel=1e-10)
    assert by_definition < math.log(len(MEMBERS)) - 0.15, "the members are far from equally likely"


def test_at_first_all_members_are_nearly_as_likely() -> None:
    controller = Enas(SMALL, RECIPE, seed=0, device=CPU).controller.double().requires_grad_(False)
    for member in MEMBERS:
        assert math.exp(log_probability(controller, member)) == pytest.approx(1 / 54, rel=0.15)


class Rewarded:
    """A reward of the decisions alone."""

    def __init__(self, reward: Any, cost: float = 0.0) -> None:
        self.reward, self.cost = reward, cost
        self.asked: list[dict[str, list[float]]] = []

    def right(self, draws: Any) -> float:
        self.asked.append({path: weights.tolist() for path, weights in draws.items()})
        return self.reward(draws)

    def pressure(self, draws: Any) -> float:
        """What the first option of the first decision costs."""
        return self.cost * float(draws["/op"][0])


def test_reinforce_follows_the_gradient_of_expected_reward_and_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enas, "ENTROPY", 0.3)
    rewards = torch.rand(len(MEMBERS), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    by_member = {tuple(m.values()): float(r) for m, r in zip(MEMBERS, rewards, strict=True)}

    def reward(draws: Any) -> float:
        taken = [tuple(draws[path].nonzero().flatten().tolist()) for path in ("/op", "/inputs", "/other")]
        return by_member[tuple(taken)]

    strategy = made()
    strategy.optimiser = torch.optim.SGD(strategy.controller.parameters(), 0.0)
    controller = strategy.controller
    logs = torch.stack([log_probability(controller, member) for member in MEMBERS])
    costs = torch.tensor([0.5 * (member["/op"] == (0,)) for member in MEMBERS], dtype=torch.float64)
    wanted = (logs.exp() * (rewards - costs)).sum() - 0.3 * (logs.exp() * logs).sum()
    watched = [
        controller.start,
        controller.heads[0].weight,
        controller.heads[1].weight,
        controller.embeddings[1].weight,
    ]
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(-wanted, watched)])  # type: ignore[arg-type]
    some = exact.abs().topk(20).indices
    loss: Any = Rewarded(reward, cost=0.5)
    found: list[Tensor] = []
    for _ in range(1200):
        strategy.learn(loss)
        found.append(torch.cat([p.grad.flatten() for p in watched])[some])  # type: ignore[union-attr]
    drawn = torch.stack(found[1:])  # the first has no baseline yet
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert ((drawn.mean(0) - exact[some]).abs() < 4.5 * error).all(), (drawn.mean(0), exact[some], error)
    assert (exact[some].abs() > 9 * error).any(), "the test could not tell the gradient from none"
    assert all(
        w in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]) for asked in loss.asked for w in (asked["/op"],)
    )
    assert all(asked["/edges"] == [1.0, 1.0] and sum(asked["/inputs"]) == 2 for asked in loss.asked)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_reward_is_found(seed: int) -> None:
    planted = {"/op": (2,), "/inputs": (1, 3), "/other": (0,)}

    def reward(draws: Any) -> float:
        return sum(float(draws[path][i]) for path, taken in planted.items() for i in taken) / 4

    strategy = Enas(SMALL, replace(RECIPE, alpha_learning_rate=0.005), seed=seed, device=CPU)
    loss: Any = Rewarded(reward)
    for _ in range(500):
        strategy.learn(loss)
    settled = strategy.settled()
    assert {path: tuple(sorted(settled[path].topk(len(t)).indices.tolist())) for path, t in planted.items()} == planted
    assert settled["/edges"].tolist() == [1.0, 1.0]
    last = [sum(asked[path][i] for path, taken in planted.items() for i in taken) / 4 for asked in loss.asked]
    assert sum(last[-50:]) / 50 > 0.9  # by chance (1/3 + 2 * 1/2 + 1/3) / 4 = 0.42


def test_pressure_turns_the_controller_away() -> None:
    strategy = Enas(SMALL, RECIPE, seed=0, device=CPU)
    loss: Any = Rewarded(lambda draws: 0.5, cost=1.0)
    for _ in range(200):
        strategy.learn(loss)
    assert float(strategy.settled()["/op"][0]) < 0.1


def test_what_is_settled_decodes_to_the_likeliest_way() -> None:
    for seed in range(5):
        strategy = made(seed)
        walk = strategy.controller.walk(lambda logs: int(logs.argmax()))
        for path, taken in walk.taken.items():
            assert tuple(sorted(strategy.settled()[path].topk(len(taken)).indices.tolist())) == taken
        assert all(float(strategy.settled()[path].sum()) == pytest.approx(1.0) for path in ("/op", "/other"))


def test_a_restored_strategy_goes_on_to_the_bit() -> None:
    loss: Any = Rewarded(lambda draws: float(draws["/op"][1]))
    whole, first, second = (Enas(SMALL, RECIPE, seed=seed, device=CPU) for seed in (0, 0, 7))
    for _ in range(6):
        whole.learn(loss)
        whole.draw()
    for _ in range(3):
        first.learn(loss)
        first.draw()
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for _ in range(3):
        second.learn(loss)
        second.draw()
    there = second.state()
    assert all(torch.equal(tensor, there[name]) for name, tensor in whole.state().items())
    with pytest.raises(CheckpointError, match="of another strategy"):
        second.restore({"alpha/x": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="does not fit"):
        second.restore(Enas(SMALL[:1], RECIPE, seed=0, device=CPU).state())
    fresh = Enas(SMALL, RECIPE, seed=1, device=CPU)
    fresh.restore(Enas(SMALL, RECIPE, seed=2, device=CPU).state())
    assert fresh.baseline is None


@pytest.mark.parametrize("name", ["nasbench101", "darts", "enas_micro", "mobilenet_ofa", "autoformer_t", "enas_macro"])
def test_members_of_any_space_are_drawn_and_compute(name: str) -> None:
    space = ZOO[name]
    graph = lower(space.grammar, space.skeletons["small"], ImageInput(channels=1, height=8, width=8))
    relaxed = relax(space.plan, graph.open)
    strategy: Strategy = Enas(relaxed, RECIPE, seed=0, device=CPU)
    drawn = strategy.draw()
    out = Network(graph)(torch.randn(2, 1, 8, 8), drawn)
    logits = out[0] if isinstance(out, tuple) else out
    assert logits.shape == (2, space.skeletons["small"].num_classes)
    assert space.plan.index(genotype_of(space.plan, strategy.settled(), "argmax")) is not None
    for r in relaxed:
        expected = {"softmax": 1, "sigmoid": r.decision.k, "present": len(r.options)}[r.rule]
        assert int(sum(drawn[r.path])) == expected


def test_a_search_that_is_cut_off_goes_on_to_the_bit() -> None:
    space, images = nasbench201(operations=("none", "skip_connect", "conv_1x1")), load("digits")
    graph = lower(space.grammar, replace(space.skeletons["small"], num_cells=1), images.dataset.input)
    relaxed = relax(space.plan, graph.open)

    def fresh() -> SupernetFit:
        with seeded(0, "supernet"):
            network = FusedNetwork(graph)
        recipe = replace(RECIPE, batch_size=16, epochs=1)
        return SupernetFit(network, Enas(relaxed, recipe, seed=1, device=CPU), recipe, images, seed=1, device=CPU)

    def stepped(fit: SupernetFit, steps: Sequence[int]) -> SupernetFit:
        for _ in steps:
            fit.advance()
        return fit

    whole, first, second = stepped(fresh(), range(4)), stepped(fresh(), range(2)), fresh()
    second.restore(*first.state())
    expected, found = whole.state()[0], stepped(second, range(2)).state()[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
