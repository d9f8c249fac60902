"""Evaluators: they say what members of a space are worth (`protocol.py`).

    evaluator_for(request, space, progress)     the evaluator that a request asks for
    Costs(request, space)                       params, MACs, latencies and bounds: known without measuring

Each kind is imported where it is asked for: what reads the catalogue needs no torch.
"""

from app.experiment import (
    CatalogueEvaluator,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    TrainingEvaluator,
)
from app.space import SearchSpace
from workers.evaluators.costs import Costs
from workers.evaluators.protocol import Evaluator, Reading
from workers.progress import Progress

__all__ = ["Costs", "Evaluator", "Reading", "evaluator_for"]


def evaluator_for(request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> Evaluator:
    """The evaluator of one search. Raises what it finds wrong with the request, before anything is measured."""
    match request.evaluator:
        case CatalogueEvaluator():
            from workers.evaluators.catalogue import Catalogue, Table

            return Catalogue(request, Table.read(request, space, progress))
        case TrainingEvaluator():
            from workers.evaluators.training import Trainings

            return Trainings(request, space, progress)
        case InheritedEvaluator():
            from workers.evaluators.inherited import Inherited

            return Inherited(request, space, progress)
        case ProxyEvaluator():
            from workers.evaluators.proxies import Proxies

            return Proxies(request.evaluator, request, space, progress)
