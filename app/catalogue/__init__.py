"""PostgreSQL: tables, repositories, transaction.

    database = Database(url)
    with database.transaction() as session:         # the only commit there is
        job = jobs.get(session, id, viewer=owner)   # a repository is a module of functions on a session

Repositories: `architectures artefacts audit counts datasets evaluations events history jobs keys leases metrics outbox
paces profiles quotas results spaces visibilities workers`. They return the frozen values of `rows`. Documents come back
in the order in which they were written.
"""

from app.catalogue.database import Database
from app.catalogue.errors import CatalogueError, InvalidCursor, MigrationBusy, NameTaken, NewerTables, TableRefused
from app.catalogue.migration import migrate
from app.catalogue.repositories import (
    architectures,
    artefacts,
    audit,
    benchmarks,
    counts,
    datasets,
    evaluations,
    events,
    history,
    jobs,
    keys,
    leases,
    metrics,
    outbox,
    paces,
    profiles,
    quotas,
    results,
    spaces,
    visibilities,
    workers,
)
from app.catalogue.repositories.datasets import RegisteredDataset
from app.catalogue.repositories.evaluation_query import EvaluationQuery
from app.catalogue.repositories.jobs import JobQuery
from app.catalogue.repositories.profiles import LookupTable, ProfileQuery
from app.catalogue.repositories.quotas import Quota
from app.catalogue.rows import (
    AccessKey,
    Architecture,
    Artefact,
    AuditEntry,
    Checkpoint,
    Count,
    Evaluation,
    Job,
    JobEvent,
    KeyScope,
    Metric,
    Outcome,
    Profile,
    RegisteredSpace,
    Visibility,
    Worker,
)
from app.catalogue.token import KEY_ID, Token

__all__ = [
    "KEY_ID",
    "AccessKey",
    "Architecture",
    "Artefact",
    "AuditEntry",
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
    "KeyScope",
    "LookupTable",
    "Metric",
    "MigrationBusy",
    "NameTaken",
    "NewerTables",
    "Outcome",
    "Profile",
    "ProfileQuery",
    "Quota",
    "RegisteredDataset",
    "RegisteredSpace",
    "TableRefused",
    "Token",
    "Visibility",
    "Worker",
    "architectures",
    "artefacts",
    "audit",
    "benchmarks",
    "counts",
    "datasets",
    "evaluations",
    "events",
    "history",
    "jobs",
    "keys",
    "leases",
    "metrics",
    "migrate",
    "outbox",
    "paces",
    "profiles",
    "quotas",
    "results",
    "spaces",
    "visibilities",
    "workers",
]
