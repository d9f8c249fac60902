"""The public face of floor 0, and that it stands on the standard library alone."""

import subprocess
import sys

import app.space
from app.space import zoo


def test_everything_exported_is_there_and_listed_once() -> None:
    for module in (app.space, zoo):
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)
        assert all(getattr(module, name).__doc__ for name in module.__all__ if callable(getattr(module, name)))


def test_the_zoo_is_named_as_it_names_itself() -> None:
    assert {name: space.name for name, space in zoo.ZOO.items()} == {name: name for name in zoo.ZOO}
    assert {"simple_cell", "nasbench201", "darts", "chain"} <= set(zoo.ZOO)
    assert all(space.title for space in zoo.ZOO.values())
    assert zoo.ZOO["darts"].paper.endswith("1806.09055")
    assert zoo.ZOO["nasbench201"].paper.endswith("2001.00326")


def test_nothing_but_the_standard_library_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules); import app.space, app.space.zoo, app.space.textbook;"
        "names = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(names - set(sys.stdlib_module_names) - {'app'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
