"""What will be gone: said in every answer of it, half a year before, and where to go instead.

Deprecation   RFC 9745: since when it is deprecated, as @ and seconds of the epoch
Sunset        RFC 8594: when it may be gone, as an HTTP date
Link          rel="successor-version" (RFC 5829): where to go instead; rel="deprecation": the description
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from fastapi import Depends, Request

NOTICE = timedelta(days=183)
"""At least so long a deprecated route or field goes on as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """A route or a field that will be gone. Raises ValueError where that is sooner than the policy allows."""

    since: date
    sunset: date
    successor: str  # a path of this service

    def __post_init__(self) -> None:
        if self.sunset - self.since < NOTICE:
            raise ValueError(f"{self.sunset} is less than {NOTICE.days} days after {self.since}")

    def headers(self) -> dict[str, str]:
        """What the answers say."""
        since, sunset = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (self.since, self.sunset))
        return {
            "Deprecation": f"@{int(since.timestamp())}",
            "Sunset": format_datetime(sunset, usegmt=True),
            "Link": f'<{self.successor}>; rel="successor-version", </docs>; rel="deprecation"',
        }


def announce(request: Request, deprecation: Deprecation) -> None:
    """Say in the answer to this request, whatever it will be, that something in it is deprecated."""
    request.scope["state"]["announced"] = deprecation.headers()


def deprecated(deprecation: Deprecation) -> dict[str, Any]:
    """Arguments of a deprecated route: ``@router.get("/v1/old", **deprecated(Deprecation(...)))``."""

    async def announced(request: Request) -> None:
        announce(request, deprecation)

    return {"deprecated": True, "dependencies": [Depends(announced)]}
