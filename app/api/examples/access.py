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
        path="/v1/keys/{key_id}/rotate",
        name="two hours",
        summary="A new secret; the last one stays good for two hours",
        status=404,
        parameters={"key_id": "0123456789ab"},
        body={"overlap_hours": 2},
    )
