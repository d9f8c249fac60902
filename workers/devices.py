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
