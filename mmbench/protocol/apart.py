"""Whether two datasets hold the same events, so that one would teach what the other asks.

Their own word comes first: datasets of one ``lineage`` never meet. Then what they hold, for a
dataset may come under another name, and its users and items under other ids: equal ids and texts,
users with the same history by the items' titles, and, where there is no text, events that are
linked in the same way whatever anybody is called. What is changed further than that is not found.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.problems import UserError
from mmbench.views import Int32, Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from mmbench.data.log import Log

    Float64 = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    UInt64 = NDArray[np.uint64]

MOST_SHARED = 0.1
"""More than this share of events, or of users with nearly the same history, and two datasets are
not apart."""
MOST_EQUAL = 0.5
"""The same, of users with exactly the same history: the small worlds of tests share many."""
NEARLY = 0.5  # of two users' items together, those that both have
ASKED = 500  # users that are compared
NOISE = 3  # standard errors
ROUNDS = 3  # of telling events by how they are linked


def refuse_kin(left: Log, right: Log, how: str, cure: str) -> None:
    """Raise UserError where two datasets hold the same events, as far as can be told.

    Args:
        left: a dataset.
        right: another.
        how: what was asked for, as in ``--data a+b``; the message begins with it.
        cure: what to do instead; the message ends with it.
    """
    same = _why_kin(left, right)
    if same:
        raise UserError(
            f"{how}: {same}, so what is asked of one would be learned from the other; {cure}"
        )


def lineage(log: Log) -> str:
    """The word that datasets of the same events share."""
    return str(log.card.get("lineage") or log.id.partition("[")[0])


def _why_kin(left: Log, right: Log) -> str:
    if left.id == right.id:
        return f"{left.id} is named twice"
    if left.fingerprints.events == right.fingerprints.events:
        return f"{left.id} and {right.id} are the same data"
    if lineage(left) == lineage(right):
        return f"{left.id} and {right.id} both come from {lineage(left)}"
    share = shared_events(left, right)
    if share > MOST_SHARED:
        return f"{share:.0%} of the events of one are in the other too"
    nearly, equal = shared_histories(left, right)
    if nearly > MOST_SHARED or equal > MOST_EQUAL:
        return (
            f"by the items' titles, {max(nearly, equal):.0%} more users of one than by chance have "
            "a history of the other too"
        )
    share = shared_links(left, right)
    if share > MOST_EQUAL:
        return f"{share:.0%} of the users of one are linked by their items as users of the other"
    return ""


def shared_events(left: Log, right: Log) -> float:
    """The share of the shorter log's events that the other has too: one user, one item, one text.

    Ids that are counted from 1 are the same in any two datasets, so an event is told by the raw ids
    of user and item and by all the item's texts. Where an item has none, nothing tells a model that
    it is the other part's too, and its events are not shared.
    """
    user = _matched(left.user_ids, right.user_ids)[right.user]
    item = _matched(_told(left), _told(right))[right.item]
    width = left.n_items + 1
    ours = left.user.astype(np.int64) * width + left.item
    theirs = np.where((user >= 0) & (item >= 0), user * width + item, -1)
    few, many = (ours, theirs) if len(ours) <= len(theirs) else (theirs, ours)
    return float(np.isin(few, many).mean())


def shared_histories(left: Log, right: Log) -> tuple[float, float]:
    """Shares of the shorter log's users with nearly, and exactly, a history of the other, by title.

    Histories are sets of titles that both logs have, and count where they are at least half of a
    user's items. As in a small world many users are alike, the share of the longer log's users that
    are like another one there is subtracted, and ``NOISE`` standard errors of the difference. Users
    are the first ``ASKED``: they are numbered by chance.
    """
    few, many = (left, right) if len(left.item) <= len(right.item) else (right, left)
    titles = [_titles(few), _titles(many)]
    common = sorted({*titles[0]} & {*titles[1]} - {""})
    if not common:
        return 0.0, 0.0
    number = {title: k for k, title in enumerate(common)}
    ours, theirs = (
        _baskets(log, found, number) for log, found in zip((few, many), titles, strict=True)
    )
    across = _best_match(ours, theirs, _items_each(few), alone=False)
    within = _best_match(theirs, theirs, _items_each(many), alone=True)
    return _excess(across >= NEARLY, within >= NEARLY), _excess(across == 1, within == 1)


def shared_links(left: Log, right: Log) -> float:
    """The share of the shorter log's users that stand in the other as they do here, whatever ids.

    A user is told by the items they have, an item by the users who have it, and so on, ``ROUNDS``
    times, starting from nothing: two logs that differ in names and texts alone tell all users
    alike. The share of the longer log's users that are told like another one there is subtracted.
    """
    few, many = (left, right) if len(left.item) <= len(right.item) else (right, left)
    ours, theirs = _shapes(few), _shapes(many)
    _, place, counts = np.unique(theirs, return_inverse=True, return_counts=True)
    return float(np.isin(ours, theirs).mean() - (counts[place] > 1).mean())


def _excess(across: Mask, within: Mask) -> float:
    """By how much one share is larger than another, less what chance may make of it."""
    shares = [float(marks.mean()) for marks in (across, within)]
    errors = [p * (1 - p) / len(marks) for p, marks in zip(shares, (across, within), strict=True)]
    return shares[0] - shares[1] - NOISE * float(np.sqrt(sum(errors)))


def _titles(log: Log) -> list[str]:
    """The first text of each item, without capitals and double spaces; none has an empty one."""
    column = next(iter(log.items.fields.values()), ("",) * (log.n_items + 1))
    return [" ".join(text.casefold().split()) for text in column]


def _baskets(log: Log, titles: Sequence[str], number: Mapping[str, int]) -> csr_array:
    """float32[n_users, titles]: 1 where a user has an item of the title."""
    from scipy.sparse import csr_array

    column = np.array([number.get(title, -1) for title in titles], dtype=np.int64)[log.item]
    known = column >= 0
    pairs = np.unique(log.user[known] * np.int64(len(number)) + column[known])
    ones = np.ones(len(pairs), dtype=np.float32)
    shape = (log.n_users, len(number))
    return csr_array((ones, np.divmod(pairs, len(number))), shape=shape)


def _items_each(log: Log) -> Int64:
    """int64[n_users]: how many different items each user has."""
    pairs = np.unique(log.user * np.int64(log.n_items + 1) + log.item)
    return np.bincount(pairs // (log.n_items + 1), minlength=log.n_users)


def _best_match(ours: csr_array, theirs: csr_array, items: Int64, *, alone: bool) -> Float64:
    """float64[asked]: how much of each user's titles and another's together both have, at best.

    Args:
        ours: as ``_baskets`` returns; its first ``ASKED`` users are asked about.
        theirs: of whom they are compared with.
        items: int64[n_users], how many items each of ours has; 0 is the answer where fewer than
            half of them have a title that both logs know.
        alone: whether ours and theirs are one log, and nobody is compared with themselves.
    """
    sizes, holders = theirs.sum(axis=1), theirs.T.tocsr()
    best = np.zeros(min(ASKED, ours.shape[0]))
    for user in range(len(best)):
        own = ours[[user]]
        if not own.nnz or 2 * own.nnz < items[user]:
            continue
        both = (own @ holders).tocoo()
        at, common = both.coords[1], both.data
        if alone:
            at, common = at[at != user], common[at != user]
        best[user] = (common / (own.nnz + sizes[at] - common)).max(initial=0)
    return best


def _shapes(log: Log) -> UInt64:
    """uint64[n_users]: what tells each user, see ``shared_links``."""
    by_item = np.argsort(log.item, kind="stable")
    item = np.zeros(log.n_items + 1, dtype=np.uint64)
    for _ in range(ROUNDS):
        user = _sums(log.user, _mix(item)[log.item], log.n_users)
        item = _sums(log.item[by_item], _mix(user)[log.user[by_item]], log.n_items + 1)
    return user


def _sums(group: Int32, values: UInt64, n: int) -> UInt64:
    """uint64[n]: the sum of each group's values, whole numbers that wrap around.

    ``group`` ascends.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sums = np.zeros(n, dtype=np.uint64)
    sums[group[starts]] = np.add.reduceat(values, starts)
    return sums


def _mix(values: UInt64) -> UInt64:
    """uint64[n]: each as a number that looks random (SplitMix64: Steele, Lea and Flood, 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)  # wraps around, as it should
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _told(log: Log) -> list[tuple[str, ...] | None]:
    """What tells each item from others: its raw id and its texts; None where it has no text."""
    columns = log.items.fields.values()
    texts = [sorted({column[item] for column in columns} - {""}) for item in range(log.n_items + 1)]
    return [(raw, *own) if own else None for raw, own in zip(log.item_ids, texts, strict=True)]


def _matched(left: Sequence[Hashable | None], right: Sequence[Hashable | None]) -> Int64:
    """int64[len(right)]: the place in ``left`` of each of ``right``; -1 where there is none."""
    place = {key: k for k, key in enumerate(left) if key is not None}
    return np.array([-1 if key is None else place.get(key, -1) for key in right], dtype=np.int64)
