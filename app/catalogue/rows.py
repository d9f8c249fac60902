"""What the repositories return: frozen values, one a row. Times are aware datetimes on the database's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.experiment import FINAL_STATES, Device, Direction, JobState, Precision, Queue, Target

Visibility = Literal["private", "public"]
EventKind = Literal["state", "progress", "note", "checkpoint"]
EvaluationKind = Literal["inherited", "trained", "baseline"]
KeyScope = Literal["read", "submit", "write", "metrics", "admin"]
Outcome = Literal["done", "refused"]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredSpace:
    """A search space that a user registered: immutable, versioned."""

    id: UUID
    owner: str
    visibility: Visibility
    name: str
    version: int
    digest: str
    title: str
    document: Document
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A genotype with its skeleton and input: shared by everyone who meets it."""

    id: str  # 32 hexadecimal digits; isomorphic graphs share it
    space_name: str
    space_version: int
    space_digest: str
    index: int  # rank of the genotype it was first met as
    genotype: Any  # JSON
    skeleton: Document
    input: Document
    params: int
    macs: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One measured result of an architecture under a recipe, on one split."""

    id: UUID
    architecture_id: str
    architecture: Architecture
    job_id: UUID
    kind: EvaluationKind
    dataset: str
    split: str
    recipe_name: str
    recipe_digest: str
    recipe: Document
    seed: int
    metrics: Mapping[str, float]
    accuracy: float | None  # percent; None where the evaluation measured none
    params: int
    macs: int
    device: str
    torch_version: str
    code_version: str
    seconds: float
    weights: str | None  # name of the job's artefact
    provenance: Document
    owner: str
    visibility: Visibility
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """An exact number of classes of a space under an equivalence."""

    digest: str
    surroundings: str
    equivalence: str
    version: int
    exact: int
    method: str
    job_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One measurement of latency and memory; times are milliseconds of one pass over a batch."""

    id: UUID
    job_id: UUID
    target: Target
    key: str  # equal keys of a target are the same computation
    operation: str | None
    architecture_id: str | None
    description: Document
    entries: Mapping[str, int]  # how often it computes what
    params: int
    macs: int
    batch_size: int
    precision: Precision
    direction: Direction
    device: str
    device_type: Literal["cpu", "cuda"]
    threads: int
    torch_version: str
    code_version: str
    n: int  # samples
    runs: int  # in a sample
    median_ms: float
    q1_ms: float
    q3_ms: float
    minimum_ms: float
    peak_memory_bytes: int | None
    memory_method: str
    owner: str
    visibility: Visibility
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands."""

    id: UUID
    parent_id: UUID | None
    name: str | None  # of a child, by which its parent finds it again
    kind: str
    queue: Queue
    device: Device
    state: JobState
    priority: int  # larger is sooner
    owner: str
    visibility: Visibility
    request: Document
    result: Document | None
    error: Document | None  # problem-like: type, title, detail
    progress: Document | None  # data of the latest progress event
    attempt: int  # runs that count towards the limit
    fence: int  # grows with every claim; a write that carries an older one is refused
    lease_until: datetime | None
    worker_id: UUID | None
    cancel_requested: bool
    stranded: bool  # queued, and no live worker can take it
    on_gpu: bool  # whether its latest lease had a GPU
    gpu_seconds: float  # of all leases that have ended
    submitted_at: datetime
    queued_at: datetime  # since when it has been queued, this time
    claimed_at: datetime | None  # latest claim
    started_at: datetime | None  # first claim
    finished_at: datetime | None
    request_id: str | None  # of the request that submitted it

    @property
    def final(self) -> bool:
        """No state follows this one."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job. Ids of one job grow in the order in which its events became visible."""

    id: int
    job_id: UUID
    kind: EventKind
    data: Document
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What one epoch of one phase measured."""

    job_id: UUID
    phase: str
    epoch: int
    values: Mapping[str, float]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The last state a job committed; its file is a safetensors file below the data root."""

    job_id: UUID
    fence: int
    phase: str
    epoch: int
    path: str  # relative to the data root
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A file that outlives its job."""

    job_id: UUID
    name: str
    fence: int
    path: str  # relative to the data root
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A key, as far as it is kept: nobody can write its token again."""

    id: str  # 12 hexadecimal digits
    owner: str
    title: str  # what it is for
    scopes: list[KeyScope]
    sha256: str  # of its secret
    previous_sha256: str | None  # of the secret before, good until `previous_until`
    previous_until: datetime | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None  # within a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did, or was refused."""

    id: int
    at: datetime
    owner: str | None  # None: nobody who is known
    key_id: str | None
    address: str | None
    request_id: str | None
    action: str
    outcome: Outcome
    subject: str | None  # a path
    details: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker process as it last reported itself."""

    id: UUID
    host: str
    pid: int
    queues: list[Queue]
    devices: list[Device]
    gpu: str | None  # UUID of the device it owns
    state: Literal["idle", "busy", "draining", "gone"]
    started_at: datetime
    last_seen: datetime
    gpu_utilisation: float | None  # share of the time in which the device computed, 0 to 1; None without a device
    gpu_memory_used: int | None  # bytes of the device, by whatever process
    gpu_memory_total: int | None  # bytes
    device_name: str | None = None  # of what its jobs compute on, as measurements name it; None of an older worker
    memory_total: int | None = None  # bytes of the machine, or of the part that this process may have
    memory_available: int | None = None  # bytes of it that nothing holds
