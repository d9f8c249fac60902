"""What the doctor found: one line each, with what to do about it."""

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    | level | means |
    | --- | --- |
    | ok | it is as it should be |
    | warning | the service runs, but less well or less safely than it could |
    | failure | the service, or a part that was asked for, does not run |
    """

    check: str  # which check found it
    level: Level
    says: str  # what was found, with the value
    remedy: str = ""  # what helps; empty where nothing is wrong

    def as_json(self) -> dict[str, str]:
        """Its four fields, all of them text."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.level:<7}  {self.check}: {self.says}" + (f". Remedy: {self.remedy}" if self.remedy else "")


def ok(check: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", says)


def warning(check: str, says: str, remedy: str) -> Finding:
    """It runs, but should be looked after."""
    return Finding(check, "warning", says, remedy)


def failure(check: str, says: str, remedy: str) -> Finding:
    """It does not run like this."""
    return Finding(check, "failure", says, remedy)


def one_line(error: object) -> str:
    """An error's message on one line: drivers spread theirs over several."""
    return " ".join(str(error).split())
