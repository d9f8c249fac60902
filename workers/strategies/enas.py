"""ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (2018), arXiv:1802.03268.

    reward      R(a) = share of a batch of the architecture split that the member a answers rightly
                       - what the recipe's pressure adds to the loss there
    gradient    E_a[∇ log p(a) (R(a) + w h(a) - b)] + w E_a[∇ h(a)] = ∇ (E[R] + w H(p))
                with h(a) the entropies of the answers on the way to a, whose mean is the entropy H of the controller
    baseline    b ← b - (1 - d)(b - R(a) - w h(a)), after the step that it was needed in; at first the first reward

w = 1e-4 of melodyguan/enas `scripts/cifar10_micro_search.sh`, d = 0.99 of `src/cifar10/main.py`. There h counts as a
part of the reward alone; its own gradient is added here, so that what is followed is the entropy's. There an epoch on
the weights and some hundred steps of the controller alternate; here a step of each, as of every strategy.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from workers.strategies.controller import Controller, Walk
from workers.strategies.protocol import Loss
from workers.supernet.weights import Relaxed, Weights
from workers.training import checkpoint
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import generator

ENTROPY = 1e-4  # w
DECAY = 0.99  # d


class Enas:
    """Members drawn by a controller that learns from how many images they answer rightly; one of
    `workers.strategies.Strategy`.

    The controller lives on the CPU, where its short steps are quickest; what it draws is 1 or 0 for every option, and
    nothing is computed for 0. Every decision is answered, those too that the other answers do not lead to.
    """

    DRAWS = 1  # members a step that rewards are asked for

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.relaxed = relaxed
        self.device = device
        self.controller = Controller(relaxed, generator(seed, "controller"))
        self.generator = generator(seed, "controller", "draws")
        self.baseline: float | None = None
        self.optimiser: torch.optim.Optimizer = torch.optim.Adam(
            self.controller.parameters(),
            recipe.alpha_learning_rate,
            recipe.alpha_betas,
            weight_decay=recipe.alpha_weight_decay,
        )

    def reach(self, share: float) -> None:
        """Nothing here depends on how far the search is."""

    @torch.no_grad()
    def draw(self) -> Weights:
        """The next member: 1 for what it takes, 0 for what it does not."""
        return self._weights(self.controller.walk(self._drawn))

    def students(self) -> tuple[Weights, ...]:
        """None."""
        return ()

    def learn(self, loss: Loss) -> None:
        """One Adam step of the controller by REINFORCE."""
        if not self.controller.asked:
            return
        found: list[tuple[Walk, float]] = []
        for _ in range(self.DRAWS):
            walk = self.controller.walk(self._drawn)
            weights = self._weights(walk)
            found.append((walk, loss.right(weights) - loss.pressure(weights) + ENTROPY * float(walk.entropy.detach())))
        baseline = found[0][1] if self.baseline is None else self.baseline
        gains = [walk.log_probability * (reward - baseline) + ENTROPY * walk.entropy for walk, reward in found]
        self.optimiser.zero_grad(set_to_none=True)
        (-torch.stack(gains).mean()).backward()
        self.optimiser.step()
        for _, reward in found:
            baseline -= (1 - DECAY) * (baseline - reward)
        self.baseline = baseline

    @torch.no_grad()
    def settled(self) -> Weights:
        """The probabilities on the way of the likeliest answers, (O,) each: their greatest are those answers."""
        chances = self.controller.walk(lambda logs: int(logs.argmax())).chances
        there = {r.path: torch.ones(len(r.options)) for r in self.relaxed if r.rule == "present"}
        return {r.path: (there | chances)[r.path].to(self.device) for r in self.relaxed}

    def state(self) -> dict[str, Tensor]:
        """The controller, Adam's moments, the baseline, the generator."""
        return {
            **checkpoint.under("controller/", self.controller.state_dict()),
            **checkpoint.under("adam/", checkpoint.optimiser_state(self.optimiser)),
            "baseline": torch.tensor([] if self.baseline is None else [self.baseline], dtype=torch.float64),
            "rng/controller": self.generator.get_state(),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another space's or strategy's."""
        if "rng/controller" not in tensors or "baseline" not in tensors:
            raise CheckpointError("the checkpoint has no rng/controller and baseline: it is of another strategy")
        checkpoint.restore_module(self.controller, checkpoint.part("controller/", tensors))
        checkpoint.restore_optimiser(self.optimiser, checkpoint.part("adam/", tensors))
        self.baseline = next(iter(tensors["baseline"].tolist()), None)
        self.generator.set_state(tensors["rng/controller"])

    def _drawn(self, log_probabilities: Tensor) -> int:
        return int(torch.multinomial(log_probabilities.exp(), 1, generator=self.generator))

    def _weights(self, walk: Walk) -> Weights:
        found: dict[str, Tensor] = {}
        for r in self.relaxed:
            found[r.path] = torch.ones(len(r.options))
            if r.path in walk.taken:
                found[r.path] = torch.zeros(len(r.options))
                found[r.path][[*walk.taken[r.path]]] = 1.0
        return found
