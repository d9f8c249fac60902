"""What a caller may use, and what they use."""

from pydantic import Field

from app.api.schemas.model import Output


class LimitsView(Output):
    """What one owner may use. Null: as much as there is."""

    queued_jobs: int = Field(description="Submitted jobs that may be queued at once; children are not counted")
    gpu_hours: float | None = Field(description="GPU hours in the period that ends now")
    gpu_days: float = Field(description="Length of that period, in days")
    storage_bytes: int | None = Field(description="Bytes of kept files and of data sets")
    priority: int = Field(description="The highest priority of a job")
    all_queued_jobs: int = Field(description="Submitted jobs of all owners that may be queued at once")


class UsageView(Output):
    """What one owner uses."""

    queued_jobs: int = Field(description="Submitted jobs that are queued now; children are not counted")
    gpu_hours: float = Field(description="GPU hours in the period, those of running jobs with them")
    storage_bytes: int = Field(description="Bytes of kept files and of data sets")


class QuotaView(Output):
    """What the caller may use, and what they use. A submission is refused where a limit is reached."""

    owner: str = Field(description="The caller")
    limits: LimitsView = Field(description="What they may use")
    used: UsageView = Field(description="What they use")
