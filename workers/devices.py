"""The GPUs of this host, asked of the driver: torch must not be imported before one of them is chosen."""

import structlog

log = structlog.get_logger(__name__)


def gpu_uuids() -> list[str]:
    """UUIDs of the NVIDIA devices of this host in the driver's order; none where there is no driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.info("no GPU", reason=str(error))
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def visible(uuids: list[str], wanted: str | None) -> list[str]:
    """Those devices that CUDA_VISIBLE_DEVICES leaves, as UUIDs or as numbers in the driver's order; all where unset.

    As CUDA does, the list ends at the first entry that names no device; UUIDs may be shortened.
    """
    if wanted is None:
        return uuids
    left: list[str] = []
    for entry in filter(None, (part.strip() for part in wanted.split(","))):
        named = [uuids[int(entry)]] if entry.isdigit() and int(entry) < len(uuids) else []
        named = named or [uuid for uuid in uuids if uuid.startswith(entry)]
        if len(named) != 1:
            break
        left += named
    return left
