"""Whether this process lives, whether it can serve, and what it counts."""

from typing import cast

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from app.api.dependencies import ServicesHere
from app.api.problems import Problem
from app.api.schemas.model import Output
from app.api.services import Services
from app.api.statuses import declared
from app.catalogue import jobs, workers
from app.catalogue.repositories import census
from app.jobs import Broker, BrokerDown
from app.space import Fault

router = APIRouter(tags=["health"])


class HealthView(Output):
    """The process answers."""

    status: str = Field(description="`ok`")


class ReadyView(Output):
    """The process and everything it needs answer."""

    status: str = Field(description="`ready`")
    database: str = Field(description="`ok`")
    broker: str = Field(description="`ok`")


@router.get("/healthz")
async def get_health() -> HealthView:
    """Whether this process lives. Touches nothing else."""
    return HealthView(status="ok")


@router.get("/readyz", responses=declared("not-ready"))
def get_readiness(services: ServicesHere) -> ReadyView:
    """Whether this process can serve: database and broker answer. 503 says which does not."""
    missing = [Fault(f"/{part}", why) for part, why in (*database_faults(services), *broker_faults(services))]
    if missing:
        detail = "; ".join(f"{fault.pointer.removeprefix('/')}: {fault.message}" for fault in missing)
        raise Problem(503, "not-ready", "The service is not ready", detail, tuple(missing), {"Retry-After": "2"})
    return ReadyView(status="ready", database="ok", broker="ok")


def database_faults(services: Services) -> list[tuple[str, str]]:
    """Why the database is of no use; empty when it answers."""
    try:
        with services.database.transaction() as session:
            workers.alive(session, within_seconds=services.settings.lease_seconds)
    except SQLAlchemyError as error:
        # The driver's message may name hosts and users: the log has it, an answer does not.
        return [("database", f"does not answer ({type(error).__name__})")]
    return []


def broker_faults(services: Services) -> list[tuple[str, str]]:
    """Why the broker is of no use; empty when it answers."""
    if services.settings.redis_url is None:
        return [("broker", "is not configured")]
    broker = Broker(services.settings.redis_url)
    try:
        broker.depth()
    except BrokerDown:
        return [("broker", "does not answer")]
    finally:
        broker.close()
    return []


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(services: ServicesHere) -> Response:
    """Counters of this process and of the catalogue, as Prometheus reads them."""
    catalogue = CollectorRegistry()
    up = Gauge("cellar_database_up", "Whether the database answers, 1 or 0", registry=catalogue)
    try:
        tell_of_catalogue(services, catalogue)
        up.set(1)
    except SQLAlchemyError:
        up.set(0)  # what this process counts itself is told all the same
    pool = cast("QueuePool", services.database.engine.pool)
    Gauge("cellar_pool_connections", "Connections of this process in use", registry=catalogue).set(pool.checkedout())
    text = generate_latest(services.metrics) + generate_latest(catalogue)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def tell_of_catalogue(services: Services, registry: CollectorRegistry) -> None:
    """Gauges of what the database says: the same from every process."""
    with services.database.transaction() as session:
        counted = jobs.count_by_state(session)
        alive = workers.alive(session, within_seconds=services.settings.lease_seconds)
        standing = census.open_jobs(session)
        owed, owed_seconds = census.owed_hints(session)

    def gauge(name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"cellar_{name}", says, labels, registry=registry)

    number = gauge("jobs", "Jobs by queue and state", "queue", "state")
    for (queue, state), count in counted.items():
        number.labels(queue, state).set(count)
    oldest = gauge("job_age_seconds", "Seconds since the oldest open job was queued", "queue", "state")
    attempts = gauge("job_attempts", "Attempts of the open job that was begun most often", "queue", "state")
    lease = gauge("lease_remaining_seconds", "Seconds until the first lease runs out; negative: it has", "queue")
    for row in standing:
        oldest.labels(row.queue, row.state).set(row.longest_seconds)
        attempts.labels(row.queue, row.state).set(row.attempts)
        if row.lease_seconds is not None:
            lease.labels(row.queue).set(row.lease_seconds)
    gauge("workers", "Workers that have reported themselves lately").set(len(alive))
    busy = gauge("workers_by_state", "The same by what they do", "state")
    for state in ("idle", "busy", "draining"):
        busy.labels(state).set(sum(worker.state == state for worker in alive))
    gauge("outbox_jobs", "Queued jobs that wait for a hint").set(owed)
    gauge("outbox_age_seconds", "Seconds for which the first of them has waited").set(owed_seconds)
