"""Data parallelism: processes that share every batch of one training, each on a device of its own.

Every process holds the whole network, draws and augments the whole batch, and computes its share of it. Gradients are
added up, weighted by images, and so are the tallies; batch statistics are those of all images together, and drop path
is drawn for all. A step is therefore the step of one process, but for the order in which sums are rounded.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from workers.primitives.normalisation import BatchNorm
from workers.training.metrics import Tally
from workers.training.micro_batches import Part

PATIENCE = timedelta(minutes=30)  # that one process waits for another, which may be writing a checkpoint


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of one training, seen from one of them."""

    rank: int
    processes: int

    def mine(self, part: Part) -> Part:
        """This process's share of some images: as even as may be."""
        first, images = part.rows.start, part.rows.stop - part.rows.start
        bounds = [first + images * rank // self.processes for rank in (self.rank, self.rank + 1)]
        return Part(slice(*bounds), part.images)

    def add_up(self, parameters: Iterable[Tensor]) -> None:
        """Replace gradients by their sums over all processes."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        for dtype in {g.dtype for g in gradients}:
            same = [g for g in gradients if g.dtype == dtype]
            flat = torch.cat([g.reshape(-1) for g in same])
            dist.all_reduce(flat)
            for gradient, summed in zip(same, flat.split([g.numel() for g in same]), strict=True):
                gradient.copy_(summed.view_as(gradient))

    def added(self, tally: Tally) -> Tally:
        """What all processes have counted."""
        counts = (tally.loss, tally.hits, tally.items, torch.tensor(tally.images, device=tally.loss.device))
        sums = torch.stack([count.double() for count in counts])
        dist.all_reduce(sums)
        return Tally(sums[0], sums[1].long(), sums[2].long(), int(sums[3]))


@contextmanager
def joined(team: Team, meeting: Path, device: torch.device) -> Iterator[None]:
    """Within, the processes know each other; they meet at a file that is not there yet."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{meeting}",
        rank=team.rank,
        world_size=team.processes,
        timeout=PATIENCE,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def synchronise(network: nn.Module, team: Team) -> None:
    """Have every batch normalisation of a network look at the images of all processes; names stay as they are."""
    for module in [*network.modules()]:
        for name, child in [*module.named_children()]:
            if isinstance(child, BatchNorm) and not isinstance(child, TeamBatchNorm):
                module.register_module(name, TeamBatchNorm(child, team))


class TeamBatchNorm(BatchNorm):
    """`BatchNorm` by the mean and variance over the images of all processes, put together as by Chan, Golub and LeVeque
    (1979): one message forward and one backward."""

    def __init__(self, norm: BatchNorm, team: Team) -> None:
        """Takes the tensors of `norm` for its own."""
        super().__init__(norm.num_features, affine=norm.affine)
        self.eps, self.momentum, self.team = norm.eps, norm.momentum, team
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.training = norm.training

    def forward(self, input: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """(B, C, H, W), of this process, to the same."""
        if not self.training:
            return super().forward(input, scale)
        x = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        variance, mean = torch.var_mean(x, (0, 2, 3), unbiased=False)
        places = mean.new_full((self.num_features,), x.numel() // self.num_features)
        means, variances, counts = _Gathered.apply(torch.stack([mean, variance, places]), self.team).unbind(1)  # pyright: ignore[reportOptionalMemberAccess]
        number = counts.sum(0)  # of every channel alike; at least one a process
        shares = counts / number  # (processes, C)
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean) ** 2)).sum(0)
        self._follow(mean.detach(), variance.detach() * (number / (number - 1)))
        slope = (variance + self.eps).rsqrt()
        weight, bias = self._scaled(x, scale)
        slope = slope if weight is None else slope * weight
        offset = -mean * slope if bias is None else bias - mean * slope
        return (x * slope[:, None, None] + offset[:, None, None]).to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics."""
        momentum = self.momentum
        if momentum is None:
            self.batches += 1
            momentum = 1.0 / self.batches
        for running, now in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None:
                running.mul_(1 - momentum).add_(now, alpha=momentum)


class _Gathered(torch.autograd.Function):
    """(...) of each process to (processes, ...) on all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, team: Team) -> Tensor:
        ctx.rank = team.rank
        found = [torch.empty_like(x) for _ in range(team.processes)]
        dist.all_gather(found, x.contiguous())
        return torch.stack(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total[ctx.rank], None
