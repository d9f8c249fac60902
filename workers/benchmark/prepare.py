"""Rows of a table as rows of the catalogue: genotypes read and judged, architectures identified and priced."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from app.architecture import LoweringError, architecture_id, faults_of, price_of
from app.architecture.formats import JSON, FormatError, formats_of, read_format
from app.space import InvalidGenotype, SearchSpace, Skeleton, space_from_json
from workers.benchmark.rows import Row, TableError, rows_of

REPORTED = 100  # refusals that are named one by one
REMEMBERED = 1 << 16  # members whose identity and price are kept: other seeds of them follow soon
MOST_SEEDS = 64
MOST_SERIES = 16  # results of one architecture that differ, for one seed
SHOWN = 200  # characters of a value in a refusal
MAX_COST = 2**53  # params or MACs: they travel as JSON numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRequest:
    """What to read, and what of it."""

    path: str
    prepared: str  # the file to write: one JSON object a line, of a row that is sound and new
    space: Mapping[str, Any]  # a space document
    skeleton: str  # name of one of its skeletons
    format: str
    genotype: str  # column
    metrics: Mapping[str, str]  # column of each metric
    seed: str | int  # column, or the seed of all rows
    fractions: bool = False  # accuracies are in [0, 1], not in percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What became of the rows: sound + repeated + refused = rows."""

    rows: int
    sound: int
    repeated: int  # an earlier row has the same architecture, seed and values
    refused: int
    series: tuple[tuple[int, int], ...]  # seed and number: isomorphic genotypes may have results that differ
    refusals: tuple[Mapping[str, Any], ...]  # the first of them: row (from 1, the header not counted), column, ...


class Refused(ValueError):
    """A row is not written."""

    def __init__(self, column: str | None, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason


def prepare(request: TableRequest) -> Prepared:
    """Write the sound rows to a file. Raises TableError where the table as a whole will not do."""
    try:
        with Path(request.prepared).open("w", encoding="utf-8") as lines:
            return Preparation(request, lines).run()
    except FormatError as error:
        raise TableError(f"{error}; there are {', '.join(map(str, error.allowed))}") from error


class Preparation:
    """One run over a table."""

    def __init__(self, request: TableRequest, lines: TextIO) -> None:
        self._request = request
        self._lines = lines
        self._space = space_from_json(request.space)
        self._skeleton = self._space.skeletons[request.skeleton]
        self._identified = lru_cache(maxsize=REMEMBERED)(_identifier(self._space, self._skeleton))
        self._rows: dict[tuple[int, int], tuple[int, int]] = {}  # by rank and seed: row and hash of its values
        self._results: dict[tuple[bytes, int], list[int]] = {}  # by architecture and seed: hashes of values
        self._series: set[tuple[int, int]] = set()
        self._highest = -math.inf

    def run(self) -> Prepared:
        """Every row, once."""
        asked = self._request
        seed = [asked.seed] if isinstance(asked.seed, str) else []
        named_format(self._space, asked.format)
        rows = sound = repeated = 0
        refusals: list[dict[str, Any]] = []
        refused = 0
        for row in rows_of(Path(asked.path), [asked.genotype, *asked.metrics.values(), *seed]):
            rows += 1
            try:
                if self._take(rows, row):
                    sound += 1
                else:
                    repeated += 1
            except Refused as refusal:
                refused += 1
                if refused <= REPORTED:
                    value = refusal.value if refusal.value is None else str(refusal.value)[:SHOWN]
                    refusals.append(
                        {"row": rows, "column": refusal.column, "value": value, "reason": refusal.reason[:1000]}
                    )
        if sound and not asked.fractions and 0 < self._highest <= 1:
            raise TableError(
                f"no accuracy is above {self._highest}: accuracies are in percent, unless --fractions says otherwise"
            )
        return Prepared(
            rows=rows,
            sound=sound,
            repeated=repeated,
            refused=refused,
            series=tuple(sorted(self._series)),
            refusals=tuple(refusals),
        )

    def _take(self, number: int, row: Row) -> bool:
        """Write a row; False where one before it has said the same. Raises Refused."""
        asked = self._request
        if isinstance(row, str):
            raise Refused(None, None, row)
        metrics = {
            name: self._metric(name, column, value)
            for (name, column), value in zip(asked.metrics.items(), row[1:], strict=False)
        }
        seed = asked.seed if isinstance(asked.seed, int) else _seed(asked.seed, row[-1])
        index = self._rank(row[0])
        try:
            id, params, macs = self._identified(index)
        except LoweringError as error:
            raise Refused(asked.genotype, row[0], str(error)) from error
        values = hash(tuple(metrics.values()))
        first, said = self._rows.setdefault((index, seed), (number, values))
        if said != values:
            raise Refused(asked.genotype, row[0], f"row {first} has the same genotype and seed, and other values")
        results = self._results.setdefault((bytes.fromhex(id), seed), [])
        if values in results:
            return False
        series = len(results)
        if series == MOST_SERIES:
            reason = f"{MOST_SERIES} rows have the same architecture and seed, and other values"
            raise Refused(asked.genotype, row[0], reason)
        results.append(values)
        self._series.add((seed, series))
        if len({seed for seed, _ in self._series}) > MOST_SEEDS:
            raise TableError(f"more than {MOST_SEEDS} seeds; is {asked.seed!r} the column of seeds?")
        self._highest = max(self._highest, metrics.get("accuracy", -math.inf))
        line = {"row": number, "id": id, "index": index, "params": params, "macs": macs, "series": (seed, series)}
        self._lines.write(json.dumps(line | {"metrics": metrics}, separators=(",", ":")) + "\n")
        return True

    def _metric(self, name: str, column: str, value: object) -> float:
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            raise Refused(column, value, "not a number") from None
        if not math.isfinite(number):
            raise Refused(column, value, "not a finite number")
        if name == "accuracy":
            if self._request.fractions:
                number = round(100 * number, 10)  # what the decimals of the table say, not those of binary fractions
            if not 0 <= number <= 100:
                allowed = "[0, 1]" if self._request.fractions else "[0, 100] percent"
                raise Refused(column, value, f"an accuracy is in {allowed}")
        return number

    def _rank(self, value: object) -> int:
        """The rank of a valid member. A text may hold a document of the format."""
        space, column = self._space, self._request.genotype
        try:
            genotype = self._read(value)
            if faults := faults_of(space, genotype):
                raise InvalidGenotype(faults)
            return space.plan.rank(genotype)
        except (InvalidGenotype, FormatError, RecursionError) as error:
            raise Refused(column, value, str(error) or "too deep") from error

    def _read(self, value: object) -> Any:
        space, name = self._space, self._request.format
        document = _document(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"') else None
        if name == JSON.name:
            return value if document is None else document
        if document is None:
            return read_format(space, name, value)
        try:
            return read_format(space, name, document)
        except FormatError:
            return read_format(space, name, value)


def named_format(space: SearchSpace, name: str) -> None:
    """Refuse a format that the space's genotypes are not written in. Raises FormatError."""
    names = tuple(format.name for format in formats_of(space))
    if name not in names:
        raise FormatError("", f"genotypes of {space.name} are not written as {name!r}", name, names)


def _identifier(space: SearchSpace, skeleton: Skeleton) -> Any:
    """From a rank to the architecture's id, params and MACs."""

    def identified(index: int) -> tuple[str, int, int]:
        price = price_of(space, skeleton, space.input, index)
        if max(price.params, price.macs) >= MAX_COST:
            raise LoweringError("", f"{price.params} params and {price.macs} MACs; at most 2^53 of each can be told")
        return architecture_id(space, skeleton, space.input, space.plan.unrank(index)), price.params, price.macs

    return identified


def _document(text: str) -> Any:
    """The JSON value that a text holds; None where it holds none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _seed(column: str, value: object) -> int:
    """A whole number of 63 bits, written as one."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else -1
    if isinstance(value, bool) or not 0 <= number < 2**63:
        raise Refused(column, value, "a seed is a whole number in [0, 2^63)")
    return number
