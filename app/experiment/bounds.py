"""Bounds on what an architecture may cost: of searches by proposals, and of turning a supernet into a genotype."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a member may cost at most, inclusive. What exceeds a bound is neither proposed nor found."""

    max_params: int | None = None
    max_macs: int | None = None
    max_latency_ms: float | None = None

    @property
    def any(self) -> bool:
        """Whether anything is bounded."""
        return self != Bounds()
