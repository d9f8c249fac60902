"""Where an operation stands: what its shape rule and formulas need to know."""

from dataclasses import dataclass

Cost = tuple[int, int]  # (params, macs)
Shape = tuple[int, int, int]  # (channels, rows, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operation stands."""

    channels: int  # C
    width: int  # D
    size: tuple[int, int]  # input extents (h, w)
    stride: int = 1  # s
    affine: bool = True
    fields: tuple[tuple[str, int | float | str | bool], ...] = ()  # values of what its name does not say

    @property
    def output(self) -> tuple[int, int]:
        """Output extents (H, W)."""
        h, w = self.size
        return (h - 1) // self.stride + 1, (w - 1) // self.stride + 1
