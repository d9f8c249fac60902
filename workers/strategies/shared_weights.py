"""Search strategies over one supernet: each draws the weights of its open decisions."""

from collections.abc import Callable, Mapping

from app.experiment import Strategy as StrategyName
from workers.strategies.darts import Darts
from workers.strategies.protocol import Loss, Strategy

STRATEGIES: Mapping[StrategyName, Callable[..., Strategy]] = {"darts": Darts}

__all__ = ["STRATEGIES", "Darts", "Loss", "Strategy"]
