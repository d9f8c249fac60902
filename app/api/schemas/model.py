"""What every schema has in common: inputs are strict and refuse what they do not know, outputs have no defaults."""

from pydantic import BaseModel, ConfigDict

FREE_TEXT = r"^[^\x00]*$"
"""Any text but U+0000, for which PostgreSQL has no place."""


PRIORITY = "Of the caller's queued jobs the one with the highest goes first; at most `limits.priority` of GET /v1/quota"


class Input(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Output(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


def name_or_object(value: object) -> str:
    """Tells the two ways apart in which a skeleton or a recipe is given: only one of them is then at fault."""
    return "name" if isinstance(value, str) else "object"
