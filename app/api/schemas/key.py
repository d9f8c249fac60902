"""Keys and the audit log as they travel."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.model import FREE_TEXT, Input, Output

ScopeName = Literal["read", "submit", "write", "metrics", "admin"]
OWNER = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_DAYS = 3650
MAX_OVERLAP_HOURS = 24 * 30


class KeyBody(Input):
    """A key to make."""

    owner: str = Field(pattern=OWNER, description="Whom everything belongs to that is made with it")
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=5)] = Field(
        description="What it allows; none implies another"
    )
    title: str = Field(default="", max_length=200, pattern=FREE_TEXT, description="What it is for")
    days: float | None = Field(
        default=None, gt=0, le=MAX_DAYS, description="How many days it lasts; for ever where null", strict=False
    )


class RotationBody(Input):
    """A key to give a new secret."""

    overlap_hours: float = Field(
        default=24.0, ge=0, le=MAX_OVERLAP_HOURS, description="How many hours the last secret stays good", strict=False
    )


class VisibilityBody(Input):
    """Who may see it."""

    visibility: Literal["private", "public"] = Field(description="Its owner alone, or everyone")


class PublicationBody(Input):
    """Who may see it from now on."""

    visibility: Literal["public"] = Field(description="Everyone; there is no way back")


class KeyView(Output):
    """A key, without its secret."""

    id: str = Field(description="12 hexadecimal digits: the second part of the key as it is written")
    owner: str = Field(description="Whom everything belongs to that is made with it")
    scopes: list[ScopeName] = Field(description="What it allows")
    title: str = Field(description="What it is for")
    state: Literal["valid", "expired", "revoked"] = Field(description="Whether it opens anything")
    created_at: datetime = Field(description="When it was made")
    expires_at: datetime | None = Field(description="When it ends; null: never")
    revoked_at: datetime | None = Field(description="When it was revoked; null: it was not")
    used_at: datetime | None = Field(description="When it was used last, within a minute; null: never")
    overlap_until: datetime | None = Field(description="Until when the secret before is good too; null: there is none")


class NewKeyView(KeyView):
    """A key that was just made, with its secret."""

    key: str = Field(description="`cellar_<id>_<secret>`, to be kept: nobody can show it again")


class KeyPage(Output):
    """Keys, the newest first."""

    items: list[KeyView] = Field(description="The keys of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class CallerView(Output):
    """Who the service takes the caller for."""

    owner: str = Field(description="Whom everything belongs to that the caller makes")
    scopes: list[ScopeName] = Field(description="What the caller may do")
    key: KeyView | None = Field(description="The key that was shown; null where the service asks for none")


class AuditEntryView(Output):
    """One thing that somebody did, or was refused."""

    id: int = Field(description="Number of the entry; later ones have larger numbers")
    at: datetime = Field(description="When")
    owner: str | None = Field(description="On whose behalf; null where nobody is known")
    key_id: str | None = Field(description="The key that was shown; null: none, or the command line")
    address: str | None = Field(description="Of the client; null: the command line")
    request_id: str | None = Field(description="`X-Request-ID` of the request; null: the command line")
    action: str = Field(description="What, e.g. `job.submit`")
    outcome: Literal["done", "refused"] = Field(description="Whether it was done")
    subject: str | None = Field(description="To what: a path; null where there is none")
    details: dict[str, Any] = Field(description="What else is to be known of it")


class AuditPage(Output):
    """Entries, the newest first."""

    items: list[AuditEntryView] = Field(description="The entries of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")
