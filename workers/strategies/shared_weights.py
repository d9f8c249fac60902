"""Search strategies over one supernet: each draws the weights of its open decisions."""

from collections.abc import Callable, Mapping

from app.experiment import Strategy as StrategyName
from workers.strategies.darts import Darts, SecondOrderDarts
from workers.strategies.drnas import DrNas
from workers.strategies.enas import Enas
from workers.strategies.gumbel import Gdas, Snas
from workers.strategies.protocol import Loss, Strategy

STRATEGIES: Mapping[StrategyName, Callable[..., Strategy]] = {
    "darts": Darts,
    "darts_second_order": SecondOrderDarts,
    "snas": Snas,
    "gdas": Gdas,
    "drnas": DrNas,
    "enas": Enas,
}

__all__ = ["STRATEGIES", "Darts", "DrNas", "Enas", "Gdas", "Loss", "SecondOrderDarts", "Snas", "Strategy"]
