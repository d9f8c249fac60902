"""Where the results that searches are judged by come from: the published tables among them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, or_, select
from sqlalchemy.orm import Session

from app.catalogue.repositories.benchmarks import KIND
from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts
from app.catalogue.tables import cohorts, evaluations, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A table that results were imported from."""

    file: str
    source: str
    licence: str
    sha256: str  # of the file


def tables_behind(session: Session, wanted: EvaluationQuery, as_of: datetime) -> tuple[Origin, ...]:
    """The tables of which the viewer sees results in these cohorts that were there at a moment, by their checksums."""
    results = (
        select(evaluations.c.id)
        .join(cohorts)
        .where(evaluations.c.job_id == jobs.c.id, of_cohorts(wanted), evaluations.c.created_at <= as_of)
    )
    table = jobs.c.request["table"]
    fields = [table[name].as_string().cast(Text).label(name) for name in ("file", "source", "licence", "sha256")]
    seen = or_(jobs.c.owner == wanted.viewer, jobs.c.visibility == "public")
    found = select(*fields).where(jobs.c.kind == KIND, seen, results.exists()).distinct()
    return tuple(sorted((Origin(**row) for row in session.execute(found).mappings()), key=lambda o: o.sha256))
