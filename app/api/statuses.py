"""Which problems a route can answer: by what it asks for, what it touches, and what it says itself."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.access import UNCOUNTED
from app.api.dependencies import services_of
from app.api.scopes import needed_for

Json = dict[str, Any]
IDEMPOTENCY_HEADER = "idempotency-key"

PROBLEM_TYPES: Mapping[str, tuple[int, str]] = {
    "malformed-request": (400, "the request cannot be read"),
    "unknown-host": (400, "the Host header names somebody else; on a loopback address only"),
    "unauthenticated": (401, "there is no key, or it is not valid; `WWW-Authenticate` says which"),
    "forbidden": (403, "the key lacks a scope, or somebody else owns what it was to change; `detail` says which"),
    "not-found": (404, "nothing has this name, or the caller may not see it; also a path that no route has"),
    "no-result": (404, "the job has no such part in its result, or not yet: `Retry-After` says when to look again"),
    "method-not-allowed": (405, "the path has other methods, which `Allow` lists"),
    "request-timeout": (408, "the request came too slowly; the connection ends, and no route was asked"),
    "space-exists": (409, "the name stands for another space, or for one with another visibility"),
    "key-ended": (409, "the key has expired or was revoked"),
    "dataset-exists": (409, "the name stands for another data set"),
    "not-measured": (409, "the lookup table lacks what is asked about; `detail` says how to measure it"),
    "body-too-large": (413, "the body is longer than the service accepts"),
    "target-too-long": (414, "path and query are too long; the connection ends, and no route was asked"),
    "unsupported-media-type": (415, "`Content-Type` does not say `application/json`, or what else the route takes"),
    "invalid-request": (422, "something is at fault, and `errors` has its place"),
    "invalid-genotype": (422, "the genotype is no member of the space"),
    "invalid-space": (422, "the space is not well formed"),
    "out-of-range": (422, "the index is outside the space"),
    "no-equivalence": (422, "the space does not have this equivalence"),
    "no-valid-genotype": (422, "too few genotypes satisfy the constraints"),
    "no-other": (422, "there is no other genotype to go to"),
    "unreadable-genotype": (422, "the text is not in its format"),
    "no-network": (422, "the genotype has no network on this skeleton and input"),
    "idempotency-conflict": (422, "the idempotency key belongs to another request, to which `Link` leads"),
    "mixed-results": (422, "the evaluations do not compare: they have more than one recipe, data set or split"),
    "queue-full": (429, "as many jobs are queued as the service takes; `Retry-After` says when to ask again"),
    "quota-exceeded": (429, "the owner has used what they may use, which `errors` names; see GET /v1/quota"),
    "rate-limited": (429, "a key or an address asks too often; `Retry-After` says when to ask again"),
    "too-many-streams": (429, "too many event streams are open, the caller's or all; `Retry-After` says when to try"),
    "headers-too-large": (431, "the headers are too many or too long; the connection ends, and no route was asked"),
    "internal-error": (500, "the service failed; the log has it under `request_id`"),
    "unavailable": (503, "the database does not answer; `Retry-After` says when to try again"),
    "not-ready": (503, "the database does not answer, or its tables are not those that this version needs"),
}
"""Every problem: the last part of its `type`, its status, and when it is answered."""

OF_A_ROUTE = frozenset(
    {
        "no-result",
        "key-ended",
        "space-exists",
        "dataset-exists",
        "not-measured",
        "mixed-results",
        "not-ready",
        "too-many-streams",
    }
)
"""Problems that only the routes have which declare them by `declared`; all others follow from what a route asks for."""

OF_A_KEY = ("idempotency-conflict", "queue-full", "quota-exceeded")
"""Problems of whatever takes an idempotency key: it makes a job."""

ABOUT_GENOTYPES = [
    s for s, (status, _) in PROBLEM_TYPES.items() if status == 422 and s not in OF_A_ROUTE and s not in OF_A_KEY
]
"""Whatever can be wrong with a body, a space or a genotype."""

MEANINGS: Mapping[int, str] = {
    304: "`If-None-Match` has the ETag of the answer",
    400: "The request cannot be read",
    401: "A valid key is needed",
    403: "The key does not allow this",
    404: "There is no such resource",
    409: "It is in conflict with what is there",
    413: "The body is too large",
    415: "The body is not JSON, nor what else the route takes",
    422: "The request is not valid; every fault has its place",
    429: "Too many requests",
    503: "The service cannot answer now",
}
STREAMS = ("text/event-stream", "text/csv", "application/vnd.apache.parquet")
"""Media types that are sent as they are made, and have no ETag."""


def declared(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """For `responses` of a route: problems that do not follow from its signature."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        status = PROBLEM_TYPES[slug][0]
        found.setdefault(status, {"x-problem-types": []})["x-problem-types"].append(slug)
    return found


def touching_database(app: FastAPI) -> set[tuple[str, str]]:
    """The (method, path) that may need the database: they are given the services, or a space that may be registered."""
    return {
        (method.lower(), route.path_format)
        for route in app.routes
        if isinstance(route, APIRoute) and ("{space}" in route.path or needs(route.dependant, services_of))
        for method in route.methods or ()
    }


def needs(dependant: Dependant, wanted: object) -> bool:
    """Whether a route is given something, directly or by way of what it is given."""
    return dependant.call is wanted or any(needs(below, wanted) for below in dependant.dependencies)


def problems_of(method: str, path: str, operation: Json, *, database: bool) -> dict[int, list[str]]:
    """The problems of one route, by status."""
    parameters = [parameter["name"] for parameter in operation.get("parameters", ())]
    body, own = "requestBody" in operation, own_problems(operation)
    slugs = ["malformed-request"] if body or parameters else []
    slugs += ["unknown-host", "body-too-large"]  # judged by the headers alone, before there is a route
    if path != UNCOUNTED:
        slugs += ["unauthenticated", "rate-limited"]
    if needed_for(method, path) != "public":
        slugs.append("forbidden")
    if "{" in path or (body and database):
        slugs.append("not-found")
    if IDEMPOTENCY_HEADER in parameters:
        slugs += OF_A_KEY
    if body or parameters:
        about_space = body or "{space}" in path
        slugs += ABOUT_GENOTYPES if about_space else ["invalid-request"]
    if body:
        slugs.append("unsupported-media-type")
    if database:
        slugs.append("unavailable")
    found: dict[int, list[str]] = {}
    for slug in (*slugs, *own):
        found.setdefault(PROBLEM_TYPES[slug][0], []).append(slug)
    return dict(sorted(found.items()))


def own_problems(operation: Json) -> list[str]:
    """What a route declares itself."""
    return [slug for answer in operation["responses"].values() for slug in answer.get("x-problem-types", ())]


def may_be_known(method: str, operation: Json) -> bool:
    """Whether the whole answer has an ETag, so that 304 can take its place."""
    media = operation["responses"].get("200", {}).get("content", {})
    return method == "get" and not any(stream in media for stream in STREAMS)
