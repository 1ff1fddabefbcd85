"""Several datasets as one, for a model that is fitted on all of them and asked on one.

Each part is split by itself, so its targets, histories and negatives are those of the part alone;
only what trains is joined. The model sees one catalogue and one set of users: the parts' items and
users stand one part after the other, and nothing says that two of them are the same, whatever their
ids. Of the scores for the joined catalogue, those of the asked part are kept, so that ranks, lists
and every figure are in the part's own numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmbench.data.picture_file import join_pictures
from mmbench.protocol.answers import Reader, demand_finite
from mmbench.protocol.apart import refuse_kin
from mmbench.protocol.evaluate import Ask, Asked, chunk_rows
from mmbench.views import Answer, Float32, Int32, Interactions, Items, Queries

if TYPE_CHECKING:
    from mmbench.data.log import Log


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands in a join.

    Attributes:
        users_before, items_before: how many users and items of other parts stand before its own.
        n_items: size of its catalogue.
        n_joined: size of the joined catalogue.
    """

    users_before: int
    items_before: int
    n_items: int
    n_joined: int

    def queries(self, queries: Queries) -> Queries:
        """The part's queries in the numbers of the join; padding and unknown users stay."""
        user = np.where(queries.user >= 0, queries.user + np.int32(self.users_before), np.int32(-1))
        return replace(queries, user=user, history=self.items(queries.history))

    def items(self, numbers: Int32) -> Int32:
        """Item numbers of the part, of any shape, in the numbers of the join; 0 stays."""
        moved: Int32 = np.where(numbers > 0, numbers + np.int32(self.items_before), np.int32(0))
        return moved

    def rows(self, matrix: Float32) -> Float32:
        """The part's float32[n_items + 1, d] of the join's float32[n_joined + 1, d]."""
        start = 1 + self.items_before
        return np.concatenate([matrix[:1], matrix[start : start + self.n_items]])

    def columns(self, scores: Float32) -> Float32:
        """The part's float32[b, n_items] of the join's float32[b, n_joined], a view."""
        return scores[:, self.items_before : self.items_before + self.n_items]


@dataclass(frozen=True, slots=True)
class Joined:
    """Several parts as one dataset, and the place of the part that is asked.

    Attributes:
        logs: the parts, in the order of the join.
        train: the training events of all parts.
        items: the catalogues of all parts.
        place: of the asked part.
    """

    logs: tuple[Log, ...]
    train: Interactions
    items: Items
    place: Place


def join_parts(logs: Sequence[Log], trains: Sequence[Interactions]) -> list[Joined]:
    """Join parts in the order given: for each of them, the join and its place there.

    Args:
        logs: the parts.
        trains: what trains of each, as its own split says.

    Raises UserError where a part is there twice, or two hold the same events, see
    ``mmbench.protocol.apart``: what is a target in one of them would train in the other.
    """
    for left, right in itertools.combinations(logs, 2):
        refuse_kin(left, right, f"--data {left.id}+{right.id}", "join datasets that are apart")
    users = np.cumsum([0, *(log.n_users for log in logs)]).tolist()
    items = np.cumsum([0, *(log.n_items for log in logs)]).tolist()
    places = [Place(users[k], items[k], log.n_items, items[-1]) for k, log in enumerate(logs)]
    train = Interactions(
        user=np.concatenate(
            [part.user + np.int32(before) for part, before in zip(trains, users, strict=False)]
        ),
        item=np.concatenate([p.items(part.item) for p, part in zip(places, trains, strict=True)]),
        time=np.concatenate([part.time for part in trains]),
        n_users=users[-1],
        n_items=items[-1],
    )
    catalogue = join_items([log.items for log in logs])
    return [Joined(tuple(logs), train, catalogue, place) for place in places]


def join_items(parts: Sequence[Items]) -> Items:
    """The catalogues one after the other, with one padding item in front.

    Text columns are joined by name, in the order of their first appearance; what a part lacks is
    empty. The first column is the title, so a part that has no column of that name brings its own
    first one there. Pictures are joined in one file, see ``mmbench.data.picture_file``.
    ``features`` are not joined: no dataset brings any.
    """
    columns = [_columns(part, _title(parts)) for part in parts]
    fields = {
        name: (
            "",
            *itertools.chain.from_iterable(
                found.get(name, ("",) * (part.n_items + 1))[1:]
                for part, found in zip(parts, columns, strict=True)
            ),
        )
        for name in dict.fromkeys(itertools.chain.from_iterable(columns))
    }
    images = join_pictures([(part.images, part.n_items) for part in parts])
    return Items(sum(part.n_items for part in parts), fields, images)


def ask_part(ask: Ask, place: Place, width: int) -> Ask:
    """A model that rates the joined catalogue, as one that rates the asked part alone.

    Every score must be one, those of the other parts too; then they are dropped. Questions are cut
    finer where the join is so much wider than the part that its scores would not fit a chunk.

    Args:
        ask: about the join.
        place: of the part.
        width: how many candidates a query has, where it is asked about ``candidates``.
    """

    def asked(what: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        reader = Reader(place.n_joined, place.n_joined if what == "catalogue" else width)
        finer = [list(_cut(rows, chunk_rows(place.n_joined))) for rows in slices]
        answers = ask(what, [rows for parts in finer for rows in parts])
        for parts in finer:
            kept = []
            for rows in parts:
                for block, scores in reader.blocks(next(answers), rows):
                    demand_finite(scores, block)
                    whole = scores.shape[1] == place.n_joined
                    kept.append((place.columns(scores) if whole else scores).copy())
            yield np.concatenate(kept)

    return asked


def _title(parts: Iterable[Items]) -> str:
    """The name of the first text column of all; empty where there is none."""
    return next((name for part in parts for name in part.fields), "")


def _columns(part: Items, title: str) -> dict[str, Sequence[str]]:
    """A part's text columns under the names that they have in the join."""
    fields = dict(part.fields)
    if fields and title not in fields:
        fields = {title: fields.pop(next(iter(fields))), **fields}
    return fields


def _cut(rows: slice, most: int) -> Iterator[slice]:
    for start in range(rows.start, rows.stop, most):
        yield slice(start, min(start + most, rows.stop))
