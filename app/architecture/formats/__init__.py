"""Formats: how the field writes genotypes. `json`, the space's own shape, is always one of them.

formats_of(space)                     the formats a space's genotypes can be written in
read_format(space, name, value)       -> a member, in its written order
write_format(space, name, genotype)   -> a JSON value
"""

from collections.abc import Mapping
from types import MappingProxyType

from app.architecture.formats.autodeeplab import AUTODEEPLAB
from app.architecture.formats.autoformer import AUTOFORMER
from app.architecture.formats.cell_genotype import CELL_GENOTYPE
from app.architecture.formats.darts import DARTS
from app.architecture.formats.darts_rnn import DARTS_RNN
from app.architecture.formats.enas_macro import ENAS_MACRO
from app.architecture.formats.enas_micro import ENAS_MICRO
from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.nasbench101 import NASBENCH101
from app.architecture.formats.nasbench201 import NASBENCH201
from app.architecture.formats.nasbench301 import NASBENCH301
from app.architecture.formats.naslib_darts import NASLIB_DARTS
from app.architecture.formats.naslib_nasbench201 import NASLIB_NASBENCH201
from app.architecture.formats.nasnet_lists import NASNET_LISTS
from app.architecture.formats.nats_size import NATS_SIZE
from app.architecture.formats.ofa import OFA
from app.architecture.formats.operation_indices import FBNET, NASBENCH_MACRO, PROXYLESSNAS
from app.space import Genotype, SearchSpace

JSON = Format(
    name="json",
    title="The decisions as JSON, in the space's own shape",
    source="",
    suits=lambda space: True,
    read=lambda space, value: space.plan.normalise(value),
    write=lambda space, genotype: space.plan.normalise(genotype),
)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        f.name: f
        for f in (
            JSON,
            DARTS,
            NASBENCH301,
            NASLIB_DARTS,
            NASNET_LISTS,
            ENAS_MICRO,
            CELL_GENOTYPE,
            NASBENCH101,
            NASBENCH201,
            NASLIB_NASBENCH201,
            NATS_SIZE,
            NASBENCH_MACRO,
            OFA,
            PROXYLESSNAS,
            FBNET,
            AUTOFORMER,
            DARTS_RNN,
            ENAS_MACRO,
            AUTODEEPLAB,
        )
    }
)


def formats_of(space: SearchSpace) -> tuple[Format, ...]:
    """The formats that suit a space, `json` first."""
    return tuple(f for f in FORMATS.values() if f.suits(space))


def read_format(space: SearchSpace, name: str, value: object) -> Genotype:
    """A genotype out of a format; FormatError or InvalidGenotype where it is none of the space's."""
    return _format(space, name).read(space, value)


def write_format(space: SearchSpace, name: str, genotype: Genotype) -> object:
    """A member in a format."""
    return _format(space, name).write(space, genotype)


def _format(space: SearchSpace, name: str) -> Format:
    found = FORMATS.get(name)
    if found is None or not found.suits(space):
        names = tuple(f.name for f in formats_of(space))
        raise FormatError("", f"genotypes of {space.name} are not written as {name!r}", name, names)
    return found


__all__ = ["FORMATS", "Format", "FormatError", "formats_of", "read_format", "write_format"]
