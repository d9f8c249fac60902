"""What continuous integration makes of a report on known vulnerabilities."""

import importlib.util
import json
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
HEALTHY = {"name": "httpx", "version": "0.28.1", "vulns": []}
UNKNOWN = {"name": "cellar", "skip_reason": "Dependency not found"}
FAULTY = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": ["CVE-2014-1402"]}],
}


@pytest.mark.parametrize(
    ("dependencies", "excused", "status", "said"),
    [
        ([HEALTHY], {}, 0, "1 of 1 packages audited, 0 known vulnerabilities"),
        ([HEALTHY, FAULTY], {}, 1, "VULNERABLE jinja2 2.4.1: PYSEC-2014-8; fixed in 2.7.2"),
        (
            [FAULTY],
            {"PYSEC-2014-8": "no template is read"},
            0,
            "excused jinja2 2.4.1: PYSEC-2014-8: no template is read",
        ),
        ([FAULTY], {"CVE-2014-1402": "no template is read"}, 0, "1 of 1 packages audited, 1 known vulnerabilities"),
        ([HEALTHY], {"PYSEC-2014-8": "no template is read"}, 1, "STALE PYSEC-2014-8"),
        ([HEALTHY, UNKNOWN], {"PYSEC-2014-8": "no template is read"}, 0, "unknown to the service: cellar"),
        ([UNKNOWN], {}, 0, "NOT AUDITED: the service knows none of the 1 packages"),
        (None, {}, 0, "NOT AUDITED: the service of known vulnerabilities did not answer"),
    ],
)
def test_only_a_known_vulnerability_fails(
    dependencies: list | None, excused: dict[str, str], status: int, said: str
) -> None:
    spec = importlib.util.spec_from_file_location("audit", AUDIT)
    assert spec is not None
    assert spec.loader is not None
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    report = "" if dependencies is None else json.dumps({"dependencies": dependencies, "fixes": []})
    judged, lines = audit.verdict(report, excused)
    assert judged == status
    assert any(said in line for line in lines), lines
