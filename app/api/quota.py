"""What a caller may use, and what they use."""

from dataclasses import asdict

from fastapi import APIRouter

from app.api.dependencies import ServicesHere
from app.api.schemas.quota import LimitsView, QuotaView, UsageView
from app.jobs import limits_of, usage_of

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get("/quota")
def get_quota(services: ServicesHere) -> QuotaView:
    """The caller's own limits, and how much of them is used."""
    owner = services.caller.owner
    with services.database.transaction() as session:
        limits = limits_of(session, services.settings, owner)
        used = usage_of(session, limits, owner)
    return QuotaView(owner=owner, limits=LimitsView(**asdict(limits)), used=UsageView(**asdict(used)))
