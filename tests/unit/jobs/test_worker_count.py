"""Counting jobs without a catalogue."""

import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest

from app.experiment import CountRequest, SpaceVersion
from app.space import SearchSpace, space_to_json
from app.space.classes import Classes
from app.space.errors import Unreadable
from app.space.zoo import ZOO, darts, nasbench201, simple_cell
from workers import count
from workers.progress import Stopped, StopReason


class Told:
    """Progress that only remembers, and asks to stop after so many questions."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.steps: list[tuple[int | None, int | None]] = []
        self.questions, self.stop_after = 0, stop_after

    def report(
        self, phase: str, epoch: int, epochs: int, metrics: Mapping[str, float], *, step=None, steps=None
    ) -> None:
        self.steps.append((step, steps))

    def should_stop(self) -> StopReason | None:
        self.questions += 1
        return "cancel" if self.stop_after is not None and self.questions > self.stop_after else None


def request(space: SearchSpace, equivalence: str) -> CountRequest:
    version = SpaceVersion(name=space.name, version=space.version, digest=space.digest)
    return CountRequest(space=version, document=space_to_json(space), equivalence=equivalence, version=1)


def test_a_quick_count_is_what_the_size_says() -> None:
    outcome = count.run(request(ZOO["nasbench201"], "functional"), Told())  # type: ignore[arg-type]
    (counted,) = outcome.counted
    assert (counted.exact, counted.digest) == (4_930, ZOO["nasbench201"].digest)
    assert outcome.result["exact"] == "4930"


def test_listing_finds_what_burnside_counts() -> None:
    space = darts(num_nodes=2, operations=("skip_connect", "sep_conv_3x3"))
    told = Told()
    by_lemma = count.counted(space, "relabelling", told)  # type: ignore[arg-type]
    by_list = count.listed(space, "relabelling", told)  # type: ignore[arg-type]
    assert by_list.exact == by_lemma.exact < space.plan.size
    assert told.steps[-1] == (space.plan.size, space.plan.size)


def test_listing_stops_when_it_is_asked_to() -> None:
    told = Told(stop_after=1)
    with pytest.raises(Stopped, match="cancel"):
        count.listed(nasbench201(), "relabelling", told)  # type: ignore[arg-type]
    assert told.steps == [(5_000, 15_625)]


def test_a_count_that_cannot_be_asked_is_stopped_from_outside() -> None:
    ended = threading.Event()

    def forever() -> Classes:
        ended.wait()
        return Classes(exact=1, method="")

    with pytest.raises(Stopped):
        count.stoppable(forever, Told(stop_after=2))  # type: ignore[arg-type]
    ended.set()


def test_what_goes_wrong_in_the_thread_is_raised() -> None:
    def wrong() -> Classes:
        raise ArithmeticError("wrong")

    with pytest.raises(ArithmeticError, match="wrong"):
        count.stoppable(wrong, Told())  # type: ignore[arg-type]


def test_another_equivalence_is_refused() -> None:
    with pytest.raises(Unreadable):
        count.run(request(simple_cell(2), "functional"), Told())  # type: ignore[arg-type]


def test_counting_needs_no_torch() -> None:
    code = "import sys, workers.count, workers.run; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
