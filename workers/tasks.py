"""Job kinds by name."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from app.experiment import JobResult
from workers.progress import Progress

KINDS: Mapping[str, str] = {
    "search": "workers.search:run",
    "discrete_search": "workers.discrete.handler:run",
    "comparison": "workers.comparison.handler:run",
    "training": "workers.train:run",
    "transfer": "workers.transfer:run",
    "judging": "workers.judge:run",
    "count": "workers.count:run",
    "profile": "workers.profile:run",
    "dataset": "workers.dataset:run",
    "table": "workers.table:run",
}
"""A kind's handler, `def run(request: ARequest, progress: Progress) -> JobResult`, by name: nothing is imported yet."""

TORCH_KINDS = frozenset({"search", "training", "transfer", "judging", "profile"})
"""Kinds whose child is taken from those that have torch imported already; any other never imports it."""

Handler = Callable[[Any, Progress], JobResult]


class UnknownKind(LookupError):
    """No handler is known for a job's kind."""


def handler_of(kind: str, kinds: Mapping[str, str]) -> tuple[Handler, Any]:
    """The handler of a kind and the type of its request, which its first parameter says.

    Raises UnknownKind.
    """
    if kind not in kinds:
        raise UnknownKind(f"no handler for job kind {kind!r}; there are {sorted(kinds)}")
    module, _, name = kinds[kind].partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)
    hints = get_type_hints(handler)
    hints.pop("return", None)
    return handler, next(iter(hints.values()))
