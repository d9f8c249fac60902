"""Peak memory of architectures, without torch: peak_memory(graph, batch_size=..., direction=...) -> PeakMemory."""

from app.architecture.memory.peak import (
    ERROR,
    Held,
    MemoryDirection,
    MemoryPrecision,
    Optimiser,
    PeakMemory,
    peak_memory,
)

__all__ = ["ERROR", "Held", "MemoryDirection", "MemoryPrecision", "Optimiser", "PeakMemory", "peak_memory"]
