"""What is counted of requests: by the template of their route, never by what clients make up."""

import re

from fastapi.testclient import TestClient


def counted(api: TestClient, handler: str, method: str, status: str) -> float:
    labels = f'handler="{handler}",method="{method}",status="{status}"'
    found = re.search(rf"^http_requests_total{{{re.escape(labels)}}} (\S+)$", api.get("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


def test_requests_are_counted_by_route_method_and_status(api: TestClient) -> None:
    cases = [
        ("GET", "/v1/spaces/darts@1/size", "/v1/spaces/{space}/size", "2xx"),
        ("HEAD", "/v1/spaces/darts@1/size", "/v1/spaces/{space}/size", "2xx"),
        ("GET", "/v1/spaces/nowhere", "/v1/spaces/{space}", "4xx"),
        ("POST", "/v1/spaces/darts/validate", "/v1/spaces/{space}/validate", "4xx"),
        ("GET", "/v1/made-up", "none", "4xx"),
        ("BREW", "/v1/spaces", "/v1/spaces", "4xx"),
    ]
    for method, path, handler, status in cases:
        known = method if method != "BREW" else "other"
        before = counted(api, handler, known, status)
        api.request(method, path)
        assert counted(api, handler, known, status) == before + 1, (method, path)


def test_answers_are_timed_and_what_asks_for_counts_is_not_counted(api: TestClient) -> None:
    api.get("/healthz")
    api.get("/v1/spaces")
    text = api.get("/metrics").text
    assert re.search(r'http_request_duration_seconds_count{handler="/v1/spaces",method="GET"} [1-9]', text)
    assert "/healthz" not in text
    assert 'handler="/metrics"' not in text
