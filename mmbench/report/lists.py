"""Top lists in a dataset's own ids, and as the files of TREC."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmbench.data.log import Log, sample_users
from mmbench.problems import UserError
from mmbench.protocol import Fold, Protocol, split
from mmbench.report.words import plain
from mmbench.results.record import Record

TOP = "top_"


@dataclass(frozen=True, slots=True)
class Lists:
    """What a cell listed for each query, in the source's own ids.

    Attributes:
        users: who was asked, in the order of the stored ranks.
        targets: the item that was held out, of each.
        items: the listed items of each, best first; items of equal score in an order of chance.
        titles: of each item that is listed or asked for, its first text.
    """

    users: tuple[str, ...]
    targets: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]
    titles: dict[str, str]

    def of(self, users: Sequence[str]) -> Lists:
        """The lists of some users. Raises UserError where one was not asked for."""
        chosen = places_of(self.users, users).tolist()
        return Lists(
            tuple(users),
            tuple(self.targets[k] for k in chosen),
            tuple(self.items[k] for k in chosen),
            self.titles,
        )


def places_of(known: Sequence[str], users: Sequence[str]) -> NDArray[np.int64]:
    """int64[m]: where some users are among those who are asked. Raises UserError for another."""
    place = {user: k for k, user in enumerate(known)}
    for user in users:
        if user not in place:
            raise UserError(
                f"user {user!r} has no test query here: there are {len(place):,}, such as "
                f"{', '.join(map(repr, known[:3]))}"
            )
    return np.array([place[user] for user in users], dtype=np.int64)


def lists_of(fold: Fold, numbers: NDArray[np.int32], log: Log) -> Lists:
    """Lists in a dataset's own ids; int32[q, k] items for the queries of a fold, 0 for none."""
    users = tuple(log.user_ids[user] for user in fold.user.tolist())
    items = tuple(tuple(log.item_ids[item] for item in row if item) for row in numbers.tolist())
    shown = {*np.unique(numbers).tolist(), *fold.target.tolist()} - {0}
    texts = next(iter(log.items.fields.values()), None)
    titles = {log.item_ids[item]: plain(texts[item]) for item in shown} if texts else {}
    return Lists(users, tuple(log.item_ids[item] for item in fold.target), items, titles)


def name_lists(
    record: Record, ranks: pa.Table, top: pa.Table, candidates: str, log: Log, protocol: Protocol
) -> Lists:
    """The lists of a cell for one candidate set.

    Args:
        record: the cell's.
        ranks: its ranks, see ``read_ranks``.
        top: its lists of item numbers, see ``read_top``.
        candidates: the set.
        log: the dataset that it was asked on.
        protocol: what it was asked.

    Raises UserError where the set has no lists, and where log or protocol are not the cell's.
    """
    cell = record.cell
    column = TOP + candidates
    if column not in top.column_names:
        known = [name.removeprefix(TOP) for name in top.column_names]
        raise UserError(f"no lists are stored for {candidates}, but for {', '.join(known)}")
    if protocol.name != cell.protocol:
        raise UserError(f"the cell {cell.id} was asked {cell.protocol}, and not {protocol.name}")
    if log.fingerprints.events != cell.fingerprints.get("events"):
        raise UserError(
            f"{cell.dataset} is not here as the cell {cell.id} had it (its events have another "
            "fingerprint), so that its lists cannot be told in ids"
        )
    if cell.limit is not None:
        log = sample_users(log, cell.limit)
    fold = split(log, protocol).test
    users = tuple(log.user_ids[user] for user in fold.user.tolist())
    if "user" not in ranks.column_names or ranks["user"].to_pylist() != [_stored(u) for u in users]:
        raise UserError(f"the ranks of the cell {cell.id} are of other users than its dataset has")
    numbers = np.asarray(top[column].combine_chunks().flatten()).reshape(len(users), -1)
    return lists_of(fold, numbers, log)


def trec_qrels(lists: Lists) -> Iterator[str]:
    """Lines of a TREC file of judgements: ``user 0 item 1``."""
    for user, target in zip(lists.users, lists.targets, strict=True):
        yield f"{_word(user)} 0 {_word(target)} 1\n"


def trec_run(lists: Lists, tag: str) -> Iterator[str]:
    """Lines of a TREC run: ``user Q0 item rank score tag``.

    Stored lists have no scores: they fall from the list's length to 1.
    """
    for user, items in zip(lists.users, lists.items, strict=True):
        for place, item in enumerate(items):
            rank, score = place + 1, len(items) - place
            yield f"{_word(user)} Q0 {_word(item)} {rank} {score} {_word(tag)}\n"


def csv_lists(lists: Lists) -> Iterator[str]:
    """Lines of CSV: ``user,rank,item,title,target``, target being 1 for what was held out."""
    yield _csv("user", "rank", "item", "title", "target")
    for user, target, items in zip(lists.users, lists.targets, lists.items, strict=True):
        for place, item in enumerate(items, start=1):
            yield _csv(user, place, item, lists.titles.get(item, ""), int(item == target))


def as_dicts(lists: Lists) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Judgements and a run, ``{user: {item: value}}`` each, as ranx and ir-measures take them."""
    qrels = {user: {item: 1} for user, item in zip(lists.users, lists.targets, strict=True)}
    run = {
        user: {item: float(len(items) - place) for place, item in enumerate(items)}
        for user, items in zip(lists.users, lists.items, strict=True)
    }
    return qrels, run


def _stored(user: str) -> str:
    """An id as ranks hold it, which is no half of a character."""
    return user.encode("utf-8", "backslashreplace").decode()


def _word(text: str) -> str:
    """A text as one word: TREC's files part at white space."""
    return "".join(quote(c) if c.isspace() or c == "%" else c for c in _stored(text)) or "%"


def _csv(*values: object) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        [_stored(value) if isinstance(value, str) else value for value in values]
    )
    return line.getvalue()
