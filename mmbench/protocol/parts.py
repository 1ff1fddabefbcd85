"""The rows of a log that a split tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmbench.problems import UserError
from mmbench.views import Int64

if TYPE_CHECKING:
    from mmbench.data.log import Log


class SplitError(UserError):
    """The log cannot be asked this protocol's question; the message says why and what to do."""


class Parts(NamedTuple):
    """The rows of a log that a split tells apart.

    Attributes:
        trains: bool[n].
        valid, test: int64[q]: the rows of the targets.
        lacking: what a log lacks that has no such rows, in words.
    """

    trains: np.ndarray
    valid: Int64
    test: Int64
    lacking: str


def enter_periods(log: Log, period: np.ndarray) -> Parts:
    """The split of rows that are in the periods 0 (train), 1 (validation) and 2 (test).

    A query asks for a user's first event of a period: one a user, for an average over users, and
    the first, for then no history holds an event from after the cut. A test history holds the
    user's events of the validation period. A user without any earlier event has no history to be
    asked with and is left out.

    Args:
        log: the events.
        period: int[n], never falling within a user.
    """
    enters = (log.user[1:] == log.user[:-1]) & (period[1:] > period[:-1])
    at = np.flatnonzero(enters).astype(np.int64) + 1
    lacking = "no user has an event in that period and one before it"
    return Parts(period == 0, at[period[at] == 1], at[period[at] == 2], lacking)
