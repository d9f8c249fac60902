"""The sandwich rule against one step computed by hand, in float64, and what it draws."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import lower, resolve
from app.experiment import SearchRecipe
from app.space import ImageInput, MobileSkeleton, SearchSpace, TransformerSkeleton
from app.space.validity import space_faults
from app.space.zoo import autoformer_t, mobilenet_ofa, nasbench201
from workers.data import Images, load
from workers.inheritance import inherit
from workers.network import Network
from workers.strategies.protocol import Strategy
from workers.strategies.sandwich import Sandwich
from workers.supernet.discretise import genotype_of
from workers.supernet.fit import SupernetFit
from workers.supernet.rewrite import FusedNetwork
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import seeded

CPU = torch.device("cpu")
IMAGE = ImageInput(channels=1, height=8, width=8)
ELASTIC: Mapping[str, tuple[SearchSpace, Any]] = {
    "mobilenet_ofa": (
        mobilenet_ofa(num_units=2, depths=(1, 2), kernels=(3, 5), expansions=(2, 3)),
        MobileSkeleton(
            stem=4, stem_stride=1, first=0, depths=(2, 2), widths=(4, 6), strides=(1, 2), head=8, features=8,
            activation="hswish", elastic=True, num_classes=10,
        ),
    ),
    "autoformer_t": (
        autoformer_t(),
        TransformerSkeleton(patch=4, relative=2, head_dim=2, divisor=24, num_classes=10),
    ),
}  # fmt: skip


def strategy_of(name: str, seed: int = 0, between: int = 2) -> Sandwich:
    space, skeleton = ELASTIC[name]
    found: Strategy = Sandwich(space, lower(space.grammar, skeleton, IMAGE), seed=seed, device=CPU, between=between)
    assert isinstance(found, Sandwich)
    return found


def member(strategy: Sandwich, weights: Any) -> int:
    plan = strategy.space.plan
    return plan.rank(genotype_of(plan, weights, "argmax"))


@pytest.mark.parametrize("name", sorted(ELASTIC))
def test_a_step_trains_the_largest_the_smallest_and_some_between(name: str) -> None:
    strategy = strategy_of(name, between=3)
    plan = strategy.space.plan
    ends = {d.path: (min(d.options), max(d.options)) for d in plan.decisions()}
    seen: set[int] = set()
    for _ in range(6):
        drawn = plan.read(plan.unrank(member(strategy, strategy.draw())))
        assert all(answer == ends[path][1] for path, (answer,) in drawn.items())
        smallest, *others = strategy.students()
        drawn = plan.read(plan.unrank(member(strategy, smallest)))
        assert all(answer == ends[path][0] for path, (answer,) in drawn.items())
        assert len(others) == 3
        for other in others:
            assert all(set(w.tolist()) <= {0.0, 1.0} and w.sum() == 1 for w in other.values())
            assert not space_faults(strategy.space, plan.unrank(member(strategy, other)))
            seen.add(member(strategy, other))
    assert len(seen) > 12


def test_of_a_space_of_few_members_none_is_trained_twice_in_a_step() -> None:
    space = nasbench201(operations=("none", "conv_1x1"))
    strategy = Sandwich(space, lower(space.grammar, space.skeletons["small"], IMAGE), seed=0, device=CPU, between=400)
    largest = member(strategy, strategy.draw())
    students = [member(strategy, weights) for weights in strategy.students()]
    assert sorted(students) == [rank for rank in range(64) if rank != largest]


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="between: expected a number of members from 0, found -1"):
        strategy_of("mobilenet_ofa", between=-1)
    with pytest.raises(CheckpointError, match="not of sandwiches"):
        strategy_of("mobilenet_ofa").restore({"drawn": torch.tensor(3)})


# -- a step of the weights


@pytest.fixture(scope="module")
def images() -> Images:
    return load("digits")


def step_by_hand(
    network: Network, ranks: list[int], x: Tensor, labels: Tensor, space: SearchSpace
) -> dict[str, Tensor]:
    """The summed gradients of networks that are built for each member alone, gathered into the supernet's tensors."""
    total = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    teacher: Tensor | None = None
    for rank in ranks:
        decided = space.plan.read(space.plan.unrank(rank))
        small = Network(resolve(network.graph, decided)).double()
        inherit(small, network, decided)
        small.train()
        logits = small(x)
        if teacher is None:
            teacher = logits.detach()
            loss = -logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()
        else:
            loss = -(teacher.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        loss.backward()
        # where a number of the small network lies in the supernet's: by inheriting the numbers of the places
        places = FusedNetwork(network.graph).double()
        with torch.no_grad():
            for p in places.parameters():
                p.copy_(torch.arange(p.numel(), dtype=torch.float64).view_as(p))
        where = Network(resolve(network.graph, decided)).double()
        inherit(where, places, decided)
        at = dict(where.named_parameters())
        for name, p in small.named_parameters():
            if p.grad is not None:
                total[name].view(-1).index_add_(0, at[name].detach().long().view(-1), p.grad.view(-1))
    return total


@pytest.mark.parametrize("name", sorted(ELASTIC))
@pytest.mark.usefixtures("exactly")
def test_a_step_adds_up_the_gradients_of_teacher_and_students(name: str, images: Images) -> None:
    space, skeleton = ELASTIC[name]
    graph = lower(space.grammar, skeleton, IMAGE)
    with seeded(0, "supernet"):
        network = FusedNetwork(graph).double()
    recipe = SearchRecipe(
        name="step", epochs=1, batch_size=16, learning_rate=0.05, momentum=0.0, weight_decay=0.0, gradient_clip=0.0,
        alpha_warmup_epochs=1, crop_padding=0, flip=False,
    )  # fmt: skip
    strategy = Sandwich(space, graph, seed=5, device=CPU)
    fit = SupernetFit(network, strategy, recipe, images, seed=5, device=CPU)
    x, labels = fit.feed.batch(0)
    ranks = [strategy.largest.index, strategy.smallest.index, strategy.member(0), strategy.member(1)]
    assert len(set(ranks)) == 4
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    gradients = step_by_hand(network, ranks, x.double(), labels, space)
    fit.advance()
    for n, p in network.named_parameters():
        step = (before[n] - p) / 0.05
        assert torch.allclose(step, gradients[n], rtol=1e-5, atol=1e-6), n  # the loss is computed in float32
    assert strategy.drawn == 2


def test_a_fit_that_is_cut_off_goes_on_to_the_bit(images: Images) -> None:
    space, skeleton = ELASTIC["mobilenet_ofa"]
    graph = lower(space.grammar, skeleton, IMAGE)

    def fresh() -> SupernetFit:
        with seeded(0, "supernet"):
            network = FusedNetwork(graph)
        recipe = SearchRecipe(name="cut", epochs=1, batch_size=16, alpha_warmup_epochs=1)
        return SupernetFit(network, Sandwich(space, graph, seed=1, device=CPU), recipe, images, seed=1, device=CPU)

    whole, first, second = fresh(), fresh(), fresh()
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    second.restore(*first.state())
    for _ in range(2):
        second.advance()
    there = second.network.state_dict()
    assert all(torch.equal(value, there[name]) for name, value in whole.network.state_dict().items())
