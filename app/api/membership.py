"""Which genotypes a question may be about: members of the grammar that meet the space's constraints, in any format."""

from typing import Any

from app.api.problems import located, unprocessable
from app.architecture import faults_of, judge_of
from app.architecture.formats import FORMATS, JSON, FormatError, formats_of, read_format
from app.space import Fault, Genotype, InvalidGenotype, SearchSpace
from app.space.validity import space_repair


def judged(space: SearchSpace, genotype: Any, format: str) -> tuple[int | None, tuple[Fault, ...]]:
    """The rank of a valid member and no faults, or None and every fault."""
    if format != JSON.name:
        named_format(space, format)
        try:
            genotype = read_format(space, format, genotype)
        except InvalidGenotype as error:
            return None, error.faults
        except FormatError as error:
            return None, (Fault(error.pointer, error.message, error.value, error.allowed),)
    index = space.plan.index(genotype)
    if index is not None and not space.constraints:
        return index, ()
    faults = faults_of(space, genotype)
    return (None if faults else index), faults


def given_rank(
    space: SearchSpace, genotype: Any, format: str = JSON.name, pointer: str = "/genotype", place: str = "/format"
) -> int:
    """The rank of a genotype that must be valid. Pointers of faults start at `pointer`, that of its format is
    `place`."""
    with located(pointer):
        if format != JSON.name:
            named_format(space, format, place)
            genotype = read_format(space, format, genotype)
        index, faults = judged(space, genotype, JSON.name)
        if index is None:
            raise InvalidGenotype(faults)
        return index


def named_format(space: SearchSpace, name: str, place: str = "/format") -> None:
    """Refuses a format that the space's genotypes do not have."""
    if name not in FORMATS or not FORMATS[name].suits(space):
        names = [f.name for f in formats_of(space)]
        raise unprocessable(place, f"genotypes of {space.name} are not written as {name!r}", name, names)


def repair(space: SearchSpace, genotype: Any) -> Genotype:
    """The nearest valid member to any JSON value."""
    return space_repair(space, genotype, judge_of(space))
