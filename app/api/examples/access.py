"""Examples of keys. What they make is shown by the request alone."""

from collections.abc import Iterator

from app.api.examples.example import Example


def about_access() -> Iterator[Example]:
    """Making a key, and giving one a new secret."""
    yield Example(
        method="post",
        path="/v1/keys",
        name="pipeline",
        summary="A key that starts jobs for the vision team, for 90 days",
        status=201,
        body={"owner": "vision", "scopes": ["read", "submit"], "title": "nightly searches", "days": 90},
    )
    yield Example(
        method="post",
        path="/v1/jobs/{job_id}/visibility",
        name="public",
        summary="Show a job, and what it has measured, to everyone; there is none of this id",
        status=404,
        parameters={"job_id": "00000000-0000-0000-0000-000000000000"},
        body={"visibility": "public"},
    )
    yield Example(
        method="post",
        path="/v1/spaces/{space}/visibility",
        name="publish",
        summary="A space of the zoo is nobody's to change",
        status=403,
        parameters={"space": "darts"},
        body={"visibility": "public"},
    )
    yield Example(
        method="post",
        path="/v1/keys/{key_id}/rotate",
        name="two hours",
        summary="A new secret; the last one stays good for two hours",
        status=404,
        parameters={"key_id": "0123456789ab"},
        body={"overlap_hours": 2},
    )
