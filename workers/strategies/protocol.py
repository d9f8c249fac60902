"""What every strategy over one supernet is: it draws decision weights and learns from a loss at them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor

from workers.supernet.weights import Draws, Weights


class Loss(Protocol):
    """What a strategy learns from in one step: the losses of the supernet at weights of its own drawing."""

    def __call__(self, draws: Draws, /) -> Tensor:
        """The loss on a batch of the split `architecture`, (); the gradient flows into those that want one."""
        ...

    def right(self, draws: Draws, /) -> float:
        """The share of a batch of the split `architecture` that the supernet answers rightly, without a gradient."""
        ...

    def pressure(self, draws: Draws, /) -> float:
        """What that loss holds of the expected cost of the decisions, without a gradient; 0 without pressure."""
        ...

    def training(self, draws: Draws, /) -> Tensor:
        """The loss on the batch of the split `weights` that the network learns from in this step: ()."""
        ...

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The weights of the network."""
        ...

    def ahead(self, gradients: Sequence[Tensor | None], /) -> AbstractContextManager[float]:
        """Within, the network's weights are one step of their optimiser further; gives that step's learning rate."""
        ...


class Strategy(Protocol):
    """How decisions are weighted, step by step. Nothing else: the weights of the network are the engine's."""

    def reach(self, share: float) -> None:
        """Be told before each step what share of the search is done, in [0, 1): temperatures depend on it."""
        ...

    def draw(self) -> Draws:
        """Weights for one step of the network's own weights; no gradient flows into the strategy."""
        ...

    def students(self) -> Sequence[Draws]:
        """Draws that learn, in the same step, from the network's answers at `draw()`'s; often none."""
        ...

    def learn(self, loss: Loss) -> None:
        """One step of the strategy; it may ask for the loss at weights of its own drawing, more than once."""
        ...

    def settled(self) -> Weights:
        """The weights that stand for all that was learnt: what is measured and discretised."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs, random generators included."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...
