"""The handler of comparisons: runs of every strategy and seed, and the report on all of them.

evaluator              the runs are
catalogue, proxies     made one after the other in this process, on one table or one batch (`inside`)
training, inherited    searches of their own, jobs that this one waits for (`children`)
"""

from app.experiment.comparison import ComparisonRequest
from app.experiment.job import JobResult
from workers.comparison.children import joined
from workers.comparison.inside import Inside
from workers.progress import Progress


def run(request: ComparisonRequest, progress: Progress) -> JobResult:
    """Compares, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop, Waiting where runs
    are jobs of their own, and NoRun where there is nothing to report on."""
    match request.search.evaluator.kind:
        case "catalogue" | "proxies":
            return Inside(request, progress).run()
        case "training" | "inherited":
            return joined(request, progress)
