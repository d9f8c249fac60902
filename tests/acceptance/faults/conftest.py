"""Seeds of the fault suite, and the installation that its tests share for as long as it is sound."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults.site import Site


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=1, help="run each fault with the seeds 0 to this number, exclusive")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("seeds", default=1)))


class Sites:
    """Gives out one site again and again, and a new one after a test that failed."""

    def __init__(self) -> None:
        self._site: Site | None = None

    def sound(self) -> Site:
        if self._site is not None and not self._site.sound:
            self.close()
        if self._site is None:
            directory = Path(tempfile.mkdtemp(prefix="cellar-faults-", dir="/tmp"))
            directory.chmod(0o755)
            self._site = Site(directory).__enter__()
        return self._site

    def close(self) -> None:
        if self._site is not None:
            self._site.stop()
            shutil.rmtree(self._site.directory)
            self._site = None


@pytest.fixture(scope="session")
def sites() -> Iterator[Sites]:
    kept = Sites()
    yield kept
    kept.close()


@pytest.fixture
def site(sites: Sites) -> Iterator[Site]:
    """An installation with engines and proxies; a test starts API and workers, and ends with `settle`."""
    given = sites.sound()
    given.sound = False
    yield given
    for process in given.workers:
        if process.poll() is None:
            given.sound = False


@pytest.fixture
def rng(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """A generator of the test's own for each seed."""
    return random.Random(request.node.name)  # which holds the seed
