"""Page cursors: where the next page starts, signed, so that a client can only give back what it was given."""

import base64
import hashlib
import hmac
import json
from typing import Any

from app.api.problems import unprocessable

SIGNATURE_BYTES = 16


def write_cursor(secret: bytes, scope: str, position: dict[str, Any]) -> str:
    """A cursor into one listing; `scope` names the listing and its filters, which must be the same on the next page."""
    payload = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(signature(secret, scope, payload) + payload).rstrip(b"=").decode()


def read_cursor(secret: bytes, scope: str, cursor: str) -> dict[str, Any]:
    """The position in a cursor of the same listing; anything else is a 422."""
    try:
        # Python's decoder takes the characters of the other alphabet too.
        raw = (
            b""
            if "+" in cursor or "/" in cursor
            else base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
    except ValueError:
        raw = b""
    signed, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signed, signature(secret, scope, payload)):
        raise unprocessable("/cursor", "query parameter: not a cursor of this listing with these filters", cursor)
    return json.loads(payload)


def signature(secret: bytes, scope: str, payload: bytes) -> bytes:
    """HMAC-SHA-256 over listing and position, shortened to 128 bits."""
    return hmac.digest(secret, scope.encode() + b"\0" + payload, hashlib.sha256)[:SIGNATURE_BYTES]
