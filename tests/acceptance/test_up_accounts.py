"""`cellar up` as an ordinary user, also where root runs the tests."""

import os
import pwd
import shutil
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import app
from app.embedded.account import Account


def reachable_python(account: Account, directory: Path) -> Path | None:
    """An interpreter with our packages that `account` can run; None where the packages themselves are out of reach.

    Root may have an interpreter of its own in its home. The account then gets its files by hard links, or by copies.
    """
    executable, packages = Path(sys.executable), Path(urllib.request.__file__)
    ours = [Path(app.__file__ or ""), Path(next(path for path in sys.path if path.endswith("site-packages"))) / "x"]
    if any(account.barrier(path) is not None for path in ours):
        return None
    if all(account.barrier(path.resolve()) is None for path in (executable, packages)):
        return executable
    base, copy = Path(sys.base_prefix), directory / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"

    def take(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    passed_over = shutil.ignore_patterns("site-packages", "test", "idlelib", "config-*", "ensurepip", "__pycache__")
    shutil.copytree(base / "lib" / version, copy / "lib" / version, copy_function=take, ignore=passed_over)
    for library in (base / "lib").glob("libpython*"):
        take(str(library), str(copy / "lib" / library.name))
    (copy / "bin").mkdir()
    take(str(executable.resolve()), str(copy / "bin" / version))
    environment = directory / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(copy / "bin" / version)
    (environment / "lib" / version).mkdir(parents=True)
    (environment / "lib" / version / "site-packages").symlink_to(ours[1].parent)
    (environment / "pyvenv.cfg").write_text(f"home = {copy / 'bin'}\n")
    return environment / "bin" / "python"


def test_up_as_an_ordinary_user(cellar: Callable[..., Any], open_directory: Path) -> None:
    me = pwd.getpwuid(os.geteuid())
    python = Path(sys.executable)
    if me.pw_uid == 0:
        nobody = pwd.getpwnam("nobody")
        reached = reachable_python(Account("nobody", nobody.pw_uid, nobody.pw_gid), open_directory)
        if reached is not None:
            me, python = nobody, reached
    home = open_directory / "home"
    home.mkdir()
    os.chown(home, me.pw_uid, me.pw_gid)
    data_root = home / ".local" / "share" / "cellar"  # an ordinary user's data root where nothing else is said
    environment = {"HOME": str(home), "XDG_DATA_HOME": ""}
    if python != Path(sys.executable):
        environment["LD_LIBRARY_PATH"] = str(open_directory / "python" / "lib")
    if me.pw_uid == 0:
        environment["CELLAR_DATA_ROOT"] = str(data_root)
    up = cellar(
        *("up", "--port", "0", "--workers", "0"),
        environment=environment,
        python=python,
        user=me.pw_uid if me.pw_uid != os.geteuid() else None,
    )
    up.wait_for("Ctrl-C stops everything.")
    with urllib.request.urlopen(f"{up.url}/readyz", timeout=5) as answer:
        assert answer.status == 200
    servers = [pid for pid, line in up.look().items() if "valkey-server" in line or f"-D {data_root}" in line]
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in servers}
    assert len(servers) == 2
    assert 0 not in owners
    if me.pw_uid != 0:
        assert owners == {me.pw_uid}
        assert {path.stat().st_uid for path in data_root.rglob("*")} == {me.pw_uid}
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(15) == 0, up.output
    assert up.left() == {}
