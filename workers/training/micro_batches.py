"""Micro-batches: a batch computed in as many parts as memory asks for, the gradients accumulated.

A part counts by its images, so that gradients are those of the whole batch, but for what looks at a batch as a whole:
batch statistics are of a part's images, and drop path draws part by part. After an allocation fails there are twice as
many parts, from then on, and the same batch is computed again from the same pixels and generators; running statistics
keep what the attempt that failed has put into them.
"""

import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch

T = TypeVar("T")
SIGNS = (
    "DefaultCPUAllocator",
    "std::bad_alloc",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)  # what torch and its libraries write where memory is short and the type of the error does not say so


class MemoryShortage(RuntimeError):
    """Memory runs out however few images are computed at a time."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some images of a batch, side by side."""

    rows: slice
    images: int  # of the whole batch

    @property
    def share(self) -> float:
        """Of the batch's images, in (0, 1]."""
        return (self.rows.stop - self.rows.start) / self.images


class MicroBatches:
    """Into how many parts batches are cut; `parts` is to be kept in checkpoints."""

    def __init__(self, note: Callable[[str], None], generators: Sequence[torch.Generator] = ()) -> None:
        """`generators` are those that the work draws from."""
        self.parts = 1
        self._note = note
        self._generators = generators

    def of(self, images: int) -> list[Part]:
        """The parts of a batch, as even as may be."""
        parts = min(self.parts, images)
        bounds = [number * images // parts for number in range(parts + 1)]
        return [Part(slice(start, stop), images) for start, stop in pairwise(bounds)]

    def compute(self, images: int, work: Callable[[], T]) -> T:
        """What `work` answers, which computes a batch part by part; it is called again where memory runs out.

        What an attempt leaves behind is for the next one to clear away. Raises MemoryShortage where not even one image
        fits.
        """
        states = [generator.get_state() for generator in self._generators]
        tried: list[int] = []
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                tried.append(self._at_a_time(images))
                if tried[-1] == 1:
                    raise MemoryShortage(f"out of memory even at {_listed(tried)} at a time") from error
                traceback.clear_frames(error.__traceback__)  # they hold what was computed so far
            except ValueError as error:
                if tried and self._at_a_time(images) == 1:  # batch statistics of one image may be of one value
                    raise MemoryShortage(f"out of memory at {_listed(tried)} at a time; one alone: {error}") from error
                raise
            release()
            for generator, state in zip(self._generators, states, strict=True):
                generator.set_state(state)
            self.parts = 2 * min(self.parts, images)
            fewer = self._at_a_time(images)
            self._note(
                f"out of memory at {_listed(tried[-1:])}: computing {fewer} at a time; "
                f"batch statistics are of {_listed([fewer])} from now on"
            )

    def _at_a_time(self, images: int) -> int:
        return -(-images // min(self.parts, images))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def release() -> None:
    """Give back what nobody holds."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _listed(tried: Sequence[int]) -> str:
    return f"{', '.join(map(str, tried))} image{'' if tried[-1] == 1 else 's'}"
