"""The matrix and the operations of a NAS-Bench-101 cell (Ying et al., 2019, `nasbench/lib/model_spec.py`).

    {"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv3x3-bn-relu", "output"]}

`matrix[i][j]` is 1 where an edge leads from vertex i to vertex j; it is upper-triangular. A matrix that is not itself
one of the space's, by its vertices or their operations, is read without those on no way from input to output.
"""

from collections.abc import Sequence
from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.space import Fault, Genotype, InvalidGenotype, Record, Scalar, SearchSpace
from app.space.classes.isomorphism import graphs_of
from app.space.derived import derived
from app.space.value import is_list, is_object, shown

INPUT, OUTPUT = "input", "output"
LARGEST = 64  # vertices of a matrix that is looked at

_Matrix = list[list[int]]


@derived
def _known(space: SearchSpace) -> dict[int, tuple[Scalar, ...]]:
    """The operations of a space's graphs by their number of vertices; none where it is another kind of space."""
    root = space.grammar.follow(space.grammar.root)
    if not isinstance(root, Record) or root.builds != "dag_cells" or [name for name, _ in root.fields] != ["cell"]:
        return {}
    known = {each.vertices: each.operations for each in graphs_of(space)}
    numbered = all("vertices" in _cell(space.plan.unrank(each.offset)) for each in graphs_of(space))
    words = all(isinstance(operation, str) for operations in known.values() for operation in operations)
    return known if numbered and words else {}


def _cell(genotype: Genotype) -> dict[str, Any]:
    return cast("dict[str, dict[str, Any]]", genotype)["cell"]


def _read(space: SearchSpace, value: object) -> Genotype:
    matrix, ops = _document(value)
    known = _known(space)
    kept = list(range(len(matrix)))
    if len(matrix) not in known or not set(ops[1:-1]) <= set(known[len(matrix)]):
        kept = _through(matrix)
    operations = known.get(len(kept))
    if operations is None:
        message = f"{len(kept)} vertices lie on ways from input to output; the space has graphs of {_list(known)}"
        raise InvalidGenotype([Fault("/matrix", message, len(kept), tuple(known))])
    wrong = [i for i in kept[1:-1] if ops[i] not in operations]
    if wrong:
        faults = [
            Fault(f"/ops/{i}", f"{shown(ops[i])} is none of {_list(operations)}", ops[i], operations) for i in wrong
        ]
        raise InvalidGenotype(faults)
    cell: dict[str, Genotype] = {"vertices": len(kept)}
    cell |= {f"{i}->{j}": matrix[kept[i]][kept[j]] for j in range(1, len(kept)) for i in range(j)}
    cell |= {f"v{v}": ops[kept[v]] for v in range(1, len(kept) - 1)}
    return {"cell": cell}


def _document(value: object) -> tuple[_Matrix, list[str]]:
    """The matrix and the operations, whatever space they may be of."""
    if not is_object(value) or set(value) != {"matrix", "ops"}:
        raise FormatError("", f"expected an object of matrix, ops; found {shown(value)}", value, ("matrix", "ops"))
    rows, ops = value["matrix"], value["ops"]
    if not is_list(rows) or not 2 <= len(rows) <= LARGEST:
        raise FormatError("/matrix", f"expected a list of 2 to {LARGEST} rows, found {shown(rows)}", rows)
    for i, row in enumerate(rows):
        if not is_list(row) or len(row) != len(rows):
            raise FormatError(f"/matrix/{i}", f"expected a row of {len(rows)} numbers, found {shown(row)}", row)
        for j, bit in enumerate(row):
            allowed = (0, 1) if i < j else (0,)
            if type(bit) is not int or bit not in allowed:
                where = "" if i < j else " on and below the diagonal, as edges lead to later vertices"
                message = f"expected {' or '.join(map(str, allowed))}{where}, found {shown(bit)}"
                raise FormatError(f"/matrix/{i}/{j}", message, bit, allowed)
    if not is_list(ops) or len(ops) != len(rows):
        raise FormatError("/ops", f"expected a list of {len(rows)} operations, one a vertex; found {shown(ops)}", ops)
    for i, name in enumerate(ops):
        end = {0: INPUT, len(ops) - 1: OUTPUT}.get(i)
        if not isinstance(name, str) or (end is not None and name != end):
            raise FormatError(
                f"/ops/{i}", f"expected {end or 'a word'}, found {shown(name)}", name, (end,) if end else ()
            )
    return cast("_Matrix", rows), cast("list[str]", ops)


def _through(matrix: _Matrix) -> list[int]:
    """The vertices on some way from input to output; FormatError where there is no way."""
    last = len(matrix) - 1
    ahead, back = {0}, {last}
    for j in range(1, last + 1):
        if any(matrix[i][j] and i in ahead for i in range(j)):
            ahead.add(j)
    for i in range(last - 1, -1, -1):
        if any(matrix[i][j] and j in back for j in range(i + 1, last + 1)):
            back.add(i)
    if last not in ahead:
        raise FormatError("/matrix", "no way leads from the input to the output")
    return sorted(ahead & back)


def _list(names: Sequence[object] | dict[Any, Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, Genotype]:
    cell = _cell(genotype)
    operations = [name for key, name in cell.items() if key.startswith("v") and key != "vertices"]
    n = len(operations) + 2
    matrix: list[Genotype] = [[cell[f"{i}->{j}"] if i < j else 0 for j in range(n)] for i in range(n)]
    return {"matrix": matrix, "ops": [INPUT, *operations, OUTPUT]}


NASBENCH101 = Format(
    name="nasbench101",
    title="The matrix and the operations of a NAS-Bench-101 cell",
    source="google-research/nasbench, nasbench/lib/model_spec.py",
    suits=lambda space: bool(_known(space)),
    read=_read,
    write=_write,
)
