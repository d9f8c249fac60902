"""Paces: how fast phases of training went, and how much memory they held, for whoever asks what the next one takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.experiment.recipe import Precision

Subject = Literal["network", "supernet"]

PASSES: Mapping[str | None, float] = {None: 1.0, "darts_second_order": 5.0}
"""Forward and backward passes of one step, by strategy. Of a plain network one. Second order: one for the weights, the
unrolled one, that of the architecture loss, and two for the finite difference (Liu et al., 2019, section 2.3)."""
OTHERS = 2.0  # one for the weights and one for the strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What there is to do in one step of a training or a search."""

    subject: Subject
    strategy: str | None  # of a supernet
    macs: int  # of one image, every option computed
    extent: int | None  # bytes: of a network its predicted peak, of a supernet what its nodes put out for a batch
    batch_size: int
    precision: Precision
    recompute: bool = False  # parts of a forward pass anew in the backward pass

    @property
    def work(self) -> float:
        """Multiply-adds of forward passes, counted once for each of the passes of a step."""
        return max(1, self.macs) * self.batch_size * PASSES.get(self.strategy, OTHERS)

    def like(self, other: "Load") -> bool:
        """Whether only sizes differ."""
        mine = self.subject, self.strategy, self.precision, self.recompute
        return mine == (other.subject, other.strategy, other.precision, other.recompute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one phase of a job was measured to take. It names nobody, no space and no data set."""

    load: Load
    params: int
    steps: int  # that were timed: all but the first
    seconds: float  # of these, reading and augmenting their batches included
    peak_memory_bytes: int | None  # above what the process held before the phase; None where it is not known
    device: str  # e.g. "NVIDIA H100 80GB HBM3" or "cpu, 2 threads"
    device_type: Literal["cpu", "cuda"]
    torch_version: str

    @property
    def seconds_per_step(self) -> float:
        """Of the mean step."""
        return self.seconds / self.steps
