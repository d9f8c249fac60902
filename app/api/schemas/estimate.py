"""What a job would take: time, memory, and where it would fit."""

from typing import Literal

from pydantic import Field

from app.api.schemas.model import Output


class BandView(Output):
    """A predicted number with its band."""

    expected: float = Field(description="The number itself")
    low: float = Field(description="Lower end of the band")
    high: float = Field(description="Upper end of the band")
    level: float | None = Field(
        description="Probability that a measurement falls into the band; null where its width is assumed in part: a "
        "single point, another kind of step, or sizes beyond what was measured"
    )


class CalibrationView(Output):
    """What a prediction was made from."""

    points: int = Field(description="Measured phases of jobs")
    device: str = Field(description="The device that they were measured on")
    alike: bool = Field(
        description="Whether all are of the same kind of step (strategy, precision, recomputation), so that only sizes "
        "differ; else steps are compared by how many passes they make"
    )
    nearest: float = Field(description="Size of the nearest of them, as a multiple of what is asked")


class PhaseEstimateView(Output):
    """One kind of phase of the job."""

    phase: str = Field(description="What is trained in it, as in `networks`")
    times: int = Field(description="How many such phases there are")
    steps: int = Field(description="Steps of each")
    seconds_per_step: BandView | None = Field(description="Seconds of one step; null where nothing comparable is known")
    calibrated: CalibrationView | None = Field(description="What the seconds were made from; null without")
    peak_memory_bytes: BandView | None = Field(
        description="Bytes at the largest moment, beside the process and the data set; null where not known"
    )
    memory_calibrated: CalibrationView | None = Field(
        description="What the bytes were made from; null without, and where they are predicted from the graph alone"
    )


class WorkerFitView(Output):
    """A live worker that could take the job."""

    name: str = Field(description="UUID of the worker")
    host: str = Field(description="Name of its machine")
    device: str | None = Field(description="What the job would compute on; null where the worker does not say")
    memory_total: int | None = Field(description="Bytes that it may have; null where unknown")
    memory_available: int | None = Field(description="Bytes of these that nothing holds; null where unknown")
    fits: Literal["yes", "no", "unknown"] = Field(
        description="`yes`: the upper end of the band is available; `no`: the lower end is more than there is in all"
    )
    batch_size: int | None = Field(
        description="Where it is not `yes`: about the batch whose upper end is available, if memory goes with the batch"
    )


class EstimateView(Output):
    """What a job would take, predicted from what others took."""

    seconds: BandView | None = Field(
        description="Of all phases one after another, on `device`; ends of bands are added as if errors went together. "
        "Null where a phase is not known"
    )
    peak_memory_bytes: BandView | None = Field(description="Of the largest phase; null where one is not known")
    device: str | None = Field(description="The device that the figures are for; null where there is none")
    phases: list[PhaseEstimateView] = Field(description="What is trained")
    workers: list[WorkerFitView] = Field(description="Live workers that could take the job, and whether it fits")
    note: str = Field(description="What the figures leave out, and why one is missing")
