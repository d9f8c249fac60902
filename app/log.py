"""The log lines of every process: one JSON object a line on standard error, or colours for people on a terminal.

| field | means |
| --- | --- |
| timestamp, level, logger, event | when (UTC), how serious, which module, what happened |
| process | `api`, `worker`, `job` or `supervisor` |
| request_id | of the request that is answered, and of the one that submitted a job |
| job, kind, attempt, fence, worker | the job, and who runs it under which right |
| method, route, status, ms, owner, key | of a request: its route's template, milliseconds until the answer began |

No line holds a request's body, a password or the secret of a key: what looks like one is blotted out.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

BLOT = "***"
SECRETS = re.compile(r"(?<=://)([^\s:/@]*):[^\s@/]+(?=@)|\b(cellar_[0-9A-Za-z]+)_[0-9A-Za-z_-]{8,}")
"""Passwords in URLs, and the secrets of keys."""

_always: dict[str, object] = {}  # of this process; context variables would not reach its threads


def always(**fields: object) -> None:
    """Give every line of this process these fields."""
    _always.update(fields)


def configure(*, stream: TextIO | None = None, **fields: object) -> None:
    """Send structlog and the standard library's logging to one stream, each line with these fields."""
    always(**fields)
    written: TextIO = stream or sys.stderr
    people = written.isatty()
    before: list[Processor] = [
        _merge_always,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    shown: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if people
        else [structlog.processors.dict_tracebacks, blotted, structlog.processors.JSONRenderer(default=str)]
    )
    handler = logging.StreamHandler(written)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):  # each would write in its own shape
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("alembic", "amqp", "celery", "httpx", "kombu"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _merge_always(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**_always, **line}


def blotted(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line without what it must not tell."""
    return {name: without_secrets(value) for name, value in line.items()}


def without_secrets(value: Any) -> Any:
    """The same text, or the same structure of texts, with every secret blotted out."""
    match value:
        case str():
            return SECRETS.sub(lambda found: f"{found[2]}_{BLOT}" if found[2] else f"{found[1]}:{BLOT}", value)
        case dict():
            return {name: without_secrets(one) for name, one in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [without_secrets(one) for one in cast("list[Any]", value)]
        case _:
            return value
