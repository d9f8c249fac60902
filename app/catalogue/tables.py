"""The tables of the catalogue. Private to this package: what leaves it are the frozen values of `rows`.

Documents are `JSON`, never `JSONB`: a genotype keeps the order of its fields. What must hold is a constraint.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    FetchedValue,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class ExactInteger(TypeDecorator[int]):
    """An integer of any size, held as NUMERIC: ranks of large spaces pass 64 bits."""

    impl = Numeric
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Python integer to exact decimal."""
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Exact decimal to Python integer."""
        return None if value is None else int(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _moment(name: str, *, nullable: bool = False, now: bool = False) -> Column[Any]:
    """A point in time on the database's clock."""
    return Column(
        name, DateTime(timezone=True), nullable=nullable, server_default=func.clock_timestamp() if now else None
    )


def _document(name: str, *, nullable: bool = False) -> Column[Any]:
    """JSON text in the order it was written; a missing document is SQL NULL."""
    return Column(name, JSON(none_as_null=True), nullable=nullable)


VISIBILITIES = "visibility IN ('private', 'public')"

spaces = Table(
    "spaces",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("title", Text, nullable=False),
    _document("document"),
    _moment("created_at", now=True),
    UniqueConstraint("owner", "name", "version"),
    UniqueConstraint("owner", "name", "digest"),
    CheckConstraint(VISIBILITIES, name="visibility"),
    CheckConstraint("version >= 1", name="version"),
)

architectures = Table(
    "architectures",
    metadata,
    Column("id", Text, primary_key=True),
    Column("space_name", Text, nullable=False),
    Column("space_version", Integer, nullable=False),
    Column("space_digest", Text, nullable=False),
    Column("index", ExactInteger, nullable=False),
    _document("genotype"),
    _document("skeleton"),
    _document("input"),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    _moment("created_at", now=True),
    CheckConstraint("id ~ '^[0-9a-f]{32}$'", name="id"),
    CheckConstraint("index >= 0", name="index"),
    CheckConstraint("params >= 0 AND macs >= 0", name="cost"),
    Index(None, "space_digest", "index"),
    *(Index(None, "space_digest", sort, "id") for sort in ("created_at", "params", "macs")),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("parent_id", Uuid, ForeignKey("jobs.id"), nullable=True),
    Column("name", Text, nullable=True),
    Column("kind", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    _document("request"),
    _document("result", nullable=True),
    _document("error", nullable=True),
    _document("progress", nullable=True),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _moment("lease_until", nullable=True),
    Column("worker_id", Uuid, nullable=True),
    Column("cancel_requested", Boolean, nullable=False, server_default=false()),
    Column("stranded", Boolean, nullable=False, server_default=false()),
    Column("on_gpu", Boolean, nullable=False, server_default=false()),
    Column("gpu_seconds", Float, nullable=False, server_default=text("0")),
    _moment("submitted_at", now=True),
    _moment("queued_at", now=True),
    _moment("claimed_at", nullable=True),
    _moment("started_at", nullable=True),
    _moment("finished_at", nullable=True),
    Column("request_id", Text, nullable=True),
    CheckConstraint("state IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')", name="state"),
    CheckConstraint("queue IN ('gpu', 'cpu')", name="queue"),
    CheckConstraint("device IN ('auto', 'cpu', 'cuda')", name="device"),
    CheckConstraint(VISIBILITIES, name="visibility"),
    CheckConstraint("attempt >= 0 AND fence >= attempt", name="attempt"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
    CheckConstraint("name IS NULL OR (parent_id IS NOT NULL AND name ~ '^[a-z0-9][a-z0-9._-]{0,63}$')", name="name"),
    # A parent that runs again meets the children that it has.
    UniqueConstraint("parent_id", "name"),
    # In the order in which the jobs of an owner are claimed.
    Index(
        "ix_jobs_queued",
        *("owner", text("priority DESC"), "submitted_at", "id"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index("ix_jobs_submissions", "owner", postgresql_where=text("state = 'queued' AND parent_id IS NULL")),
    Index("ix_jobs_waiting", "id", postgresql_where=text("state = 'waiting'")),
    Index("ix_jobs_counted", "state", "queue", "kind", "attempt"),
    Index("ix_jobs_running", "owner", "lease_until", postgresql_where=text("state = 'running'")),
    Index(None, "owner", "claimed_at"),
    Index(None, "submitted_at", "id"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    _document("data"),
    _moment("created_at", now=True),
    CheckConstraint("kind IN ('state', 'progress', 'note', 'checkpoint')", name="kind"),
    Index(None, "job_id", "id"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("phase", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    _document("values"),
    _moment("created_at", now=True),
    PrimaryKeyConstraint("job_id", "phase", "epoch"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    _moment("created_at", now=True),
)

artefacts = Table(
    "artefacts",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    _moment("created_at", now=True),
    PrimaryKeyConstraint("job_id", "name"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'", name="name"),
    Index(None, "sha256"),
)

# Evaluations that compare and that the same callers see. A trigger gives every evaluation its own; see 0009.
cohorts = Table(
    "cohorts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("space_name", Text, nullable=False),
    Column("space_version", Integer, nullable=False),
    Column("space_digest", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("recipe_name", Text, nullable=False),
    Column("recipe_digest", Text, nullable=False),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("architecture_id", Text, ForeignKey("architectures.id"), nullable=False),
    Column("job_id", Uuid, ForeignKey("jobs.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("recipe_name", Text, nullable=False),
    Column("recipe_digest", Text, nullable=False),
    _document("recipe"),
    Column("seed", BigInteger, nullable=False),
    _document("metrics"),
    Column("accuracy", Float, nullable=True),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("device", Text, nullable=False),
    Column("torch_version", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("weights", Text, nullable=True),
    _document("provenance"),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    _moment("created_at", now=True),
    Column("cohort_id", Uuid, ForeignKey("cohorts.id"), nullable=False, server_default=FetchedValue()),
    # A result is recorded exactly once, whatever else goes wrong.
    UniqueConstraint(
        "job_id", "kind", "split", "architecture_id", "dataset", "recipe_digest", name="uq_evaluations_result"
    ),
    ForeignKeyConstraint(["job_id", "weights"], ["artefacts.job_id", "artefacts.name"]),
    CheckConstraint("kind IN ('inherited', 'trained', 'baseline')", name="kind"),
    CheckConstraint("split IN ('weights', 'architecture', 'selection', 'test')", name="split"),
    CheckConstraint(VISIBILITIES, name="visibility"),
    Index(None, "architecture_id", "recipe_digest", "dataset", "seed"),
    Index(None, "cohort_id", "accuracy", "id", postgresql_include=["params", "macs"]),
    Index(None, "cohort_id", "params", "id", postgresql_include=["macs", "accuracy", "created_at"]),
    Index(None, "cohort_id", "macs", "id", postgresql_include=["params", "accuracy", "created_at"]),
    Index(None, "cohort_id", "created_at", "id", postgresql_include=["params", "macs"]),
    *(
        Index(
            f"ix_evaluations_cohort_id_{size}_class",
            "cohort_id",
            text(f"size_class({size})"),
            "accuracy",
            "id",
            postgresql_include=["params", "macs"],
        )
        for size in ("params", "macs")
    ),
)

# Exact numbers of classes. An equivalence may look at skeletons and image, so they are part of what was counted.
counts = Table(
    "counts",
    metadata,
    Column("digest", Text, nullable=False),
    Column("surroundings", Text, nullable=False),
    Column("equivalence", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("exact", ExactInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("job_id", Uuid, ForeignKey("jobs.id"), nullable=False),
    _moment("created_at", now=True),
    PrimaryKeyConstraint("digest", "surroundings", "equivalence", "version"),
    CheckConstraint("exact >= 0", name="exact"),
)

# Measured latencies and memories: one row a measurement, times in milliseconds of one pass over a batch.
profiles = Table(
    "profiles",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, ForeignKey("jobs.id"), nullable=False),
    Column("target", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("operation", Text, nullable=True),
    Column("architecture_id", Text, ForeignKey("architectures.id"), nullable=True),
    _document("description"),
    _document("entries"),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("precision", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("device_type", Text, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("torch_version", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("median_ms", Float, nullable=False),
    Column("q1_ms", Float, nullable=False),
    Column("q3_ms", Float, nullable=False),
    Column("minimum_ms", Float, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=True),
    Column("memory_method", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    _moment("created_at", now=True),
    UniqueConstraint("job_id", "target", "key"),
    CheckConstraint("target IN ('operation', 'architecture', 'entry')", name="target"),
    CheckConstraint("(target = 'architecture') = (architecture_id IS NOT NULL)", name="architecture"),
    CheckConstraint("direction IN ('forward', 'forward+backward')", name="direction"),
    CheckConstraint("device_type IN ('cpu', 'cuda')", name="device_type"),
    CheckConstraint("n >= 1 AND runs >= 1 AND threads >= 1 AND batch_size >= 1", name="counts"),
    CheckConstraint("0 < minimum_ms AND minimum_ms <= q1_ms AND q1_ms <= median_ms AND median_ms <= q3_ms", name="ms"),
    CheckConstraint(VISIBILITIES, name="visibility"),
    Index(None, "device", "target", "key"),
    Index(None, "created_at", "id"),
)

# One row a queued job that no hint was published for yet. Claiming a job removes its row.
outbox = Table(
    "outbox",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    _moment("created_at", now=True),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", ARRAY(Text), nullable=False),
    Column("devices", ARRAY(Text), nullable=False),
    Column("gpu", Text, nullable=True),
    Column("state", Text, nullable=False),
    _moment("started_at", now=True),
    _moment("last_seen", now=True),
    Column("gpu_utilisation", Float, nullable=True),
    Column("gpu_memory_used", BigInteger, nullable=True),
    Column("gpu_memory_total", BigInteger, nullable=True),
    Column("device_name", Text, nullable=True),
    Column("memory_total", BigInteger, nullable=True),
    Column("memory_available", BigInteger, nullable=True),
    CheckConstraint("state IN ('idle', 'busy', 'draining', 'gone')", name="state"),
    Index(None, "last_seen"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # Checked at commit: the key is taken first, so that of two equal requests only one makes a job.
    Column("job_id", Uuid, ForeignKey("jobs.id", deferrable=True, initially="DEFERRED"), nullable=False),
    _moment("created_at", now=True),
    PrimaryKeyConstraint("owner", "key"),
)
