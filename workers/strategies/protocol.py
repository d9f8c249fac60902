"""What every strategy over one supernet is: it draws decision weights and learns from a loss at them."""

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from workers.supernet.weights import Draws, Weights

Loss = Callable[[Draws], Tensor]  # of the supernet at some weights, on a batch of the architecture split; ()


class Strategy(Protocol):
    """How decisions are weighted, step by step. Nothing else: the weights of the network are the engine's."""

    def reach(self, share: float) -> None:
        """Be told before each step what share of the search is done, in [0, 1): temperatures depend on it."""
        ...

    def draw(self) -> Draws:
        """Weights for one step of the network's own weights; no gradient flows into the strategy."""
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
