"""No code here runs what it was given to read (pickles, expressions, shells), nor connects where it is told to."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.architecture.source.pieces import LOADING, READING

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("app", "workers", "migrations") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
CLIENTS = {"httpx", "requests", "urllib.request", "http.client", "aiohttp", "urllib3", "s3fs", "fsspec", "datasets"}
CONNECTING = {  # files that connect, and where to
    "app/demo.py": "the service that it has started, or was told on the command line",
    "app/supervisor.py": "the API process that it has started",
    "app/doctor/machine.py": "the port of the settings",
    "app/store/bucket.py": "the bucket of the settings",
}
RUNNING = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def dotted(node: ast.expr) -> str:
    """The name that is called, e.g. `torch.load`; empty for what has none."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case _:
            return ""


def constant(call: ast.Call, name: str) -> object:
    """What a keyword is given, if that is a constant; None where it is not given."""
    found = next((k.value for k in call.keywords if k.arg == name), ast.Constant(None))
    return found.value if isinstance(found, ast.Constant) else found


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names):
            return [module or "", *(f"{module}.{alias.name}" for alias in names)]
        case _:
            return []


def faults(source: str) -> Iterator[str]:
    """What a source does that it should not."""
    for node in ast.walk(ast.parse(source)):
        yield from (f"line {node.lineno}: imports {n}" for n in imported(node) if n.partition(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        at = f"line {node.lineno}: {name}"
        if name in RUNNING | SHELLS:
            yield at
        if name == "torch.load" and constant(node, "weights_only") is not True:
            yield f"{at} without weights_only=True"
        if last in ("load", "read_array", "fromfile") and constant(node, "allow_pickle") not in (None, False):
            yield f"{at} with allow_pickle"
        if constant(node, "shell") not in (None, False):
            yield f"{at} with shell"
        if last in ("torch_load", "read_pickle", "load_pickle"):
            yield at


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=flag)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "pandas.read_pickle(path)",
    ],
)
def test_each_of_them_is_found(source: str) -> None:
    assert list(faults(source))


def test_what_is_allowed_is_not() -> None:
    assert not list(faults("torch.load(path, weights_only=True); np.load(path, allow_pickle=False); re.compile('a')"))


def test_none_of_our_files_has_one() -> None:
    assert len(FILES) > 200
    found = {str(file.relative_to(ROOT)): list(faults(file.read_text())) for file in FILES}
    assert {file: said for file, said in found.items() if said} == {}


def test_nor_has_the_source_that_is_written_for_networks() -> None:
    assert list(faults(READING)) == []
    assert list(faults(f"class Network:\n{LOADING}")) == []


def test_nothing_that_answers_or_works_connects_elsewhere() -> None:
    connecting = {
        str(file.relative_to(ROOT))
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if CLIENTS & set(imported(node))
    }
    assert connecting == set(CONNECTING)
