"""Which network a deployment's settings give."""

from pathlib import Path

import pytest
import torch

from app.architecture import lower
from app.space import ImageInput
from app.space.zoo import ZOO
from workers.rewritten import rewritten
from workers.supernet.native import BuildError, build
from workers.supernet.rewrite import FusedNetwork, NativeNetwork

SPACE = ZOO["nasbench201"]
GRAPH = lower(SPACE.grammar, SPACE.skeletons["small"], ImageInput(channels=3, height=8, width=8))
CPU = torch.device("cpu")


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLAR_NATIVE", "off")
    assert type(rewritten(GRAPH, CPU)) is FusedNetwork
    monkeypatch.setenv("CELLAR_NATIVE", "require")
    assert type(rewritten(GRAPH, torch.device("cuda"))) is FusedNetwork
    monkeypatch.setattr("workers.rewritten.kernels", lambda native, folder, note: native == "require")
    assert type(rewritten(GRAPH, CPU)) is NativeNetwork


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "COMPILERS", ("no-such-compiler",))
    monkeypatch.setenv("CELLAR_CACHE_ROOT", str(tmp_path))
    monkeypatch.setenv("CELLAR_NATIVE", "auto")
    told: list[str] = []
    assert type(rewritten(GRAPH, CPU, told.append)) is FusedNetwork
    (note,) = told
    assert note.startswith("without kernels:")
    monkeypatch.setenv("CELLAR_NATIVE", "require")
    with pytest.raises(BuildError):
        rewritten(GRAPH, CPU)
