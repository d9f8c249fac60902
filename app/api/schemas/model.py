"""What every schema has in common: inputs are strict and refuse what they do not know, outputs have no defaults."""

from pydantic import BaseModel, ConfigDict


class Input(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Output(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)
