"""Discrete strategies: they propose members of a space and are told what was measured of them (`protocol.py`)."""

from workers.strategies.discrete.evolution import Evolution
from workers.strategies.discrete.local_search import LocalSearch
from workers.strategies.discrete.nsga2 import NSGA2
from workers.strategies.discrete.protocol import DiscreteStrategy, Measured, Objective, Problem, Proposal
from workers.strategies.discrete.random import RandomSearch
from workers.strategies.discrete.successive_halving import SuccessiveHalving

__all__ = [
    "NSGA2",
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
