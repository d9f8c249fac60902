"""What can be wrong with giving a meaning.

LoweringError (ValueError)   a grammar, a decision, a skeleton or an image that has no meaning together
  Entangled                  open decisions that hang together in more ways than are combined
"""

from collections.abc import Iterable


class LoweringError(ValueError):
    """Something has no meaning: `pointer` is the place, `value` what was found there, `allowed` what could stand there.

    Pointers into the grammar are decision paths (`/normal/node3/1/op`); those into the surroundings start with
    `/skeleton` or `/image`.
    """

    def __init__(self, pointer: str, message: str, value: object = None, allowed: Iterable[object] = ()) -> None:
        self.pointer = pointer
        self.message = message
        self.value = value
        self.allowed = tuple(allowed)
        super().__init__(f"{pointer or '/'}: {message}")


class Entangled(LoweringError):
    """What is open hangs together in more than `most` ways; with some of it decided it has a meaning."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__("", f"what is open hangs together in more than {most} ways: decide some of it", None, (most,))
