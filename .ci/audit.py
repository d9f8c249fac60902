"""Known vulnerabilities in the locked versions, by pip-audit; fails where pyproject.toml does not excuse one.

python .ci/audit.py [requirements.lock]

`[tool.cellar.audit.ignore]` in pyproject.toml excuses a vulnerability by its id, with a reason. A service that does not
answer, or knows none of the packages, fails nothing: then it is said loudly that nothing was audited.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 50


def reported(lock: Path) -> str:
    """What pip-audit writes as JSON; nothing where its service does not answer in time."""
    words = [sys.executable, "-m", "pip_audit", "-r", str(lock), "--no-deps", "--disable-pip", "--format", "json"]
    words += ["--progress-spinner", "off", "--timeout", "5"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def verdict(report: str, excused: Mapping[str, str]) -> tuple[int, list[str]]:
    """The exit status, 0 or 1, and what to say."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return 0, ["NOT AUDITED: the service of known vulnerabilities did not answer"]
    audited = [one for one in dependencies if "vulns" in one]
    found = {f"{one['name']} {one['version']}: {vuln['id']}": vuln for one in audited for vuln in one["vulns"]}
    names = {name: {vuln["id"], *vuln.get("aliases", ())} for name, vuln in found.items()}
    lines: list[str] = []
    for name, ids in names.items():
        reason = next((excused[id] for id in ids & set(excused)), None)
        fixed = ", ".join(found[name].get("fix_versions", ())) or "none yet"
        lines.append(f"excused {name}: {reason}" if reason else f"VULNERABLE {name}; fixed in {fixed}")
    stale = set(excused) - {id for ids in names.values() for id in ids} if len(audited) == len(dependencies) else set()
    lines += [f"STALE {id} is excused in pyproject.toml, and nothing has it any more" for id in sorted(stale)]
    unknown = [one["name"] for one in dependencies if "vulns" not in one]
    if not audited:
        lines.append(f"NOT AUDITED: the service knows none of the {len(dependencies)} packages")
    elif unknown:
        lines.append(f"not audited, unknown to the service: {', '.join(unknown)}")
    lines.append(f"{len(audited)} of {len(dependencies)} packages audited, {len(found)} known vulnerabilities")
    return int(any(line.startswith(("VULNERABLE", "STALE")) for line in lines)), lines


def main() -> None:
    """Audit, say and exit."""
    lock = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "requirements.lock"
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    status, lines = verdict(reported(lock), tools["cellar"]["audit"]["ignore"])
    print("\n".join(f"audit: {line}" for line in lines))
    sys.exit(status)


if __name__ == "__main__":
    main()
