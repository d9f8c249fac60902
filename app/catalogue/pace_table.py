"""The table of what phases of training took: one row a phase of a job, timed by the attempt that finished it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
)

from app.catalogue.tables import metadata

paces = Table(
    "paces",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("phase", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("strategy", Text, nullable=True),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("extent", BigInteger, nullable=True),  # bytes, see app.experiment.pace
    Column("batch_size", Integer, nullable=False),
    Column("precision", Text, nullable=False),
    Column("recompute", Boolean, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=True),
    Column("device", Text, nullable=False),
    Column("device_type", Text, nullable=False),
    Column("torch_version", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("job_id", "phase"),
    CheckConstraint("subject IN ('network', 'supernet')", name="subject"),
    CheckConstraint("device_type IN ('cpu', 'cuda')", name="device_type"),
    CheckConstraint("steps >= 1 AND batch_size >= 1 AND seconds > 0", name="counts"),
    Index(None, "device", "created_at"),
)
