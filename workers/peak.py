"""Peak: bytes of torch's CPU allocator that a piece of work holds at its largest moment.

The profiler reports every allocation and release, event by event.
"""

import gc
from collections.abc import Callable
from typing import Any

import torch

METHOD = "torch's CPU allocator; scratch memory inside libraries is not counted"


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that a piece of work holds at its largest moment, above those before it."""
    profile: Any = torch.autograd.profiler.profile(profile_memory=True)
    collecting = gc.isenabled()
    gc.disable()  # what others left in cycles must not be let go while this is counted
    try:
        with profile:
            kept = work()
    finally:
        if collecting:
            gc.enable()
    del kept
    events = [event for event in profile.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most
