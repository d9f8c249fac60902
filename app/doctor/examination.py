"""All checks at once, each within its time."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from app.doctor import files, leftovers, machine, programs, servers
from app.doctor.finding import Finding, failure, one_line
from app.settings import VARIABLES, Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the machine."""

    name: str
    look: Callable[[Settings], Iterable[Finding]]
    seconds: float  # after which it counts as failed


CHECKS = (
    Check("port", machine.port, 5),
    Check("data root", machine.data_root, 5),
    Check("disk", machine.disk, 5),
    Check("torch", programs.torch, programs.TORCH_SECONDS + 2),
    Check("engines", programs.engines, 2 * programs.SERVER_SECONDS + 2),
    Check("database", servers.database, 10),
    Check("broker", servers.broker, 10),
    Check("store", files.store, 15),
    Check("leftovers", leftovers.leftovers, 5),
)


def examine(settings: Settings, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Run every check, all of them at once; never longer than the longest of their times.

    Returns:
        What each check found, in their order; also what a check had found before it failed or took too long.
    """
    started = time.monotonic()
    found: list[list[Finding]] = [[] for _ in checks]

    def look(check: Check, into: list[Finding]) -> None:
        try:
            for finding in check.look(settings):  # one by one: what comes before a failure is kept
                into.append(finding)
        except Exception as error:  # whatever it is, the other checks have their say
            into.append(failure(check.name, f"{type(error).__name__}: {one_line(error)}", "see what the message names"))

    # Daemons: one that hangs in a system call does not keep this process from ending.
    threads = [
        threading.Thread(target=look, args=(check, into), daemon=True)
        for check, into in zip(checks, found, strict=True)
    ]
    for thread in threads:
        thread.start()
    findings: list[Finding] = []
    for check, thread, into in zip(checks, threads, found, strict=True):
        thread.join(max(0.0, started + check.seconds - time.monotonic()))
        findings += into[:]
        if thread.is_alive():
            findings.append(
                failure(check.name, f"took longer than {check.seconds:g} s", "see whether that disk or host hangs")
            )
    return findings


def refused(error: ValidationError) -> list[Finding]:
    """Settings that cannot be: nothing else can be looked at then."""
    findings: list[Finding] = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else "settings"
        variable = VARIABLES.get(name, name)
        findings.append(failure("settings", f"{variable}: {fault['msg']}", f"correct {variable}"))
    return findings
