"""What must hold of any document: it is accepted and works, or it is refused at its place and at once."""

import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.space import GrammarError, SearchSpace, space_from_json, space_size, space_to_json
from app.space.limits import LIMITS
from app.space.validity import space_faults
from tests.contracts import fuzz_all

Json = Any
SECONDS = 0.1  # of CPU time, from the document to its refusal
TRIES = 5  # a busy machine may be slow once; then the document is read again


@pytest.fixture
def judged() -> Callable[[Json], SearchSpace | None]:
    """Call it with a document for its space, or None where it was refused as it should be."""
    return judge


def judge(document: Json) -> SearchSpace | None:
    space, error, elapsed = read(document)
    if space is not None:
        assert_alive(space)
        return space
    assert error is not None
    for _ in range(TRIES):
        if elapsed > SECONDS:
            elapsed = min(elapsed, read(document)[2])
    assert elapsed <= SECONDS, (elapsed, str(error)[:200])
    assert error.faults[0].pointer == error.pointer
    assert len(error.faults) <= LIMITS.faults
    for fault in error.faults:
        assert resolves(document, fault.pointer), (fault.pointer, fault.message)
        assert 0 < len(fault.message) < 1_000
    return None


def read(document: Json) -> tuple[SearchSpace | None, GrammarError | None, float]:
    """(the space, or the error, CPU seconds)."""
    before = time.process_time()
    try:
        return space_from_json(document), None, time.process_time() - before
    except GrammarError as error:
        return None, error, time.process_time() - before


def resolves(document: Json, at: str) -> bool:
    """Whether a JSON pointer leads somewhere, or to where something is missing."""
    if not at:
        return True
    *path, last = (token.replace("~1", "/").replace("~0", "~") for token in at.split("/")[1:])
    for token in path:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return False
    return isinstance(document, dict) or (isinstance(document, list) and last.isdecimal() and int(last) < len(document))


def assert_alive(space: SearchSpace) -> None:
    """What any accepted space can do."""
    plan = space.plan
    if not space.equivalences and not space.constraints:  # what they cost is another matter
        assert space_size(space).raw.exact == space_size(space).valid.exact == plan.size > 0
    for genotype in plan.sample(Random(0), 3):
        assert space.constraints or space_faults(space, genotype) == ()
        assert plan.unrank(plan.rank(genotype)) == genotype
        assert plan.write(plan.read(genotype)) == genotype
    for odd in (None, [], {}, "a", 1, [[]], {"": None}):
        assert (plan.index(odd) is None) == bool(plan.check(odd))
    document = space_to_json(space)
    assert space_from_json(json.loads(json.dumps(document))).digest == space.digest


@pytest.fixture(scope="module")
def known(api: TestClient) -> dict[str, str]:
    """Path parameters that name something: random ones end in a 404 and go no further."""
    names = fuzz_all.known(api)
    api.post(f"/v1/jobs/{names['job_id']}/cancel")  # a stream of its events ends
    return names
