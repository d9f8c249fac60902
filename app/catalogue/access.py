"""The tables of who may come in, and of what was done. Private to this package, as `tables` is."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY

from app.catalogue.tables import metadata


def _moment(name: str, *, nullable: bool = True) -> Column[Any]:
    """A point in time on the database's clock; now, unless it may be missing."""
    default = None if nullable else func.clock_timestamp()
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


# The SHA-256 of each secret, never the secret. For a while after a rotation the one before opens too.
keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("sha256", Text, nullable=False),
    Column("previous_sha256", Text, nullable=True),
    _moment("previous_until"),
    _moment("created_at", nullable=False),
    _moment("expires_at"),
    _moment("revoked_at"),
    _moment("used_at"),
    CheckConstraint("id ~ '^[0-9a-f]{12}$'", name="id"),
    CheckConstraint("owner ~ '^[a-z0-9][a-z0-9._-]{0,63}$'", name="owner"),
    CheckConstraint(
        "scopes <@ ARRAY['read', 'submit', 'write', 'metrics', 'admin'] AND cardinality(scopes) >= 1", name="scopes"
    ),
    CheckConstraint("(previous_sha256 IS NULL) = (previous_until IS NULL)", name="previous"),
    Index(None, "created_at", "id"),
)

# Who did what when: only ever added to.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _moment("at", nullable=False),
    Column("owner", Text, nullable=True),
    Column("key_id", Text, nullable=True),
    Column("address", Text, nullable=True),
    Column("request_id", Text, nullable=True),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("subject", Text, nullable=True),
    Column("details", JSON(none_as_null=True), nullable=False),
    CheckConstraint("outcome IN ('done', 'refused')", name="outcome"),
    Index(None, "owner", "id"),
    Index(None, "action", "id"),
)
