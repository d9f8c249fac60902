"""Who owns the data root, and what an owner that was killed has left running. Only Linux tells of processes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.doctor.finding import Finding, failure, ok, one_line, warning
from app.embedded import DataRootUnusable, NotRunning, find_runtime
from app.settings import Settings

SERVERS = ("postgres", "valkey-server")


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the kernel shows it."""

    pid: int
    parent: int
    name: str
    command: str  # the words of its command line
    directory: Path | None  # where it works; None where this account may not know


def processes(proc: Path = Path("/proc")) -> Mapping[int, Process]:
    """Every process of this machine, by its id; none where the kernel has no /proc."""
    found: dict[int, Process] = {}
    for entry in proc.glob("[0-9]*"):
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = int(rest.split()[1])
        except (OSError, IndexError, ValueError):  # it ended meanwhile
            continue
        try:
            directory = (entry / "cwd").readlink()
        except OSError:
            directory = None
        found[int(entry.name)] = Process(int(entry.name), parent, name, command, directory)
    return found


def leftovers(settings: Settings) -> Iterator[Finding]:
    """The owner of the data root, servers without one, and jobs without a worker."""
    root = settings.data_root
    owned = True
    try:
        runtime = find_runtime(root)
        if runtime is None:
            yield warning("owner", f"another process is just starting the engines of {root}", "wait a moment")
        else:
            yield ok("owner", f"process {runtime.pid} ({runtime.command}) runs the engines of {root}")
    except NotRunning:
        owned = False
        yield ok("owner", f"nobody holds {root}")
    except DataRootUnusable as error:
        yield failure("owner", one_line(error), "run as the account that owns the data root")
    running = processes()
    left = list(abandoned_jobs(running))
    if not owned:
        left += abandoned_servers(running, root)
    yield from left or [ok("leftovers", "no process was left behind")]


def abandoned_servers(running: Mapping[int, Process], root: Path) -> Iterator[Finding]:
    """Servers that work in a data root without an owner; of a family of processes, the head."""
    homes = {root.resolve() / "postgres", root.resolve() / "valkey"}
    found = {pid for pid, one in running.items() if one.directory in homes and one.name in SERVERS}
    for pid in sorted(found):
        if running[pid].parent not in found:
            says = f"{running[pid].name} (process {pid}) still works in {root}, whose owner has ended"
            yield warning("leftovers", says, f"the next `cellar up` ends it; or: kill {pid}")


def abandoned_jobs(running: Mapping[int, Process]) -> Iterator[Finding]:
    """Processes of jobs whose worker has ended."""
    for pid, one in sorted(running.items()):
        worker = running.get(one.parent)
        if " -m workers.run" in one.command and (worker is None or "workers." not in worker.command):
            says = f"process {pid} runs a job without a worker; what it writes is refused"
            yield warning("leftovers", says, f"kill {pid}")
