"""Discrete strategies: they propose members of a space and are told what was measured of them (`protocol.py`)."""

from collections.abc import Callable, Mapping

from app.experiment import DiscreteStrategyName
from workers.strategies.discrete.bananas import Bananas
from workers.strategies.discrete.evolution import Evolution
from workers.strategies.discrete.local_search import LocalSearch
from workers.strategies.discrete.nsga2 import NSGA2
from workers.strategies.discrete.protocol import DiscreteStrategy, Measured, Objective, Problem, Proposal
from workers.strategies.discrete.random import RandomSearch
from workers.strategies.discrete.successive_halving import SuccessiveHalving

DISCRETE: Mapping[DiscreteStrategyName, Callable[..., DiscreteStrategy]] = {
    "random": RandomSearch,
    "evolution": Evolution,
    "local_search": LocalSearch,
    "bananas": Bananas,
    "nsga2": NSGA2,
    "successive_halving": SuccessiveHalving,
}
"""By name: `DISCRETE[name](problem, **parameters)`; for the parameters see `app.experiment.DISCRETE_STRATEGIES`."""

__all__ = [
    "DISCRETE",
    "NSGA2",
    "Bananas",
    "DiscreteStrategy",
    "Evolution",
    "LocalSearch",
    "Measured",
    "Objective",
    "Problem",
    "Proposal",
    "RandomSearch",
    "SuccessiveHalving",
]
