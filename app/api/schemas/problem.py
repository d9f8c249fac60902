"""Problems as they travel (RFC 9457)."""

from typing import Any

from pydantic import Field

from app.api.schemas.model import Output


class FaultView(Output):
    """One thing wrong with a JSON value."""

    pointer: str = Field(description='JSON pointer (RFC 6901) into the value; "" is the whole of it')
    message: str = Field(description="What is wrong, for people")
    value: Any = Field(description="What was found there, shortened if it is long; null where nothing was")
    allowed: list[Any] = Field(description="The values, names or lengths that were allowed, where they can be listed")


class ProblemView(Output):
    """An error, as `application/problem+json`."""

    type: str = Field(description="Which problem, for programs: a stable URN")
    title: str = Field(description="The problem's type in a few words; the same for every occurrence")
    status: int = Field(description="The HTTP status of this answer")
    detail: str = Field(description="This occurrence: the place, the value, what was allowed")
    errors: list[FaultView] = Field(description="Every fault found in the request, each with its place")
    request_id: str = Field(description="Identifies this request in the service's log; also the X-Request-ID header")
