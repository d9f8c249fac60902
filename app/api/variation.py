"""Answers to questions about members beside one another: made from one another, compared, encoded, converted."""

import random
from typing import Any

from app.api.answers import identity, indexed
from app.api.draws import some_rank, too_few, valid_judge
from app.api.membership import given_rank, named_format
from app.api.problems import unprocessable
from app.api.schemas.variation import (
    CellEncodingView,
    ConversionQuestion,
    ConversionView,
    CrossoverQuestion,
    CrossoverView,
    DifferenceQuestion,
    DifferenceView,
    EdgeView,
    EditView,
    EncodingName,
    EncodingQuestion,
    EncodingView,
    MutationQuestion,
    MutationView,
)
from app.architecture.formats import write_format
from app.space import Edit, SearchSpace, SpaceError
from app.space.derived import derived
from app.space.encodings import Column, columns, one_hot, ways
from app.space.validity import kept_ranks
from app.space.wiring import Wiring, wirings


def mutation(space: SearchSpace, question: MutationQuestion) -> MutationView:
    """Mutants of a member."""
    index = given_rank(space, question.genotype, question.format)
    rng, genotype = random.Random(question.seed), space.plan.unrank(index)
    mutants, _ = kept_ranks(
        lambda n: [space.plan.rank(mutant) for mutant in space.plan.mutate(rng, genotype, n)],
        valid_judge(space),
        question.count,
        too_few,
    )
    return MutationView(
        space=identity(space),
        index=str(index),
        seed=question.seed,
        items=indexed(space, map(space.plan.unrank, mutants), "/count"),
    )


def crossover(space: SearchSpace, question: CrossoverQuestion) -> CrossoverView:
    """Children of two members."""
    first, second = pair(space, question)
    rng, one, other = random.Random(question.seed), space.plan.unrank(first), space.plan.unrank(second)
    children, _ = kept_ranks(
        lambda n: [space.plan.rank(child) for child in space.plan.crossover(rng, one, other, n)],
        valid_judge(space),
        question.count,
        too_few,
    )
    return CrossoverView(
        space=identity(space),
        first=str(first),
        second=str(second),
        seed=question.seed,
        items=indexed(space, map(space.plan.unrank, children), "/count"),
    )


def difference(space: SearchSpace, question: DifferenceQuestion) -> DifferenceView:
    """What turns one member into another."""
    first, second = pair(space, question)
    script = space.plan.edits(space.plan.unrank(first), space.plan.unrank(second))
    return DifferenceView(
        space=identity(space),
        first=str(first),
        second=str(second),
        distance=len(script),
        edits=[edit_view(edit) for edit in script],
    )


def pair(space: SearchSpace, question: CrossoverQuestion | DifferenceQuestion) -> tuple[int, int]:
    """The ranks of the two members that a question is about."""
    first = given_rank(space, question.first, question.format, "/first")
    return first, given_rank(space, question.second, question.format, "/second")


def edit_view(edit: Edit) -> EditView:
    """A changed decision as it travels: one answer by itself, the members of a subset as a list."""

    def plain(answer: tuple[Any, ...] | None) -> Any:
        return None if answer is None else list(answer) if edit.kind == "subset" else answer[0]

    return EditView(path=edit.path, kind=edit.kind, before=plain(edit.before), after=plain(edit.after))


def encodings(space: SearchSpace) -> tuple[EncodingName, ...]:
    """The encodings that suit a space."""
    cells = bool(wirings(space.grammar, space.plan.unrank(some_rank(space) or 0)))
    return ("one-hot", "adjacency", "path") if cells else ("one-hot",)


def encoding(space: SearchSpace, question: EncodingQuestion) -> EncodingView:
    """A member as numbers."""
    index = given_rank(space, question.genotype, question.format)
    genotype = space.plan.unrank(index)
    vector = names = cells = None
    if question.encoding == "one-hot":
        known = named_columns(space)
        vector = one_hot(space.plan.read(genotype), known)
        names = [column.name for column in known] if question.columns else None
    else:
        found = wirings(space.grammar, genotype)
        if not found:
            message = f"{space.name} has no cells whose graphs could be encoded"
            raise unprocessable("/encoding", message, question.encoding, encodings(space))
        cells = [cell_view(wiring, listed=question.encoding == "path") for wiring in found]
    return EncodingView(
        space=identity(space),
        index=str(index),
        encoding=question.encoding,
        vector=vector,
        columns=names,
        cells=cells,
    )


@derived
def named_columns(space: SearchSpace) -> tuple[Column, ...]:
    """The columns of the one-hot encoding of a space."""
    return tuple(columns(space.plan.decisions()))


def cell_view(wiring: Wiring, *, listed: bool) -> CellEncodingView:
    """A cell as it travels."""
    try:
        through = ways(wiring) if listed else ()
    except SpaceError as error:
        raise unprocessable("/encoding", str(error), "path", ("one-hot", "adjacency")) from error
    return CellEncodingView(
        path=wiring.path,
        vertices=list(wiring.vertices),
        labels=list(wiring.labels),
        matrix=wiring.matrix,
        edges=[EdgeView(source=e.source, target=e.target, label=e.label) for e in wiring.edges],
        ways=[list(way) for way in through],
    )


def conversion(space: SearchSpace, question: ConversionQuestion) -> ConversionView:
    """A member in another of the space's formats."""
    index = given_rank(space, question.genotype, question.source, place="/from")
    named_format(space, question.target, "/to")
    return ConversionView(
        space=identity(space),
        index=str(index),
        source=question.source,
        target=question.target,
        genotype=write_format(space, question.target, space.plan.unrank(index)),
    )
