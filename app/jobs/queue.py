"""The queue: names, Celery's settings, and the broker as a publisher of hints sees it.

A message says only "there may be work"; which job is taken is decided in PostgreSQL. It may be lost, doubled or late.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from app.experiment import Queue

if TYPE_CHECKING:
    from celery import Celery  # pyright: ignore[reportMissingTypeStubs]
    from kombu.connection import Connection

QUEUES: tuple[Queue, ...] = ("gpu", "cpu")
WORK = "cellar.work"  # the one task: look for work in your queues now

# Seconds. Long enough for a broker that swaps, short enough that a publisher notices a dead one.
SOCKET_SECONDS = 5
CONNECT_SECONDS = 2
HEALTH_SECONDS = 5


class BrokerDown(Exception):
    """The broker did not take a hint or did not answer; the hint is still owed."""


def celery_app(broker_url: str) -> "Celery":
    """A Celery application without a result backend that takes JSON only and acknowledges early."""
    # Here: an API process answers before its publisher has loaded all this.
    from celery import Celery  # pyright: ignore[reportMissingTypeStubs]
    from kombu.entity import Queue as KombuQueue

    app = Celery("cellar", broker=broker_url, set_as_current=False)
    cast("Any", app).conf.update(
        task_queues=[KombuQueue(name) for name in QUEUES],
        task_default_queue="cpu",
        task_acks_late=False,
        task_ignore_result=True,
        result_backend=None,
        accept_content=["json"],
        task_serializer="json",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "health_check_interval": HEALTH_SECONDS,
        },
    )
    return app


class Broker:
    """One connection for publishing. Not for several threads at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    @cached_property
    def _app(self) -> "Celery":
        return celery_app(self._url)

    def depth(self, queues: Iterable[Queue] = QUEUES) -> Mapping[Queue, int]:
        """How many hints lie in each queue. Raises BrokerDown."""
        try:
            channel = cast("Any", self._connected().default_channel)
            return {queue: int(channel.queue_declare(queue=queue).message_count) for queue in queues}
        except Exception as error:  # the client library, its transport and the socket each raise their own
            raise self._down(error) from error

    def hint(self, queue: Queue) -> None:
        """Publish one hint. Raises BrokerDown."""
        try:
            cast("Any", self._app).send_task(
                WORK, queue=queue, connection=self._connected(), retry=False, ignore_result=True
            )
        except Exception as error:
            raise self._down(error) from error

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _connected(self) -> "Connection":
        if self._connection is None:
            connection = cast("Connection", cast("Any", self._app).connection_for_write())
            self._connection = connection
            cast("Any", connection).ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        return self._connection

    def _down(self, error: Exception) -> BrokerDown:
        self.close()
        return BrokerDown(f"{type(error).__name__}: {error}")
