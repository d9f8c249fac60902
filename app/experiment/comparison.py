"""Comparisons: the same search by several strategies and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.experiment.discrete import DiscreteSearchRequest
from app.experiment.job import Device
from app.experiment.strategies import DiscreteStrategyName


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStrategy:
    """A strategy under the name that it has in the comparison."""

    label: str
    strategy: DiscreteStrategyName
    parameters: Mapping[str, int]  # every one


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRequest:
    """Run a search once for every strategy and seed.

    Searches that train or share weights are jobs of their own; all others are run by the comparison itself.
    """

    search: DiscreteSearchRequest  # whose strategy, parameters and seed are those of no run
    strategies: tuple[ComparedStrategy, ...]
    seeds: tuple[int, ...]
    device: Device = "auto"
