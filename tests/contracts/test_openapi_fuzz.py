"""Requests made from our own OpenAPI, well formed and not: no server error, no answer that is not documented."""

from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.main import create_app
from app.settings import Settings
from tests.contracts.fuzz_all import excluded

EXAMPLES = 6  # of each route, mode and place; more find nothing new and take minutes
ROUTES = 70  # at least; fewer would mean that the schema is not read


@pytest.mark.parametrize("place", ["anywhere", "known"])
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.name.lower())
def test_every_route_keeps_its_word(
    known: Mapping[str, str],
    api_settings: Settings,
    subtests: pytest.Subtests,
    mode: schemathesis.GenerationMode,
    place: str,
) -> None:
    # No worker takes what is submitted.
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(api_settings))
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > ROUTES
    fixed = known if place == "known" else {}
    by_name = {check.__name__: check for check in (positive_data_acceptance, negative_data_rejection)}
    for operation in operations:
        parameters = {parameter.name for parameter in operation.iter_parameters()}
        nothing_to_break = mode is schemathesis.GenerationMode.NEGATIVE and not (parameters or operation.body)
        if nothing_to_break or (fixed and not parameters & set(fixed)):
            continue
        without = [by_name[n] for n in excluded(parameters, body=bool(operation.body), known=bool(fixed))]
        with subtests.test(operation.label):
            keeps_its_word(operation, mode, fixed, without)


def keeps_its_word(operation: Any, mode: schemathesis.GenerationMode, fixed: Mapping[str, str], without: list) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.path_parameters.update({k: v for k, v in fixed.items() if k in case.path_parameters})
        case.call_and_validate(excluded_checks=without)

    ask()
