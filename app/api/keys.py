"""Keys over HTTP: for whoever may make them, and for each caller their own."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.problems import Problem, not_found
from app.api.schemas.key import OWNER, CallerView, KeyBody, KeyPage, KeyView, NewKeyView, RotationBody
from app.api.services import Services
from app.api.statuses import declared
from app.catalogue import KEY_ID, AccessKey, Token, audit, keys

router = APIRouter(prefix="/v1/keys", tags=["access"])

HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
SECRET_HEADERS = {"Cache-Control": "no-store"}  # an answer that holds a secret is kept by nobody on its way


def key_at(
    services: ServicesHere,
    key_id: Annotated[str, Path(max_length=64, description="Id of the key", examples=["0123456789ab"])],
) -> AccessKey:
    """The key in the path."""
    with services.database.transaction() as session:
        key = keys.get(session, key_id) if KEY_ID.fullmatch(key_id) else None
    if key is None:
        raise not_found("key", key_id)
    return key


KeyHere = Annotated[AccessKey, Depends(key_at)]


@router.get("/me")
def get_own_key(services: ServicesHere) -> CallerView:
    """Who the service takes the caller for, and what they may do."""
    caller, key = services.caller, None
    if caller.key_id is not None:
        with services.database.transaction() as session:
            key = keys.get(session, caller.key_id)
    return CallerView(owner=caller.owner, scopes=sorted(caller.scopes), key=None if key is None else key_view(key))


@router.get("")
def list_keys(
    services: ServicesHere,
    owner: Annotated[str | None, Query(pattern=OWNER, description="Only keys of this owner")] = None,
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> KeyPage:
    """Keys of everybody, the newest first; also those that open nothing any more."""
    scope, after = f"keys {owner}", None
    if cursor is not None:
        position = read_cursor(services.secret, scope, cursor)
        after = datetime.fromisoformat(position["at"]), position["id"]
    with services.database.transaction() as session:
        found = keys.listing(session, owner=owner, limit=limit + 1, after=after)
    last = found[limit - 1] if len(found) > limit else None
    place = None if last is None else {"at": last.created_at.isoformat(), "id": last.id}
    return KeyPage(
        items=[key_view(key) for key in found[:limit]],
        next=None if place is None else write_cursor(services.secret, scope, place),
    )


@router.post("", status_code=201)
def add_key(services: ServicesHere, body: KeyBody, response: Response) -> NewKeyView:
    """Make a key. The answer has its secret, which nobody can show again."""
    lasts = None if body.days is None else body.days * DAY_SECONDS
    with services.database.transaction() as session:
        key, token = keys.add(session, owner=body.owner, scopes=body.scopes, title=body.title, lasts_seconds=lasts)
        subject, scopes = f"/v1/keys/{key.id}", " ".join(key.scopes)
        audit.record(session, action="key.add", subject=subject, **services.caller.actor, of=key.owner, scopes=scopes)
    response.headers.update(SECRET_HEADERS | {"Location": f"/v1/keys/{key.id}"})
    return new_key_view(key, token)


@router.get("/{key_id}")
def get_key(key: KeyHere) -> KeyView:
    """A key, without its secret."""
    return key_view(key)


@router.post("/{key_id}/rotate", responses=declared("key-ended"))
def rotate_key(services: ServicesHere, key: KeyHere, body: RotationBody, response: Response) -> NewKeyView:
    """Give a key a new secret. Its last one stays good for a while, so that whoever uses it can change over."""
    overlap = body.overlap_hours * HOUR_SECONDS
    with services.database.transaction() as session:
        rotated = keys.rotate(session, key.id, overlap_seconds=overlap)
        if rotated is not None:
            subject = f"/v1/keys/{key.id}"
            audit.record(session, action="key.rotate", subject=subject, **services.caller.actor, overlap_s=overlap)
    if rotated is None:
        detail = f"the key {key.id} is {state_of(key)}: make another"
        raise Problem(409, "key-ended", "The key is not valid any more", detail)
    response.headers.update(SECRET_HEADERS)
    return new_key_view(*rotated)


@router.post("/{key_id}/revoke")
async def revoke_key(services: ServicesHere, key: KeyHere) -> KeyView:
    """Revoke a key: at once in this process, within 10 s in every other. It stays in the list."""
    revoked = await run_in_threadpool(ended, services, key)
    services.ring.forget(key.id)  # on the event loop, as everything of the ring
    return key_view(revoked)


def ended(services: Services, key: AccessKey) -> AccessKey:
    """The key, revoked."""
    with services.database.transaction() as session:
        revoked = keys.revoke(session, key.id)
        assert revoked is not None, "keys are never deleted"
        audit.record(session, action="key.revoke", subject=f"/v1/keys/{key.id}", **services.caller.actor)
    return revoked


def state_of(key: AccessKey) -> str:
    """Whether a key opens anything; by this machine's clock, for people. The database's decides."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "valid"


def key_view(key: AccessKey) -> KeyView:
    """A key as it travels."""
    return KeyView.model_validate(shown(key))


def new_key_view(key: AccessKey, token: Token) -> NewKeyView:
    """A key and its secret, this once."""
    return NewKeyView.model_validate(shown(key) | {"key": str(token)})


def shown(key: AccessKey) -> dict[str, object]:
    """What is shown of a key: no trace of its secret."""
    return {
        "id": key.id,
        "owner": key.owner,
        "scopes": key.scopes,
        "title": key.title,
        "state": state_of(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "used_at": key.used_at,
        "overlap_until": key.previous_until,
    }
