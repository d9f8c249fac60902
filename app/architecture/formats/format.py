"""What a format is: a way in which the field writes genotypes, read by a parser of its own, never evaluated."""

from collections.abc import Callable
from dataclasses import dataclass

from app.space import Genotype, SearchSpace


class FormatError(ValueError):
    """A text or document is not what its format says.

    `pointer` is the place: a JSON pointer into a document, `/` and a character's position into a text.
    """

    def __init__(self, pointer: str, message: str, value: object = None, allowed: tuple[object, ...] = ()) -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.pointer = pointer
        self.message = message
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    suits   whether a space's genotypes can be written in it, told from the grammar, never from a name
    read    JSON value (a string for text formats) -> a member in its written order; FormatError where the form is
            wrong, InvalidGenotype where what it says is no member
    write   a member -> JSON value; `read` gives it back
    """

    name: str
    title: str
    source: str  # where it was published or is exchanged
    suits: Callable[[SearchSpace], bool]
    read: Callable[[SearchSpace, object], Genotype]
    write: Callable[[SearchSpace, Genotype], object]
