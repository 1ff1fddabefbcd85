"""A question without its answers: what a trial may know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn, cast

from mmbench.grid.question import Question
from mmbench.protocol import Fold


class TestFoldAsked(AssertionError):
    """Tuning asked for the test fold: a fault of mmbench, and the search ends."""

    __test__ = False  # no test, though pytest would take its name for one


class NoFold:
    """Stands where the test fold was; whatever is asked of it raises TestFoldAsked."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> NoReturn:
        raise TestFoldAsked(f"tuning may not read the test fold, and {name} of it was asked for")

    def __len__(self) -> NoReturn:
        raise TestFoldAsked("tuning may not read the test fold, and its length was asked for")


def blind(question: Question) -> Question:
    """The question with its training events and validation fold, and nothing of the test fold.

    The log keeps the training events alone, and its secret, from which the test targets could be
    told, is zeros.
    """
    train = question.split.train
    log = replace(
        question.log,
        user=train.user,
        item=train.item,
        time=train.time,
        secret=bytes(len(question.log.secret)),
    )
    hidden: Any = NoFold()
    split = replace(question.split, test=cast(Fold, hidden))
    return replace(question, log=log, split=split, candidates_sha256="")
