"""Cells of blocks: each block combines two operations, each on any earlier state, the same one allowed twice.

States 0 and 1 are the cell's inputs, block b is state b; the cell's output concatenates the states that no block reads
(`cell_of_unused`), or all blocks (`cell`). NASNet, AmoebaNet, PNAS and ENAS search such cells.
"""

from app.space.algebra import Record, one_of, record


def block_cell(
    num_blocks: int, operations: tuple[str, ...], combine: tuple[str, ...] = ("add",), *, concat_all: bool = False
) -> Record:
    """One cell; a block decides how to combine where there is more than one way."""

    def block(b: int) -> Record:
        edge = record("edge", input=one_of(*range(b)), op=one_of(*operations))
        choice = {"combine": one_of(*combine)} if len(combine) > 1 else {}
        return record("pair", left=edge, right=edge, **choice)

    blocks = tuple((f"block{b}", block(b)) for b in range(2, 2 + num_blocks))
    return Record("cell" if concat_all else "cell_of_unused", blocks)
