"""The composition root of the API: settings, services, middleware, routers, error handlers.

uvicorn --factory app.main:create_app
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, ProcessCollector
from starlette.middleware.cors import CORSMiddleware

from app.api import (
    architectures,
    audit,
    benchmarks,
    checklist,
    comparison,
    comparisons,
    correlations,
    counts,
    datasets,
    evaluations,
    fairness,
    genotypes,
    health,
    jobs,
    keys,
    latencies,
    members,
    memory,
    networks,
    pareto,
    patterns,
    profiles,
    provenance,
    proxies,
    quota,
    reference,
    replays,
    searches,
    spaces,
    summaries,
    trainings,
    transfers,
    vocabulary,
    workers,
)
from app.api.access import Access, behind_door
from app.api.documentation import install_documentation
from app.api.exposition import Exposition
from app.api.keyring import KeyRing
from app.api.metering import Metering
from app.api.middleware import ConditionalGet, Gate, HeadAsGet
from app.api.offload import Offload
from app.api.openapi import DESCRIPTION, TAGS, install_openapi
from app.api.problems import install_problem_handlers
from app.api.readiness import DATABASE_SECONDS, Readiness
from app.api.request_log import RequestLog
from app.api.services import Services, installation_secret
from app.api.shelf import SpaceShelf
from app.api.streams import Streams
from app.catalogue import Database
from app.jobs import BackgroundServices, EventFeed, UpkeepThread
from app.settings import Settings, is_loopback, load_settings

# Of cross-origin requests: what a page may send, and what it may read of an answer.
ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "X-Request-ID")
EXPOSED_HEADERS = (
    "Content-Disposition",
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
UPLOADS = ("/v1/datasets", "/v1/benchmarks")  # what may be posted there is larger than any other body
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ROUTERS = (  # routes are tried in this order: what is asked most comes first
    counts.router,
    genotypes.router,
    networks.router,
    memory.router,
    spaces.router,
    members.router,
    comparison.router,
    comparisons.router,
    architectures.router,
    searches.router,
    replays.router,
    provenance.router,
    checklist.router,
    trainings.router,
    transfers.router,
    profiles.router,
    proxies.router,
    latencies.router,
    fairness.router,
    jobs.router,
    summaries.router,
    evaluations.router,
    pareto.router,
    correlations.router,
    patterns.router,
    vocabulary.router,
    reference.router,
    datasets.router,
    benchmarks.router,
    workers.router,
    quota.router,
    keys.router,
    audit.router,
    health.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings they are read from the environment.

    Raises ValueError where the database or the broker is not set: engines belong to whoever starts this process.
    """
    chosen = settings or load_settings()
    if chosen.database_url is None or chosen.redis_url is None:
        raise ValueError("DATABASE_URL and REDIS_URL must be set; `cellar up` starts engines of its own and sets both")
    metrics = CollectorRegistry()
    ProcessCollector(registry=metrics)
    app = FastAPI(
        title="Cellar",
        version=version("cellar"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    database = Database(chosen.database_url)
    watching = Database(chosen.database_url, watch_seconds=DATABASE_SECONDS)
    readiness = Readiness(chosen, database, watching)
    streams = Streams(most=chosen.streams, each=chosen.streams_per_caller)
    ring = KeyRing(database)
    app.state.services = Services(
        settings=chosen,
        database=database,
        feed=EventFeed(database),
        shelf=SpaceShelf(),
        readiness=readiness,
        exposition=Exposition(chosen, metrics, streams, database, watching, readiness),
        secret=installation_secret(chosen.data_root),
        offload=Offload(),
        streams=streams,
        ring=ring,
    )
    for router in ROUTERS:
        # Not `include_router`: routes of a flat list are found in half the time.
        app.router.routes.extend(map(behind_door, router.routes))
    install_documentation(app)
    install_problem_handlers(app)
    install_openapi(app, asks=chosen.asks_for_keys)
    # The last one added is the first that a request meets.
    app.add_middleware(ConditionalGet)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Access, settings=chosen, ring=ring)
    app.add_middleware(Metering, registry=metrics)
    if chosen.cors_origins:
        # Outside of `Access`: a preflight carries no key, and a page must be able to read a 401.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.cors_origins,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=600,
        )
    app.add_middleware(Gate, hosts=accepted_hosts(chosen), uploads=dict.fromkeys(UPLOADS, chosen.max_upload_bytes))
    app.add_middleware(RequestLog)
    return app


def accepted_hosts(settings: Settings) -> tuple[str, ...]:
    """The names of the Host header that are answered; none: any. On a loopback address, its own names only."""
    if settings.host == "localhost" or is_loopback(settings.host):
        return (*LOOPBACK_NAMES, *settings.allowed_hosts)
    return tuple(settings.allowed_hosts)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Publisher, reconciler, upkeep and event feed run for as long as the application does."""
    services: Services = app.state.services
    background = BackgroundServices(services.database, services.settings)
    upkeep = UpkeepThread(services.database, services.settings)
    services.feed.start()
    background.start()
    upkeep.start()
    try:
        yield
    finally:
        upkeep.stop()
        services.offload.close()
        await run_in_threadpool(services.feed.stop)
        await run_in_threadpool(background.stop)
        services.database.dispose()
