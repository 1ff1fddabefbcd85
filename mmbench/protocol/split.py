"""From a log to what trains, what is asked and, in ``Fold`` alone, what was the target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol.candidates import draw_candidates
from mmbench.protocol.chance import query_keys
from mmbench.protocol.local import FILE
from mmbench.protocol.local_splits import (
    given_candidates,
    split_by_dates,
    split_by_marks,
    split_by_ratios,
)
from mmbench.protocol.parts import Parts, SplitError, enter_periods
from mmbench.protocol.protocols import DEFAULT, Protocol
from mmbench.views import Int32, Int64, Interactions, Queries

if TYPE_CHECKING:
    from mmbench.data.log import Log


HELD_OUT = b"pixrec-window@1\n2025\nusers\n"


@dataclass(frozen=True, slots=True)
class Fold:
    """Queries with their targets. The only type that holds targets: no plugin ever gets one.

    Attributes:
        queries: what a model is shown, in an order that tells nothing.
        user: int32[q], the log's user numbers.
        target: int32[q], ``1..n_items``.
        seen_offsets: int64[q + 1]: the seen items of query ``i`` are
            ``seen[seen_offsets[i]:seen_offsets[i + 1]]``.
        seen: int32[...]: the items of the user's whole history before the target (not only of the
            shown part), ascending, each once.
        candidates: for each sampled set by name, int32[q, 1 + n]: the target and its negatives,
            ascending in each row; where a query has fewer, zeros stand before them.
        frequency: int32[q], how many training events have the target; 0 for a cold one.
        history_length: int32[q], before ``max_history`` cuts it.
        tied: bool[q], whether the target shares its time with the event before it; False wherever
            times are positions.
    """

    queries: Queries
    user: Int32
    target: Int32
    seen_offsets: Int64
    seen: Int32
    candidates: Mapping[str, Int32]
    frequency: Int32
    history_length: Int32
    tied: NDArray[np.bool_]

    def __post_init__(self) -> None:
        columns = (self.user, self.target, self.frequency, self.history_length, self.tied)
        for array in (*columns, self.seen_offsets, self.seen, *self.candidates.values()):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.queries)


def take(fold: Fold, rows: Int64) -> Fold:
    """Some queries of a fold, in this order; int64[m]."""
    bounds = fold.seen_offsets
    seen = [fold.seen[bounds[row] : bounds[row + 1]] for row in rows.tolist()]
    queries = fold.queries
    return Fold(
        queries=Queries(queries.user[rows], queries.history[rows], queries.time[rows]),
        user=fold.user[rows],
        target=fold.target[rows],
        seen_offsets=np.cumsum([0, *map(len, seen)]).astype(np.int64),
        seen=np.concatenate([np.zeros(0, np.int32), *seen]),
        candidates={name: among[rows] for name, among in fold.candidates.items()},
        frequency=fold.frequency[rows],
        history_length=fold.history_length[rows],
        tied=fold.tied[rows],
    )


@dataclass(frozen=True, slots=True)
class Split:
    """A log, split: what ``fit`` gets, and two folds that it does not."""

    train: Interactions
    valid: Fold
    test: Fold


def split(log: Log, protocol: Protocol) -> Split:
    """Split a log as the protocol says; see ``SPLITS``.

    A target that never occurs in training (a cold one) stays a query. ``queries.user`` is -1 for
    users without a training event, and the queries come in the order of their keys (see
    ``chance``). Raises SplitError where a fold would be empty, or where moments are asked of a log
    that knows only an order.
    """
    trains, valid, test, lacking = SPLITS[protocol.splitter](log, protocol)
    for fold, at in (("validation", valid), ("test", test)):
        if not len(at):
            raise SplitError(
                f"{log.id} has no {fold} query under {protocol.name}: {lacking}; "
                "take a larger part of the data, or another protocol"
            )
    train = Interactions(
        user=log.user[trains],
        item=log.item[trains],
        time=log.time[trains],
        n_users=log.n_users,
        n_items=log.n_items,
    )
    ends = np.full(log.n_users, len(log.user), dtype=np.int64)
    ends[log.user[test]] = test
    before_test = np.arange(len(log.user)) < ends[log.user]
    return Split(
        train=train,
        valid=_fold(log, protocol, "valid", valid, train, before_test),
        test=_fold(log, protocol, "test", test, train, np.ones(len(log.user), bool)),
    )


def leave_one_out(log: Log, protocol: Protocol) -> Parts:
    """Hold out the last two events of each user who has three or more.

    The last is the test target, the one before it the validation target; all others train.
    """
    ends = np.flatnonzero(np.diff(log.user, append=-1)).astype(np.int64) + 1
    counts = np.diff(ends, prepend=0)
    asked = ends[counts >= 3]
    trains = np.ones(len(log.user), dtype=bool)
    trains[asked - 1] = trains[asked - 2] = False
    lacking = "no user has three events (one to train on, one to validate, one to test)"
    return Parts(trains, asked - 2, asked - 1, lacking)


def cut_in_time(log: Log, protocol: Protocol) -> Parts:
    """Cut all events at two moments, those of the events at the shares ``cuts`` in time order.

    Events before the first cut train; those of a cut's own moment are on its later side. Who is
    asked for what, see ``enter_periods``.
    """
    if log.card.get("time") == "positions":
        raise SplitError(
            f"{protocol.name} needs moments in time, but {log.id} has only each user's order of "
            f"events; use {DEFAULT}"
        )
    moments = np.sort(log.time)
    edges = moments[[min(int(cut * len(moments)), len(moments) - 1) for cut in protocol.cuts]]
    period = np.searchsorted(edges, log.time, side="right")  # 0 train, 1 validation, 2 test
    return enter_periods(log, period)


def hold_out_users(log: Log, protocol: Protocol) -> Parts:
    """Draw a number in [0, 1) from each user's raw id, and hold out those with a high one.

    The draw is public and asks for nobody else, so that whoever is held out stays so when the data
    grow; no plugin sees a raw id.

    Below the first of ``cuts`` users train with all their events, below the second they validate,
    the rest test. A held-out user's last event is the target; one with a single event is left out.
    """
    drawn = [
        hashlib.sha256(HELD_OUT + one.encode("utf-8", "surrogatepass")).digest()[:8]
        for one in log.user_ids
    ]
    share = np.frombuffer(b"".join(drawn), "<u8") / 2.0**64
    period = np.searchsorted(protocol.cuts, share, side="right")  # 0 train, 1 valid, 2 test
    ends = np.flatnonzero(np.diff(log.user, append=-1)).astype(np.int64) + 1
    asked = ends[np.diff(ends, prepend=0) >= 2] - 1
    held = period[log.user[asked]]
    lacking = "none of the users that are held out for it has two events"
    return Parts(period[log.user] == 0, asked[held == 1], asked[held == 2], lacking)


SPLITS: dict[str, Callable[[Log, Protocol], Parts]] = {
    "loo": leave_one_out,
    "time": cut_in_time,
    "users": hold_out_users,
    "column": split_by_marks,
    "date": split_by_dates,
    "ratio": split_by_ratios,
}


def _fold(
    log: Log, protocol: Protocol, name: str, at: Int64, train: Interactions, known: np.ndarray
) -> Fold:
    """The fold whose targets are the log's rows ``at``: a history is what the user has before.

    Negatives avoid a user's items in the rows ``known``, bool[n]. The test targets are not among
    those of the validation fold: an item that is never a negative there would give them away.
    """
    raw = (log.user_ids[number] for number in log.user[at])
    drawn = sorted(zip(query_keys(log.secret, protocol.name, name, raw), at, strict=True))
    keys, at = [key for key, _ in drawn], np.array([row for _, row in drawn], dtype=np.int64)
    user, target = log.user[at], log.item[at]
    start = np.searchsorted(log.user, user).astype(np.int64)
    seen_offsets, seen = _seen(log, start, at)
    width = np.int64(log.n_items + 1)
    own = np.unique(log.user[known] * width + log.item[known])
    candidates = {
        one.name: given_candidates(log, protocol, at)
        if one.name == FILE and name == "test"
        else draw_candidates(keys, user, target, own, log.n_items, one.size)
        for one in protocol.candidate_sets
        if one.sampled
    }
    return Fold(
        queries=_queries(log, protocol, start, at, train),
        user=user,
        target=target,
        seen_offsets=seen_offsets,
        seen=seen,
        candidates=candidates,
        frequency=np.bincount(train.item, minlength=width)[target].astype(np.int32),
        history_length=(at - start).astype(np.int32),
        tied=(log.time[at] == log.time[at - 1]) & (log.card.get("time") != "positions"),
    )


def _queries(log: Log, protocol: Protocol, start: Int64, at: Int64, train: Interactions) -> Queries:
    """The last ``max_history`` events of rows ``start:at``, and who did them."""
    rows = at[:, None] + np.arange(-protocol.max_history, 0)
    inside = rows >= start[:, None]
    rows[~inside] = 0
    trained = np.bincount(train.user, minlength=log.n_users) > 0
    user = log.user[at]
    return Queries(
        user=np.where(trained[user], user, np.int32(-1)),
        history=np.where(inside, log.item[rows], np.int32(0)),
        time=np.where(inside, log.time[rows], np.int64(0)),
    )


def _seen(log: Log, start: Int64, at: Int64) -> tuple[Int64, Int32]:
    """The different items of rows ``start:at``, ascending for each query: offsets and items."""
    lengths = at - start
    query = np.repeat(np.arange(len(at)), lengths)
    before = np.cumsum(lengths) - lengths
    rows = np.arange(lengths.sum()) + (start - before)[query]
    width = np.int64(log.n_items + 1)
    coded = np.unique(query * width + log.item[rows])
    offsets = np.searchsorted(coded, np.arange(len(at) + 1) * width).astype(np.int64)
    return offsets, (coded % width).astype(np.int32)
