"""What an operation of the vocabulary is."""

from collections.abc import Callable
from dataclasses import dataclass

Cost = tuple[int, int]  # (params, macs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operation stands: what its shape rule and formulas need to know."""

    channels: int  # C
    width: int  # D
    size: tuple[int, int]  # input extents (h, w)
    stride: int = 1  # s
    affine: bool = True

    @property
    def output(self) -> tuple[int, int]:
        """Output extents (H, W)."""
        h, w = self.size
        return (h - 1) // self.stride + 1, (w - 1) // self.stride + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the vocabulary."""

    name: str  # as grammars and genotypes write it
    title: str
    domain: str
    fields: tuple[str, ...]  # numbers that parametrise it, "name=value" where the name of the operation fixes them
    shape_rule: str
    params: str  # as a formula
    macs: str  # as a formula
    source: str
    price: Callable[[Place], Cost]  # the same two formulas as code


SHAPE = "(C, h, w) -> (D, H, W) with H = ceil(h / s), W = ceil(w / s)"


def norm(place: Place) -> int:
    """Learnable numbers a channel of a norm."""
    return 2 if place.affine else 0


def operation(
    name: str,
    title: str,
    source: str,
    price: Callable[[Place], Cost],
    params: str,
    macs: str,
    *fields: str,
    domain: str = "classification",
) -> Operation:
    """An operation on maps."""
    return Operation(
        name=name,
        title=title,
        domain=domain,
        fields=("channels", "width", "stride", *fields),
        shape_rule=SHAPE,
        params=params,
        macs=macs,
        source=source,
        price=price,
    )
