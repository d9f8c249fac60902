"""Batches: the same question for many items, each with the status it would have had alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.api.answers import identity
from app.api.problems import problem_of, problem_view
from app.api.schemas.batch import Answered, BatchView
from app.api.schemas.model import Input, Output
from app.space import SearchSpace

Question = TypeVar("Question", bound=Input)
Answer = TypeVar("Answer", bound=Output)


def in_order(
    space: SearchSpace,
    items: Sequence[Question],
    answer: Callable[[SearchSpace, Question], Answer],
    request_id: str,
) -> BatchView[Answer]:
    """Every item's answer or problem, in the order of the items."""
    return BatchView(space=identity(space), items=[alone(space, item, answer, request_id) for item in items])


def alone(
    space: SearchSpace, item: Question, answer: Callable[[SearchSpace, Question], Answer], request_id: str
) -> Answered[Answer]:
    """One item's answer or problem."""
    try:
        return Answered(status=200, answer=answer(space, item), problem=None)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        return Answered(status=problem.status, answer=None, problem=problem_view(problem, request_id))
