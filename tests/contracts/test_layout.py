"""The layout says what it promises: floors, names, sizes of modules, two commands."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [p for top in ("app", "workers", "migrations") for p in sorted((ROOT / top).rglob("*.py"))]
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "constants", "manager"}
DESIGNED = {
    "pyproject.toml", "app", "workers", "migrations", "docker-compose.yml", "Dockerfile", "tests", "README.md",
    "docs", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "requirements.lock",
}  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    bin_folder = Path(sys.executable).parent
    return subprocess.run([bin_folder / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)


def test_imports_only_go_down_the_floors() -> None:
    done = run("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", ".")], ids=["lint", "format"]
)
def test_style(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_one_noun_and_a_readable_length() -> None:
    assert len(MODULES) > 30
    assert not [p for p in MODULES if p.stem in VAGUE]
    assert not [str(p) for p in MODULES if "versions" not in p.parts and len(p.read_text().splitlines()) > 400]


def test_the_top_level_is_as_designed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {name.split("/")[0] for name in listed if name and not name.startswith(".")} == DESIGNED


def test_no_branch_on_the_name_of_a_space_outside_its_floor() -> None:
    """Meaning is in `lower`, names are in `zoo`: nothing else compares with a space's name."""
    from app.space.zoo import ZOO

    found: list[str] = []
    for path in MODULES:
        if {"zoo", "lower"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Compare(left, _, others) if any(is_name(x, ZOO) for x in [left, *others]):
                    asked = ast.unparse(node)
                case ast.Match(subject, cases) if any(is_name(v, ZOO) for case in cases for v in values(case.pattern)):
                    asked = ast.unparse(subject)
                case _:
                    continue
            # "chain" and "darts" also name a family of skeletons and a strategy: then the subject says so.
            if not re.search(r"(family|strategy|discretisation|builds)", asked):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found


def values(pattern: ast.pattern) -> list[ast.expr]:
    return [node.value for node in ast.walk(pattern) if isinstance(node, ast.MatchValue)]


def is_name(node: ast.expr, names: object) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return text in names  # type: ignore[operator]
        case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts):
            return any(is_name(e, names) for e in elts)
        case _:
            return False


def quick_start() -> list[str]:
    text = (ROOT / "README.md").read_text()
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    assert sections[0].startswith("Quick start"), "the first section is the quick start"
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", sections[0], re.S)]


def test_the_quick_start_is_two_complete_commands() -> None:
    demo, tests = quick_start()
    for command in (demo, tests):
        assert "\n" not in command
        assert command.startswith("python3.11 -m venv .venv && .venv/bin/pip install -q -r requirements.lock -e . && ")
    assert demo.endswith(".venv/bin/cellar demo")
    assert re.search(r"&& \.venv/bin/pytest( -\S+( \S+)?)*$", tests)


def test_the_lock_holds_an_exact_version_of_every_dependency() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    locked = dict(
        line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0] != "#"
    )
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement
    assert locked["torch"] == "2.13.0"
