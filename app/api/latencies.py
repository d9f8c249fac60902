"""Latency predicted from the lookup table of a device: the sum over all that an architecture computes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from fastapi import APIRouter

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.dependencies import ServicesHere, SpaceHere
from app.api.membership import given_rank
from app.api.problems import Problem, unprocessable
from app.api.schemas.profile import (
    DirectionName,
    LatencyErrorView,
    LatencyQuestion,
    LatencyView,
    PrecisionName,
    TableView,
)
from app.api.services import Services
from app.api.statuses import declared
from app.architecture import lower
from app.architecture.entries import entries
from app.catalogue import LookupTable, profiles
from app.experiment.latency import Unmeasured, WholeLatency, covers, predict
from app.space import Fault, ImageInput, SearchSpace, Skeleton

router = APIRouter(prefix="/v1/spaces/{space}", tags=["genotypes"])

OWN = 3  # measured architectures of the same space from which on only these are compared with


@router.post("/latency", responses=declared("not-measured"))
def predict_latency(services: ServicesHere, space: SpaceHere, question: LatencyQuestion) -> LatencyView:
    """How long a genotype takes on a device, with the error of such predictions.

    The table's key is a node of the lowered graph: its operation, attributes and shapes. 409 names what was never
    measured on the device, and the body that POST /v1/profiles measures it by.
    """
    index = given_rank(space, question.genotype, question.format)
    skeleton, image = chosen_skeleton(space, question.skeleton), chosen_image(space, question.input)
    graph = lower(space.grammar, skeleton, image, space.plan.read(space.plan.unrank(index)))
    counted = {entry.key: n for entry, n in entries(graph).items()}
    table = table_of(services, question.device, question)
    with services.database.transaction() as session:
        known = profiles.entry_latencies(session, table, viewer=services.caller.owner)
        every = profiles.whole_latencies(session, table, viewer=services.caller.owner)
        own = profiles.whole_latencies(session, table, viewer=services.caller.owner, space=space.digest)
    enough = sum(covers(known, computed) for computed, _ in own) >= OWN
    measured = [WholeLatency(computed, ms) for computed, ms in (own if enough else every)]
    try:
        found = predict(counted, known, measured)
    except Unmeasured as missing:
        body = filling(space, index, skeleton, image, question, table)
        raise not_measured(missing, table.device, body) from missing
    error = found.error
    return LatencyView(
        space=identity(space),
        index=str(index),
        latency_ms=found.ms,
        sum_ms=found.sum_ms,
        factor=found.factor,
        error=None if error is None else LatencyErrorView(**asdict(error), scope="space" if enough else "table"),
        computations=sum(counted.values()),
        entries=len(counted),
        table=table_view(table),
    )


class Conditions(Protocol):
    """What a question says of the table that it wants."""

    threads: int | None
    batch_size: int
    precision: PrecisionName
    direction: DirectionName


def table_of(services: Services, device: str, asked: Conditions) -> LookupTable:
    """The newest lookup table of a device under the conditions asked for. A 422 says which there are."""
    with services.database.transaction() as session:
        tables = profiles.lookup_tables(session, viewer=services.caller.owner)
    here = [table for table in tables if table.device == device]
    if not here:
        devices = tuple(dict.fromkeys(table.device for table in tables))
        message = "nothing was measured on this device; POST /v1/profiles measures on the workers' devices"
        raise unprocessable("/device", message, device, devices)
    wanted: dict[str, object] = {
        "batch_size": asked.batch_size,
        "precision": asked.precision,
        "direction": asked.direction,
    }
    if asked.threads is not None:
        wanted["threads"] = asked.threads
    for table in here:
        if table.entries and all(getattr(table, name) == value for name, value in wanted.items()):
            return table
    there = tuple(dict.fromkeys(json.dumps({name: getattr(table, name) for name in wanted}) for table in here))
    message = f"{device} has no lookup table for {json.dumps(wanted)}; POST /v1/profiles makes one"
    raise unprocessable("/device", message, device, there)


def table_view(table: LookupTable) -> TableView:
    """A lookup table as it travels."""
    return TableView.model_validate(asdict(table))


def known_entries(services: Services, table: LookupTable) -> Mapping[str, float]:
    """The milliseconds of every entry that a table has."""
    with services.database.transaction() as session:
        return profiles.entry_latencies(session, table, viewer=services.caller.owner)


def filling(
    space: SearchSpace,
    index: int,
    skeleton: Skeleton,
    image: ImageInput,
    question: LatencyQuestion,
    table: LookupTable,
) -> dict[str, Any]:
    """The body of the profile that measures all that a prediction needs."""
    return {
        "space": f"{space.name}@{space.version}",
        "members": [str(index)],
        "skeleton": asdict(skeleton),
        "input": asdict(image),
        "batch_size": question.batch_size,
        "precision": question.precision,
        "direction": question.direction,
        "device": table.device_type,
        "threads": table.threads,
    }


def filling_all(
    space: SearchSpace, skeleton: Skeleton, image: ImageInput, asked: Conditions, table: LookupTable
) -> dict[str, Any]:
    """The body of the profile that measures all that a table lacks of what members of a space may compute."""
    return {
        "space": f"{space.name}@{space.version}",
        "every": True,
        "lacked_by": table.device,
        "skeleton": asdict(skeleton),
        "input": asdict(image),
        "batch_size": asked.batch_size,
        "precision": asked.precision,
        "direction": asked.direction,
        "device": table.device_type,
        "threads": table.threads,
    }


def not_measured(missing: Unmeasured, device: str, body: dict[str, Any], pointer: str = "/genotype") -> Problem:
    """409: the table lacks something."""
    faults = tuple(Fault(pointer, f"its computation was never measured on {device}", key) for key in missing.keys)
    detail = f"{len(faults)} entries are missing; measure them on {device} by POST /v1/profiles {json.dumps(body)}"
    headers = {"Link": '</v1/profiles>; rel="related"'}
    return Problem(409, "not-measured", "The lookup table lacks what this genotype computes", detail, faults, headers)
