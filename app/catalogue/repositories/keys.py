"""Keys: who may come in, as whom, and to do what."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.catalogue.access import keys
from app.catalogue.repositories.clock import now, seconds
from app.catalogue.rows import AccessKey, KeyScope
from app.catalogue.token import Token

USED_SECONDS = 60.0
"""How far `used_at` may lag behind: a key that is used all the time is written once in so many seconds."""


def add(
    session: Session, *, owner: str, scopes: Collection[KeyScope], title: str = "", lasts_seconds: float | None = None
) -> tuple[AccessKey, Token]:
    """A new key and its token, which is known here and now and never again."""
    token = Token.new()
    statement = (
        insert(keys)
        .values(
            id=token.id,
            owner=owner,
            title=title,
            scopes=sorted(set(scopes)),
            sha256=token.sha256,
            expires_at=None if lasts_seconds is None else now() + seconds(lasts_seconds),
        )
        .returning(keys)
    )
    return AccessKey(**session.execute(statement).mappings().one()), token


def get(session: Session, id: str) -> AccessKey | None:
    """The key of this id, also one that opens nothing any more."""
    row = session.execute(select(keys).where(keys.c.id == id)).mappings().one_or_none()
    return None if row is None else AccessKey(**row)


def opened(session: Session, token: Token) -> AccessKey | None:
    """The key that this token opens now: neither revoked nor expired, with its secret or, for a while, its last one."""
    row = session.execute(select(keys, now().label("at")).where(keys.c.id == token.id, _valid())).mappings().first()
    if row is None:
        return None
    at = row["at"]
    key = AccessKey(**{name: value for name, value in row.items() if name != "at"})
    opens = token.opens(key.sha256)
    if key.previous_sha256 is not None and key.previous_until is not None and at < key.previous_until:
        opens = token.opens(key.previous_sha256) or opens
    if not opens:
        return None
    stale = or_(keys.c.used_at.is_(None), keys.c.used_at < now() - seconds(USED_SECONDS))
    session.execute(update(keys).where(keys.c.id == key.id, stale).values(used_at=now()))
    return key


def rotate(session: Session, id: str, *, overlap_seconds: float) -> tuple[AccessKey, Token] | None:
    """A new secret for a valid key. Its last one is good for so long; one from before that is not any more."""
    token = Token.new(id)
    statement = (
        update(keys)
        .where(keys.c.id == id, _valid())
        .values(sha256=token.sha256, previous_sha256=keys.c.sha256, previous_until=now() + seconds(overlap_seconds))
        .returning(keys)
    )
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else (AccessKey(**row), token)


def revoke(session: Session, id: str) -> AccessKey | None:
    """The key, which opens nothing from now on; one that was revoked before stays as it is."""
    values = {"revoked_at": func.coalesce(keys.c.revoked_at, now())}
    row = session.execute(update(keys).where(keys.c.id == id).values(values).returning(keys)).mappings().one_or_none()
    return None if row is None else AccessKey(**row)


def listing(
    session: Session, *, owner: str | None = None, limit: int = 200, after: tuple[datetime, str] | None = None
) -> tuple[AccessKey, ...]:
    """Keys of an owner, or of all, the newest first; `after` is the moment and id of the last of the page before."""
    statement = select(keys).order_by(keys.c.created_at.desc(), keys.c.id.desc()).limit(limit)
    if owner is not None:
        statement = statement.where(keys.c.owner == owner)
    if after is not None:
        statement = statement.where(tuple_(keys.c.created_at, keys.c.id) < tuple_(*after))
    return tuple(AccessKey(**row) for row in session.execute(statement).mappings())


def exist(session: Session) -> bool:
    """Whether any key opens anything."""
    return session.execute(select(keys.c.id).where(_valid()).limit(1)).first() is not None


def _valid() -> ColumnElement[bool]:
    return and_(keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > now()))
