"""Two numberings of one log: which item of one is which of the other, by the sequences alone.

Colours are refined as in the test of Weisfeiler and Leman: a user's colour is that of its items in
their order, an item's that of its users and its places with them, until no colour splits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from mmbench.data.log import DataError

Log = Sequence[Sequence[str]]  # of each user, the items in their order


class _Colours:
    """One number for equal descriptions, in both logs."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, description: Hashable) -> int:
        return self._known.setdefault(description, len(self._known))


def match_items(one: Log, other: Log, names: tuple[str, str]) -> dict[str, str]:
    """``{item of one: item of the other}``; items that nothing tells apart are left out.

    Args:
        one: the first log.
        other: the second; its users may stand in another order.
        names: of the logs, for messages.

    Raises DataError where they are not the same log.
    """
    items = tuple({item: 0 for row in log for item in row} for log in (one, other))
    distinct = 0
    while True:
        colours = _Colours()
        users = tuple(
            [colours.of(tuple(known[item] for item in row)) for row in log]
            for log, known in zip((one, other), items, strict=True)
        )
        common = (Counter(users[0]) & Counter(users[1])).total()
        if not common == len(one) == len(other):
            raise DataError(
                f"{names[0]} and {names[1]} are not the same log: {common:,} users of {len(one):,} "
                f"and {len(other):,} have sequences alike"
            )
        shades = _Colours()
        items = tuple(
            _items(log, seen, known, shades)
            for log, seen, known in zip((one, other), users, items, strict=True)
        )
        now = len(set(items[0].values()))
        if now == distinct:
            break
        distinct = now
    single = [_single(known) for known in items]
    return {single[0][shade]: single[1][shade] for shade in single[0] if shade in single[1]}


def _items(
    log: Log, users: Sequence[int], known: dict[str, int], shades: _Colours
) -> dict[str, int]:
    """The next colours of the items."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, user in zip(log, users, strict=True):
        for place, item in enumerate(row):
            places[item].append((user, place))
    return {item: shades.of((known[item], *sorted(found))) for item, found in places.items()}


def _single(known: dict[str, int]) -> dict[int, str]:
    """The items by their colours, where those are theirs alone."""
    counts = Counter(known.values())
    return {shade: item for item, shade in known.items() if counts[shade] == 1}
