"""Time as the database sees it: leases and liveness never compare clocks of two machines."""

from datetime import datetime, timedelta

from sqlalchemy import Function, func


def now() -> Function[datetime]:
    """This moment, not the transaction's beginning."""
    return func.clock_timestamp()


def seconds(count: float) -> Function[timedelta]:
    """An interval of so many seconds."""
    return func.make_interval(0, 0, 0, 0, 0, 0, count)
