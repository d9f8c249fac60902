"""The table of registered data sets. Private to this package, as `tables` is."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

from app.catalogue.tables import VISIBILITIES, metadata

# Immutable: what a name of an owner stands for never changes. Two with one digest share one file.
datasets = Table(
    "datasets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("description", JSON(none_as_null=True), nullable=False),
    Column("request", JSON(none_as_null=True), nullable=False),
    Column("job_id", Uuid, ForeignKey("jobs.id"), nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("owner", "name"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'", name="name"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),
    CheckConstraint("bytes > 0", name="bytes"),
    CheckConstraint(VISIBILITIES, name="visibility"),
    Index(None, "name", "digest"),
    Index(None, "digest"),
)
