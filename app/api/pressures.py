"""Searches that pay for costs: whether they can, and of latency the milliseconds, from the lookup table of a device."""

from dataclasses import replace

from app.api.fairness import Opened, bill, needed_entries
from app.api.latencies import Conditions, Unmeasured, filling_all, known_entries, not_measured, table_of
from app.api.problems import relocated, unprocessable
from app.api.schemas.profile import DirectionName, PrecisionName
from app.api.services import Services
from app.architecture.guard import COMBINED
from app.experiment import SearchRequest, described
from app.space import SearchSpace


class Inference(Conditions):
    """One image at a time, without gradients: what a latency is asked for."""

    threads: int | None = None
    batch_size: int = 1
    precision: PrecisionName = "float32"
    direction: DirectionName = "forward"


def with_latencies(services: Services, space: SearchSpace, request: SearchRequest) -> SearchRequest:
    """The request with every latency that its pressure needs.

    422 where the device has no table or decisions hang together too much, 409 where the table lacks something.
    """
    pressure = request.recipe.pressure
    if pressure is None or pressure.cost != "latency_ms":
        if pressure is not None and pressure.device is not None:
            raise unprocessable("/pressure/device", f"{pressure.cost} are those of every device", pressure.device)
        if pressure is not None and bill(opened_for(space, request)) is None:
            raise unprocessable(
                "/pressure",
                f"the decisions of {space.name} hang together in more than {COMBINED} ways: a search cannot tell what "
                "it expects to pay at its present weights; sampled differences of options are no substitute",
            )
        return request
    if pressure.device is None:
        raise unprocessable(
            "/pressure/device", "latencies are a device's: name one; GET /v1/profiles/devices lists them"
        )
    with relocated("/device", "/pressure/device"):
        table = table_of(services, pressure.device, Inference())
    known = known_entries(services, table)
    here = opened_for(space, request)
    keys = [entry.key for entry in needed_entries(here)]
    missing = [key for key in keys if key not in known]
    if missing:
        body = filling_all(space, request.skeleton, here.image, Inference(), table)
        raise not_measured(Unmeasured(missing), table.device, body, "/pressure/device")
    return replace(request, latencies={key: known[key] for key in keys})


def opened_for(space: SearchSpace, request: SearchRequest) -> Opened:
    """The space on the skeleton and images that a search trains."""
    return Opened(space, space.digest, request.skeleton, described(request.dataset, request.data).input)
