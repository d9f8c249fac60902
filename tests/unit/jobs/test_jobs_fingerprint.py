"""Whether two requests under one idempotency key are the same."""

from app.jobs.submission import request_fingerprint


def test_the_order_of_fields_does_not_matter_and_their_values_do() -> None:
    one = request_fingerprint("search", {"seed": 1, "space": {"name": "darts", "version": 1}})
    assert request_fingerprint("search", {"space": {"version": 1, "name": "darts"}, "seed": 1}) == one
    assert request_fingerprint("search", {"seed": 2, "space": {"name": "darts", "version": 1}}) != one
    assert request_fingerprint("training", {"seed": 1, "space": {"name": "darts", "version": 1}}) != one


def test_lists_keep_their_order() -> None:
    assert request_fingerprint("search", {"a": [1, 2]}) != request_fingerprint("search", {"a": [2, 1]})
