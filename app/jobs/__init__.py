"""The contract between front ends and workers. PostgreSQL is the only truth; a broker's message is a hint.

a front end   submit, request_cancel, EventFeed, BackgroundServices, UpkeepThread
a worker      claim, heartbeat, record_*, fan_out, finish | fail | cancelled | release | crash | suspend
"""

from app.jobs.children import ChildJob, fan_out
from app.jobs.collection import Collected, collect, secure
from app.jobs.errors import IdempotencyConflict, JobsError, LeaseLost, QueueFull, QuotaExceeded, Refused
from app.jobs.feed import EventFeed
from app.jobs.lifecycle import (
    Claim,
    Lease,
    cancelled,
    claim,
    crash,
    fail,
    finish,
    heartbeat,
    hold,
    record_artefact,
    record_checkpoint,
    record_epoch,
    record_note,
    record_pace,
    record_progress,
    release,
    suspend,
)
from app.jobs.publisher import Publisher, able
from app.jobs.queue import QUEUES, WORK, Broker, BrokerDown, celery_app
from app.jobs.quota import Limits, QuotaSettings, Usage, limits_of, usage_of
from app.jobs.reconciliation import Reconciled, attend, reconcile
from app.jobs.services import BackgroundServices, JobSettings
from app.jobs.submission import Submitted, job_of_key, request_cancel, submit
from app.jobs.upkeep import Upkeep, UpkeepSettings, UpkeepThread, keep_up
from app.store import StoredFile

__all__ = [
    "QUEUES",
    "WORK",
    "BackgroundServices",
    "Broker",
    "BrokerDown",
    "ChildJob",
    "Claim",
    "Collected",
    "EventFeed",
    "IdempotencyConflict",
    "JobSettings",
    "JobsError",
    "Lease",
    "LeaseLost",
    "Limits",
    "Publisher",
    "QueueFull",
    "QuotaExceeded",
    "QuotaSettings",
    "Reconciled",
    "Refused",
    "StoredFile",
    "Submitted",
    "Upkeep",
    "UpkeepSettings",
    "UpkeepThread",
    "Usage",
    "able",
    "attend",
    "cancelled",
    "celery_app",
    "claim",
    "collect",
    "crash",
    "fail",
    "fan_out",
    "finish",
    "heartbeat",
    "hold",
    "job_of_key",
    "keep_up",
    "limits_of",
    "reconcile",
    "record_artefact",
    "record_checkpoint",
    "record_epoch",
    "record_note",
    "record_pace",
    "record_progress",
    "release",
    "request_cancel",
    "secure",
    "submit",
    "suspend",
    "usage_of",
]
