"""PostgreSQL: tables, repositories, transaction.

    database = Database(url)
    with database.transaction() as session:         # the only commit there is
        job = jobs.get(session, id, viewer=owner)   # a repository is a module of functions on a session

Repositories: `architectures artefacts counts evaluations events jobs leases metrics outbox profiles spaces
workers`. They return the frozen values of `rows`. Documents come back in the order in which they were written.
"""

from app.catalogue.database import Database
from app.catalogue.errors import CatalogueError, InvalidCursor, MigrationBusy
from app.catalogue.migration import migrate
from app.catalogue.repositories import (
    architectures,
    artefacts,
    counts,
    evaluations,
    events,
    jobs,
    leases,
    metrics,
    outbox,
    profiles,
    spaces,
    workers,
)
from app.catalogue.repositories.evaluations import EvaluationQuery, RecipeCount
from app.catalogue.repositories.jobs import JobQuery
from app.catalogue.repositories.profiles import LookupTable, ProfileQuery
from app.catalogue.rows import (
    Architecture,
    Artefact,
    Checkpoint,
    Count,
    Evaluation,
    Job,
    JobEvent,
    Metric,
    Profile,
    RegisteredSpace,
    Visibility,
    Worker,
)

__all__ = [
    "Architecture",
    "Artefact",
    "CatalogueError",
    "Checkpoint",
    "Count",
    "Database",
    "Evaluation",
    "EvaluationQuery",
    "InvalidCursor",
    "Job",
    "JobEvent",
    "JobQuery",
    "LookupTable",
    "Metric",
    "MigrationBusy",
    "Profile",
    "ProfileQuery",
    "RecipeCount",
    "RegisteredSpace",
    "Visibility",
    "Worker",
    "architectures",
    "artefacts",
    "counts",
    "evaluations",
    "events",
    "jobs",
    "leases",
    "metrics",
    "migrate",
    "outbox",
    "profiles",
    "spaces",
    "workers",
]
