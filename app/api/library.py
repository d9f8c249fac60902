"""Spaces by name: the zoo, and what users registered in the catalogue."""

import re
from collections.abc import Mapping
from typing import Any

from app.api.problems import Problem, not_found, not_owned, unprocessable
from app.api.schemas.space import Origin, VisibilityName
from app.api.services import Services
from app.catalogue import RegisteredSpace, audit, spaces, visibilities
from app.space import Fault, SearchSpace, space_from_json, space_to_json
from app.space.zoo import ZOO

REFERENCE = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})(?:@([1-9][0-9]{0,8}))?")


def parse_reference(reference: str) -> tuple[str, int | None]:
    """Name and version of `name` or `name@version`; what is neither names no space."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise not_found("space", reference, tuple(ZOO))
    name, version = match.groups()
    return name, None if version is None else int(version)


def find_space(services: Services, reference: str) -> SearchSpace:
    """The space of a reference, from at hand or from the catalogue."""
    name, version = parse_reference(reference)
    if found := services.shelf.find(name, version, viewer=services.caller.owner):
        return found
    if name not in ZOO:
        with services.database.transaction() as session:
            row = spaces.find(session, name, version, viewer=services.caller.owner)
        if row is not None:
            return at_hand(services, row)
    raise not_found("space", reference, tuple(ZOO))


def at_hand(services: Services, row: RegisteredSpace) -> SearchSpace:
    """The space of a row that the caller may see."""
    found = services.shelf.find(row.name, row.version, viewer=services.caller.owner)
    return found or services.shelf.put(from_row(row), viewer=services.caller.owner)


def standing(services: Services, space: SearchSpace) -> tuple[Origin, VisibilityName]:
    """Where a space comes from, and who may see it."""
    if space.name in ZOO:
        return "zoo", "public"
    with services.database.transaction() as session:
        row = spaces.find(session, space.name, space.version, viewer=services.caller.owner)
    if row is None:
        raise not_found("space", f"{space.name}@{space.version}", tuple(ZOO))
    return "registered", row.visibility


def from_row(row: RegisteredSpace) -> SearchSpace:
    """A registered space as it was registered; what was accepted then is read again without its caller's pointers."""
    return space_from_json(dict(row.document) | {"version": row.version})


def registered(services: Services, document: Mapping[str, Any]) -> tuple[SearchSpace, bool]:
    """The space of a document, and whether it is new. The same grammar under the same name is the same version.

    Beside the space itself a document may say its `visibility`; it is private by default. Raises a Problem where the
    name is the zoo's, or where the grammar is registered with another title, other skeletons, another input or another
    visibility already: what is registered never changes.
    """
    visibility = visibility_of(document)
    posted = space_from_json({name: value for name, value in document.items() if name != "visibility"})
    if posted.name in ZOO:
        raise taken("/name", posted.name, f"{posted.name!r} is a space of the zoo; choose another name")
    written = space_to_json(posted)
    with services.database.transaction() as session:
        row, created = spaces.register(
            session,
            owner=services.caller.owner,
            name=posted.name,
            digest=posted.digest,
            title=posted.title,
            document=written,
            visibility=visibility or "private",
        )
        if created:
            subject = f"/v1/spaces/{row.name}@{row.version}"
            audit.record(session, action="space.register", subject=subject, **services.caller.actor)
    if visibility not in (None, row.visibility):
        message = f"{row.name}@{row.version} is {row.visibility}; what is registered never changes"
        raise taken("/visibility", visibility, message)
    kept = at_hand(services, row)
    differing = [key for key, value in space_to_json(kept).items() if key != "version" and value != written[key]]
    if differing:
        message = f"{kept.name}@{kept.version} has this grammar and another {differing[0]}; choose another name"
        raise taken(f"/{differing[0]}", written[differing[0]], message)
    return kept, created


def published(services: Services, space: SearchSpace) -> None:
    """Show a registered space to everyone. Raises a Problem where it is the zoo's, or somebody else's."""
    if space.name in ZOO:
        raise not_owned("space", space.name)
    with services.database.transaction() as session:
        row = spaces.find(session, space.name, space.version, viewer=services.caller.owner)
        if row is None:
            raise not_found("space", f"{space.name}@{space.version}", tuple(ZOO))
        if row.owner != services.caller.owner:
            raise not_owned("space", space.name)
        visibilities.publish_space(session, row.id)
        subject = f"/v1/spaces/{row.name}@{row.version}"
        audit.record(session, action="space.publish", subject=subject, **services.caller.actor)


def visibility_of(document: Mapping[str, Any]) -> VisibilityName | None:
    """The visibility that a document asks for; None where it says nothing."""
    match document.get("visibility"):
        case None if "visibility" not in document:
            return None
        case "private":
            return "private"
        case "public":
            return "public"
        case other:
            raise unprocessable("/visibility", "expected private or public", other, ("private", "public"))


def taken(pointer: str, value: object, message: str) -> Problem:
    """409: a name stands for something else already."""
    fault = Fault(pointer, message, value)
    return Problem(409, "space-exists", "There is another space of this name", message, (fault,))


def page_of_spaces(services: Services, after: str, limit: int) -> list[tuple[SearchSpace | RegisteredSpace, Origin]]:
    """The latest version of each space whose name comes after `after`, by name."""
    with services.database.transaction() as session:
        rows = spaces.latest(session, viewer=services.caller.owner, after=after, limit=limit)
    found: list[tuple[SearchSpace | RegisteredSpace, Origin]] = [(row, "registered") for row in rows]
    for space in ZOO.values():
        if space.name > after:
            found.append((space, "zoo"))
    return sorted(found, key=lambda entry: entry[0].name)[:limit]
