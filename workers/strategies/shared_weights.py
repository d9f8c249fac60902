"""Search strategies over one supernet: each draws the weights of its open decisions."""

from collections.abc import Callable, Mapping

from app.architecture import Graph
from app.experiment import Strategy as StrategyName
from app.space import Plan
from workers.strategies.darts import Darts, SecondOrderDarts
from workers.strategies.drnas import DrNas
from workers.strategies.enas import Enas
from workers.strategies.gumbel import Gdas, Snas
from workers.strategies.pc_darts import PcDarts
from workers.strategies.protocol import Loss, Strategy
from workers.supernet.weights import Relaxed, relax

STRATEGIES: Mapping[StrategyName, Callable[..., Strategy]] = {
    "darts": Darts,
    "darts_second_order": SecondOrderDarts,
    "snas": Snas,
    "gdas": Gdas,
    "drnas": DrNas,
    "enas": Enas,
    "pc_darts": PcDarts,
}


def undecided(strategy: StrategyName, plan: Plan, graph: Graph) -> tuple[Graph, tuple[Relaxed, ...]]:
    """The supernet's graph as a strategy searches it, and its open decisions. Raises NoMixture of partial channels."""
    if strategy == "pc_darts":
        return PcDarts.undecided(plan, graph)
    return graph, relax(plan, graph.open)


__all__ = [
    "STRATEGIES",
    "Darts",
    "DrNas",
    "Enas",
    "Gdas",
    "Loss",
    "PcDarts",
    "SecondOrderDarts",
    "Snas",
    "Strategy",
    "undecided",
]
