"""What a key looks like: `cellar_<id>_<secret>`. The catalogue keeps the SHA-256 of the secret and never the secret."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Self

KEY_ID = re.compile(r"[0-9a-f]{12}")
WRITTEN = re.compile(rf"cellar_({KEY_ID.pattern})_([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Token:
    """A key as its holder has it. The secret has 256 random bits, so that a fast hash of it will do."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, id: str | None = None) -> Self:
        """A token that nobody had before; of a key that exists where its id is given."""
        return cls(id or secrets.token_hex(6), secrets.token_hex(32))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The token in a text; None where it is none."""
        match = WRITTEN.fullmatch(text)
        return None if match is None else cls(*match.groups())

    def __str__(self) -> str:
        return f"cellar_{self.id}_{self.secret}"

    @property
    def sha256(self) -> str:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def opens(self, sha256: str) -> bool:
        """Whether this is the secret that was kept so; takes as long for any other."""
        return hmac.compare_digest(self.sha256, sha256)
