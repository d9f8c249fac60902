"""Jobs as they travel."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.model import Output

JobStateName = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
DeviceName = Literal["auto", "cpu", "cuda"]


class JobLinks(Output):
    """Where to go from a job."""

    self: str = Field(description="The job")
    events: str = Field(description="What happens to it, as server-sent events")
    metrics: str = Field(description="What its epochs measured")
    cancel: str = Field(description="POST here to stop it; what is best so far is kept")
    evaluations: str = Field(description="The evaluations it recorded")
    parent: str | None = Field(description="The job that submitted it; null of one that a caller submitted")
    children: str = Field(description="The jobs that it submitted")


class JobView(Output):
    """A job as it stands."""

    id: str = Field(description="UUID of the job")
    kind: str = Field(
        description="What it does: `search`, `discrete_search`, `comparison`, `training`, `transfer`, `judging` "
        "(members with another job's weights, for it), `count`, `profile`, `dataset` or `table`"
    )
    state: JobStateName = Field(description="`succeeded`, `failed` and `cancelled` are final")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it waits in or was taken from")
    device: DeviceName = Field(description="The device that was asked for")
    priority: int = Field(description="Larger is sooner, among the jobs of one owner")
    visibility: Literal["private", "public"] = Field(
        description="Who sees it, what it measured and what it kept: its owner alone, or everyone"
    )
    parent: str | None = Field(description="UUID of the job that submitted it; null of one that a caller submitted")
    name: str | None = Field(description="Its name among its parent's children; null of one that a caller submitted")
    children: dict[JobStateName, int] | None = Field(
        description="How many jobs it has submitted, by state; null of none. `waiting` until all are final"
    )
    gpu_seconds: float = Field(description="Seconds that its finished attempts have held a GPU")
    request: dict[str, Any] = Field(description="What was asked, with every default that was chosen")
    oracle: bool = Field(description="Whether it searches by results on the test split: an experiment on strategies")
    label: str | None = Field(description="What is then to be shown with every number of it; else null")
    result: dict[str, Any] | None = Field(description="What came out; null until then")
    error: dict[str, Any] | None = Field(
        description="Why it failed: type, title, detail, and the places where they are known; null unless it did"
    )
    progress: dict[str, Any] | None = Field(
        description="Its latest progress: phase, epoch, epochs, metrics; null before"
    )
    attempt: int = Field(description="How often it was started, not counting orderly interruptions")
    cancel_requested: bool = Field(description="Whether it has been asked to stop")
    stranded: bool = Field(description="Whether it is queued and no live worker can take it")
    submitted_at: datetime = Field(description="When it was submitted")
    started_at: datetime | None = Field(description="When it was first started; null before")
    finished_at: datetime | None = Field(description="When it became final; null before")
    links: JobLinks = Field(description="Where to go from here")


class JobPage(Output):
    """A page of jobs, newest first."""

    items: list[JobView] = Field(description="The jobs of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class MetricView(Output):
    """What one epoch of one phase measured."""

    phase: str = Field(description="Phase of the job, e.g. search, calibrate, retrain, baseline, train, source-0")
    epoch: int = Field(description="Epochs of the phase that were finished then")
    values: dict[str, float] = Field(description="Metrics: accuracies in percent, losses in nats")
    created_at: datetime = Field(description="When it was recorded")


class MetricList(Output):
    """Everything the epochs of a job measured."""

    job_id: str = Field(description="UUID of the job")
    items: list[MetricView] = Field(description="In the order in which they were measured")


class WorkerView(Output):
    """A worker process as it last reported itself."""

    id: str = Field(description="UUID of the process")
    host: str = Field(description="Name of its machine")
    pid: int = Field(description="Process identity on that machine")
    queues: list[str] = Field(description="Queues it takes jobs from")
    devices: list[str] = Field(description="Devices it has")
    gpu: str | None = Field(description="UUID of the GPU it owns; null without one")
    gpu_utilisation: float | None = Field(
        description="Share of the last moments in which that GPU computed, 0 to 1; null where it does not say"
    )
    gpu_memory_used: int | None = Field(description="Bytes of its memory in use, by whatever process")
    gpu_memory_total: int | None = Field(description="Bytes of its memory")
    device_name: str | None = Field(
        description="What its jobs compute on, as measurements name it; null of a worker of an earlier version"
    )
    memory_total: int | None = Field(description="Bytes of memory that its processes may have; null where unknown")
    memory_available: int | None = Field(description="Bytes of these that nothing holds; null where unknown")
    state: Literal["idle", "busy", "draining", "gone"] = Field(description="What it is doing")
    started_at: datetime = Field(description="When it started")
    last_seen: datetime = Field(description="When it last reported itself")


class WorkerList(Output):
    """The workers that are alive."""

    items: list[WorkerView] = Field(description="In the order in which they started")
