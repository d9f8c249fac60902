"""The input of a network."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """One input image: channels, height and width in pixels."""

    channels: int = 3
    height: int = 32
    width: int = 32
