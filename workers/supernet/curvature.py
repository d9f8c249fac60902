"""Curvature: how sharply the loss on `architecture` bends along α, by the greatest eigenvalue of its Hessian there.

Zela et al., "Understanding and Robustifying Differentiable Architecture Search" (2020), arXiv:1909.09656: as it grows
discretising costs more and more, and a search does well to end (section 4.3, DARTS-ES): when the mean of the last five
values is more than 4/3 of the mean of the five that ended five values ago, with what was found then. Their
automl/RobustDARTS `src/search/train_search.py` writes the whole Hessian down and takes the greatest eigenvalue by its
value; here Lanczos' method finds that by a few exact products.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from workers.strategies.alpha import Alphas
from workers.supernet.weights import Draws, Weights
from workers.training.determinism import generator

Order = Literal["magnitude", "value"]

STEPS = 40  # products with the Hessian, at most
TOLERANCE = 1e-3  # of the eigenvalue, relative to that of largest magnitude
FEWEST = 8  # products before an eigenvalue counts as found: the first may have come near another one
WINDOW = 5  # values that are averaged; section 4.3
STEP = 5  # values between two averages that are compared; section 4.3


@runtime_checkable
class Relaxing(Protocol):
    """A strategy whose settled weights are a smooth function of architecture parameters."""

    alpha: Alphas

    def relaxed_weights(self) -> Weights:
        """The settled weights, differentiable in α."""
        ...


def measured(
    strategy: object, loss_at: Callable[[Draws], Tensor], *, seed: int, network: nn.Module | None = None
) -> float | None:
    """The greatest eigenvalue of the Hessian of `loss_at` at the settled weights, in α; None of a strategy without α.

    `loss_at(draws)` is the loss of one batch, (). The buffers of `network` (running statistics) are put back as they
    were. The memory is that of a step whose backward pass is kept for a second one.
    """
    if not isinstance(strategy, Relaxing) or not strategy.alpha.values:
        return None
    before = [] if network is None else [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        return dominant_eigenvalue(
            lambda: loss_at(strategy.relaxed_weights()), [*strategy.alpha.values.values()], seed=seed, by="value"
        )
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


@torch.enable_grad()
def dominant_eigenvalue(
    loss: Callable[[], Tensor],
    parameters: Sequence[Tensor],
    *,
    seed: int,
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
    by: Order = "magnitude",
) -> float:
    """The eigenvalue of largest magnitude, with its sign, or the greatest, of the Hessian of a loss () in parameters.

    Exact where there are no more than `steps` numbers in them; else to a relative error of about `tolerance`, or as
    near as that many products come. No gradient is left on anything, and no generator of torch's is used.
    """
    with _twice_differentiable():
        gradients = torch.autograd.grad(loss(), parameters, create_graph=True, allow_unused=True)
    size = sum(p.numel() for p in parameters)
    pairs = [(g, p) for g, p in zip(gradients, parameters, strict=True) if g is not None and g.requires_grad]

    def product(vector: Tensor) -> Tensor:
        """The Hessian times a vector, float64 (n,)."""
        parts = [
            v.view_as(p).to(p) for v, p in zip(vector.split([p.numel() for p in parameters]), parameters, strict=True)
        ]
        along = {id(p): v for p, v in zip(parameters, parts, strict=True)}
        total = torch.stack([(g * along[id(p)]).sum() for g, p in pairs]).sum()
        found = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
        flat = [torch.zeros_like(p) if f is None else f for f, p in zip(found, parameters, strict=True)]
        return torch.cat([f.detach().flatten().double().cpu() for f in flat])

    if not pairs:
        return 0.0
    start = torch.randn(size, generator=generator(seed, "curvature"), dtype=torch.float64)
    return lanczos(product, start, steps=steps, tolerance=tolerance, by=by)


class _PlainHardSigmoid(TorchFunctionMode):
    """Hard sigmoids as what they are made of: torch's own has no second derivative."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Computes one function."""
        if func is F.hardsigmoid:
            return F.relu6(args[0] + 3) / 6
        return func(*args, **(kwargs or {}))


@contextmanager
def _twice_differentiable() -> Iterator[None]:
    """Within, what is computed can be differentiated twice: attention's quick kernels can not."""
    with sdpa_kernel(SDPBackend.MATH), _PlainHardSigmoid():
        yield


def lanczos(
    product: Callable[[Tensor], Tensor], start: Tensor, *, steps: int, tolerance: float, by: Order = "magnitude"
) -> float:
    """The eigenvalue of largest magnitude, or the greatest, of the symmetric matrix that `product` multiplies by.

    From a start (n,), by Lanczos (1950) with every vector made orthogonal to all before it, twice (Parlett, "The
    Symmetric Eigenvalue Problem", 1980, chapter 13).
    """
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    best = 0.0
    for step in range(min(steps, len(start))):
        ahead = product(basis[-1])
        diagonal.append(float(basis[-1] @ ahead))
        for _ in range(2):
            for vector in basis:
                ahead = ahead - (vector @ ahead) * vector
        length = float(ahead.norm())
        small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        if beside:
            off = torch.diag(torch.tensor(beside, dtype=torch.float64), 1)
            small = small + off + off.T
        if not bool(small.isfinite().all()):
            return math.nan
        values, vectors = torch.linalg.eigh(small)
        at = int((values.abs() if by == "magnitude" else values).argmax())
        best = float(values[at])
        error = length * abs(float(vectors[-1, at]))  # of the eigenvalue, at most
        scale = float(values.abs().max())
        if length <= 1e-12 * max(scale, 1e-300) or (step + 1 >= FEWEST and error <= tolerance * scale):
            break
        beside.append(length)
        basis.append(ahead / length)
    return best


@dataclass(slots=True)
class Watch:
    """The values of a search, one after another, and whether it should end."""

    factor: float = 0.0  # ends above this growth; 0 never
    window: int = WINDOW
    step: int = STEP
    epochs: list[int] = field(default_factory=list[int])
    values: list[float] = field(default_factory=list[float])

    def tell(self, epoch: int, value: float) -> None:
        """The value after so many epochs. What is no finite number is left out, as it says nothing about growth."""
        if math.isfinite(value):
            self.epochs.append(epoch)
            self.values.append(value)

    @property
    def grown(self) -> float | None:
        """The mean of the last values over that of those `step` before; None of too few, or where that is not
        positive."""
        if len(self.values) < self.window + self.step:
            return None
        now = sum(self.values[-self.window :]) / self.window
        then = sum(self.values[-self.window - self.step : -self.step]) / self.window
        return now / then if then > 0 else None

    @property
    def ends(self) -> bool:
        """Whether the search should end here."""
        grown = self.grown
        return self.factor > 0 and grown is not None and grown > self.factor

    @property
    def back_to(self) -> int | None:
        """The epoch whose architecture is what the search then found: `step` values ago."""
        return self.epochs[-1 - self.step] if len(self.epochs) > self.step else None

    def state(self) -> dict[str, Any]:
        """The values by epoch, as JSON."""
        return {"epochs": [*self.epochs], "values": [*self.values]}

    @classmethod
    def restored(cls, state: Mapping[str, Any], factor: float = 0.0) -> "Watch":
        """Goes on after these values."""
        return cls(factor=factor, epochs=[*state["epochs"]], values=[*state["values"]])
