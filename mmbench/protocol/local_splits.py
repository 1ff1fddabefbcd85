"""Splits and candidates that a user brings: marks of events, dates, ratios, files of negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.parts import Parts, SplitError, enter_periods
from mmbench.views import Int32, Int64

if TYPE_CHECKING:
    from mmbench.data.log import Log
    from mmbench.protocol.protocols import Protocol

FOLDS = ("train", "valid", "test")
Event = tuple[str, str, int | None]  # user, item, whole seconds where the marks tell them


@dataclass(frozen=True, slots=True)
class Given:
    """What a local protocol holds beside its numbers.

    Attributes:
        marks: the place in ``FOLDS`` of each event.
        moments: in seconds, when the validation and the test period begin.
        ratios: of each user's events, in time order, that train, validate and test.
        negatives: the items that compete with each user's test target, by their ids.
    """

    marks: Mapping[Event, int] = field(default_factory=dict, repr=False)
    moments: tuple[int, int] | None = None
    ratios: tuple[float, float, float] | None = None
    negatives: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


def split_by_marks(log: Log, protocol: Protocol) -> Parts:
    """Each event trains, validates or tests as its mark says; see ``enter_periods``.

    Raises SplitError for an event without a mark, and where one that trains stands after one that
    is asked for.
    """
    marks = _given(protocol).marks
    timed = any(time is not None for *_, time in marks)
    period = np.empty(len(log.user), dtype=np.int8)
    rows = zip(log.user.tolist(), log.item.tolist(), log.time.tolist(), strict=True)
    for at, (user, item, time) in enumerate(rows):
        key = (log.user_ids[user], log.item_ids[item], time if timed else None)
        mark = marks.get(key)
        if mark is None:
            raise SplitError(
                f"{protocol.name} does not say where the event of user {key[0]!r} and item "
                f"{key[1]!r} of {log.id} belongs: its file needs a row for each event"
            )
        period[at] = mark
    falls = (log.user[1:] == log.user[:-1]) & (period[1:] < period[:-1])
    if falls.any():
        user = log.user_ids[log.user[int(np.argmax(falls))]]
        raise SplitError(
            f"{protocol.name} is not in time order: of user {user!r} an event that comes after one "
            "of a later fold is of an earlier one, so that a model would train on what comes later"
        )
    return enter_periods(log, period)


def split_by_dates(log: Log, protocol: Protocol) -> Parts:
    """Events train before the first moment and test from the second on; see ``enter_periods``.

    Raises SplitError where the log knows only an order.
    """
    if log.card.get("time") == "positions":
        raise SplitError(
            f"{protocol.name} needs moments in time, but {log.id} has only each user's order of "
            "events"
        )
    return enter_periods(log, np.searchsorted(_given(protocol).moments or (), log.time, "right"))


def split_by_ratios(log: Log, protocol: Protocol) -> Parts:
    """Each user's events in time order, by shares; see ``enter_periods``.

    Of ``n`` events ``int(share * n)`` validate and as many test, but at least one where the share
    is not 0 and one is left to train; the others train. This is RecBole's rule for ``RS`` in the
    order ``TO``, grouped by user.
    """
    _, valid, test = _given(protocol).ratios or (1.0, 0.0, 0.0)
    counts = np.bincount(log.user, minlength=log.n_users)
    sizes = {}
    for n in np.unique(counts).tolist():
        asked = [int(valid * n), int(test * n)]
        for place, share in ((1, test), (0, valid)):
            if n - sum(asked) <= 1:
                break
            if 0 < share * n < 1:
                asked[place] += 1
        sizes[n] = (n - sum(asked), n - asked[1])
    ends = np.array([sizes[n] for n in counts.tolist()])[log.user]
    start = np.searchsorted(log.user, log.user)
    nth = np.arange(len(log.user)) - start
    return enter_periods(log, (nth >= ends[:, 0]).astype(int) + (nth >= ends[:, 1]))


def given_candidates(log: Log, protocol: Protocol, at: Int64) -> Int32:
    """The candidates of a file: int32[q, 1 + n], as ``candidates.draw_candidates`` returns.

    Args:
        log: the events.
        protocol: whose file has the negatives, or the candidates, of each user.
        at: int64[q], the rows of the targets.

    Raises SplitError for a user who has none, and for an item that is not in the catalogue.
    """
    number = {raw: k for k, raw in enumerate(log.item_ids) if k}
    rows = []
    for user, target in zip(log.user[at].tolist(), log.item[at].tolist(), strict=True):
        named = _given(protocol).negatives.get(log.user_ids[user], ())
        unknown = next((one for one in named if one not in number), None)
        if unknown is not None or not named:
            what = f"item {unknown!r}, which {log.id} has not" if named else "no candidate"
            raise SplitError(f"{protocol.name} has for user {log.user_ids[user]!r} {what}")
        rows.append(sorted({target, *(number[one] for one in named)}))
    width = max(map(len, rows), default=1)
    return np.array([[0] * (width - len(row)) + row for row in rows], dtype=np.int32)


def _given(protocol: Protocol) -> Given:
    if protocol.given is None:
        raise ValueError(f"{protocol.name} brings nothing to split by")
    return protocol.given
