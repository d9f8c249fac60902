"""The tables of what owners may use and have used. Private to this package, as `tables` is."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)
from sqlalchemy import func as sql

from app.catalogue.tables import metadata

# What an owner may use, where it is not what everybody may; a null is.
quotas = Table(
    "quotas",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("queued_jobs", Integer, nullable=True),
    Column("gpu_hours", Float, nullable=True),
    Column("storage_bytes", BigInteger, nullable=True),
    Column("priority", Integer, nullable=True),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=sql.clock_timestamp()),
    CheckConstraint("queued_jobs >= 0 AND gpu_hours >= 0 AND storage_bytes >= 0 AND priority >= 0", name="limits"),
)

# One row a lease that had a GPU, from when it has ended.
gpu_leases = Table(
    "gpu_leases",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("fence", BigInteger, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=sql.clock_timestamp()),
    CheckConstraint("seconds >= 0", name="seconds"),
    Index(None, "owner", "ended_at", postgresql_include=["seconds"]),
)
