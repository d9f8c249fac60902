"""What a worker's GPU does comes with its pulse to whoever asks for the workers or scrapes."""

from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database
from app.embedded import wait_until
from app.settings import Settings
from workers.runner import Runner


def test_use_of_a_gpu_is_told_with_the_pulse(
    api: TestClient, api_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda _: SimpleNamespace(used=3000, total=8000))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda _: SimpleNamespace(gpu=50))
    settings = api_settings.model_copy(update={"data_root": tmp_path, "lease_seconds": 1.0})
    assert settings.database_url is not None
    database = Database(settings.database_url)
    runner = Runner(settings, database, None, ["GPU-a"], spares=False)
    runner.start()
    try:

        def told() -> bool:
            (worker,) = api.get("/v1/workers").json()["items"]
            return (worker["gpu_utilisation"], worker["gpu_memory_used"], worker["gpu_memory_total"]) == (
                0.5,
                3000,
                8000,
            )

        assert wait_until(told, 10, pause=0.1)
        assert 'cellar_gpu_memory_used_bytes{gpu="GPU-a"} 3000.0' in api.get("/metrics").text
    finally:
        runner.stop()
        database.dispose()
