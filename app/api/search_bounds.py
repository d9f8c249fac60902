"""Bounds on the genotype of a search over a supernet: whether they can be kept to, and of latency the milliseconds.

They are bounds on the network that is trained from scratch, on its skeleton and data set, not on the supernet.
"""

from dataclasses import replace

from app.api.bounds import Place, attainable, latencies_on
from app.api.problems import unprocessable
from app.api.services import Services
from app.experiment import SearchRequest, described
from app.space import SearchSpace


def with_bounds(services: Services, space: SearchSpace, request: SearchRequest, device: str | None) -> SearchRequest:
    """The request with every latency that its bounds need.

    422 where no member keeps to the bounds, as far as can be told, with the least that there is, or where a latency is
    bounded and `device` is not given or has no table; 409 where the table lacks something.
    """
    name = request.retrain_dataset or request.dataset
    data = request.data if request.retrain_dataset is None else request.retrain_data
    here = Place(space, request.retrain_skeleton, described(name, data).input)
    if request.bounds.max_latency_ms is None:
        if device is not None:
            message = "no latency is bounded: give max_latency_ms"
            raise unprocessable("/latency_device", message, device, (None,))
    elif device is None:
        message = "latencies are a device's: name one; GET /v1/profiles/devices lists them"
        raise unprocessable("/latency_device", message)
    else:
        table = latencies_on(services, here, device)
        here = replace(here, latencies=table)
        request = replace(request, bound_latencies=table.entries, latency_factor=table.factor)
    attainable(here, request.bounds)
    return request
