"""Evaluators: they say what members of a space are worth (`protocol.py`).

    evaluator_for(request, space, progress)     the evaluator that a request asks for
    sharing_of(request, evaluator)              what the weights that it shares are worth, where that was asked
    Costs(request, space)                       params, MACs, latencies and bounds: known without measuring

Each kind is imported where it is asked for: what reads the catalogue needs no torch.
"""

from app.experiment import (
    CatalogueEvaluator,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SharingReport,
    TrainingEvaluator,
)
from app.space import SearchSpace
from workers.evaluators.costs import Costs
from workers.evaluators.protocol import Evaluator, Reading
from workers.progress import Progress

__all__ = ["Costs", "Evaluator", "Reading", "evaluator_for", "sharing_of"]


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


def sharing_of(request: DiscreteSearchRequest, evaluator: Evaluator) -> SharingReport | None:
    """What the weights that the evaluator of a finished search shares are worth; None where nobody asked.

    Raises Waiting until those that are trained to find out are.
    """
    match request.evaluator:
        case InheritedEvaluator(check=check) if check is not None:
            from workers.evaluators.inherited import Inherited
            from workers.evaluators.sharing import sharing

            assert isinstance(evaluator, Inherited), "it is the request's"
            return sharing(evaluator)
        case _:
            return None
