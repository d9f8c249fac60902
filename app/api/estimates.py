"""What a job would take, from what others took on the devices that are there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.api.phases import Phase
from app.api.schemas.estimate import BandView, CalibrationView, EstimateView, PhaseEstimateView, WorkerFitView
from app.api.services import Services
from app.architecture.memory import ERROR
from app.catalogue import Worker, paces, workers
from app.experiment import Device, Queue
from app.experiment.estimate import Band, Estimate, peak_bytes, seconds_per_step
from app.experiment.pace import Load, Pace
from app.jobs import able

LEFT_OUT = (
    "Steps alone are counted: starting, reading the data set, judging and checkpoints come on top. "
    "Where memory is short, batches are computed in parts"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A predicted number; no estimate where it does not come from measured points."""

    band: Band
    level: float | None
    estimate: Estimate | None


def estimated(
    session: Session,
    services: Services,
    queue: Queue,
    device: Device,
    phases: Sequence[Phase],
    *,
    processes: int = 1,
) -> EstimateView:
    """What a job of these phases would take on the workers that could take it, else on a device that was measured."""
    alive = workers.alive(session, within_seconds=services.settings.lease_seconds)
    there = [worker for worker in alive if able(worker, queue, "cuda" if queue == "gpu" else device)]
    named = [computes_on(worker, device) for worker in there]
    measured = paces.measured_devices(session)
    candidates = [name for name in named if name is not None] or [
        name for name in measured if name.startswith("cpu,") == (queue == "cpu")
    ]
    chosen = next((name for name in candidates if name in measured), candidates[0] if candidates else None)
    points = () if chosen is None else paces.newest(session, [chosen])
    notes: list[str] = []
    if not phases:
        notes.append("Nothing is trained")
    elif processes > 1:
        notes.append("Nothing was measured of several processes that share a batch")
    elif chosen is None:
        notes.append("No live worker could take it, and nothing was measured on such a device")
    elif not points:
        elsewhere = f"; measured were {', '.join(measured)}" if measured else ""
        notes.append(f"Nothing was measured on {chosen} yet{elsewhere}")
    elif not there:
        notes.append(f"No live worker could take it: the figures are those of {chosen}")
    known = points if processes == 1 else ()
    views = [phase_view(known, phase, chosen or "") for phase in phases]
    memory = largest(views)
    if phases and memory is None and known:
        notes.append("Memory of supernets and of recomputation is told from measured points only, and there are none")
    return EstimateView(
        seconds=total(views),
        peak_memory_bytes=memory,
        device=chosen,
        phases=views,
        workers=[
            fit(worker, name, memory, max((load.batch_size for phase in phases for load in phase.loads), default=1))
            for worker, name in zip(there, named, strict=True)
        ],
        note=". ".join([*notes, LEFT_OUT]) + ".",
    )


def computes_on(worker: Worker, device: Device) -> str | None:
    """The device that a job for `device` would use there; None where the worker does not say."""
    return None if device == "cpu" and worker.gpu is not None else worker.device_name


def phase_view(points: Sequence[Pace], phase: Phase, device: str) -> PhaseEstimateView:
    """One phase: of several loads, the middle one is expected, and the ends are those of the outer ones."""
    seconds = spanned([seconds_of(points, load, device) for load in phase.loads])
    memory = spanned([memory_of(points, load, device) for load in phase.loads])
    return PhaseEstimateView(
        phase=phase.name,
        times=phase.times,
        steps=phase.steps,
        seconds_per_step=band_view(seconds),
        calibrated=calibration_view(seconds),
        peak_memory_bytes=band_view(memory, round),
        memory_calibrated=calibration_view(memory),
    )


def seconds_of(points: Sequence[Pace], load: Load, device: str) -> Figure | None:
    """Seconds of one step."""
    found = seconds_per_step(points, load, device)
    return None if found is None else Figure(found.band, found.level, found)


def memory_of(points: Sequence[Pace], load: Load, device: str) -> Figure | None:
    """Bytes of one step: as measured of such steps, else of a network as predicted from its graph."""
    found = peak_bytes(points, load, device)
    if found is not None:
        return Figure(found.band, found.level, found)
    if load.subject == "supernet" or load.recompute or not load.extent:
        return None
    low, high = load.extent / (1 + ERROR), load.extent / (1 - ERROR)
    return Figure(Band(expected=load.extent, low=low, high=high), None, None)


def spanned(figures: Sequence[Figure | None]) -> Figure | None:
    """One figure over several, the middle one's from the lowest to the highest end."""
    known = [figure for figure in figures if figure is not None]
    if not known or len(known) < len(figures):
        return None
    middle = known[len(known) // 2]
    band = Band(
        expected=middle.band.expected,
        low=min(figure.band.low for figure in known),
        high=max(figure.band.high for figure in known),
    )
    levels = [figure.level for figure in known]
    return Figure(band, None if None in levels else middle.level, middle.estimate)


def total(phases: Sequence[PhaseEstimateView]) -> BandView | None:
    """Seconds of all steps of all phases."""
    bands = [phase.seconds_per_step for phase in phases]
    known = [band for band in bands if band is not None]
    if not known or len(known) < len(bands):
        return None
    summed = Band(expected=0.0, low=0.0, high=0.0)
    for band, phase in zip(known, phases, strict=True):
        each = Band(expected=band.expected, low=band.low, high=band.high)
        summed = summed.plus(each.times(phase.steps * phase.times))
    levels = [band.level for band in known]
    return band_view(Figure(summed, None if None in levels else levels[0], None))


def largest(phases: Sequence[PhaseEstimateView]) -> BandView | None:
    """Bytes of the phase that holds most."""
    bands = [phase.peak_memory_bytes for phase in phases]
    known = [band for band in bands if band is not None]
    if not known or len(known) < len(bands):
        return None
    return max(known, key=lambda band: band.high)


def fit(worker: Worker, device: str | None, memory: BandView | None, batch_size: int) -> WorkerFitView:
    """Whether a job fits a worker."""
    fits: Literal["yes", "no", "unknown"] = "unknown"
    smaller: int | None = None
    free, whole = worker.memory_available, worker.memory_total
    if worker.gpu is not None and device is None:  # its memory is not what the job would use
        free = whole = None
    if memory is not None and free is not None and whole is not None:
        if memory.high <= free:
            fits = "yes"
        else:
            fits = "no" if memory.low > whole else "unknown"
            smaller = min(batch_size, int(batch_size * free / memory.high)) or None
    return WorkerFitView(
        name=str(worker.id),
        host=worker.host,
        device=device,
        memory_total=whole,
        memory_available=free,
        fits=fits,
        batch_size=smaller,
    )


def band_view(figure: Figure | None, rounded: Callable[[float], float] = float) -> BandView | None:
    """A band as it travels."""
    if figure is None:
        return None
    ends = figure.band
    return BandView(expected=rounded(ends.expected), low=rounded(ends.low), high=rounded(ends.high), level=figure.level)


def calibration_view(figure: Figure | None) -> CalibrationView | None:
    """What a figure was made from."""
    if figure is None or figure.estimate is None:
        return None
    found = figure.estimate
    return CalibrationView(points=found.points, device=found.device, alike=found.alike, nearest=found.nearest)
