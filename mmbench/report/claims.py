"""What a table of a board may claim: its columns of groups and places, the sentences below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mmbench.report.aggregate import Board, Row
from mmbench.report.numbers import letters, of_interval, of_mean
from mmbench.report.page import Cell, Shown
from mmbench.report.standings import Standings
from mmbench.report.statistics.max_t import FLIPS
from mmbench.report.words import decimals, plain, plural

LISTED = 4  # names in a sentence, beyond which they are counted
DEVIATION = "± is the sample standard deviation over seeds; no interval, as no ranks are at hand."


def with_interval(row: Row, metric: str, standings: Standings) -> Cell:
    """The mean with its interval; only the mean of a row that takes no part."""
    standing, figure = standings.of(row), row.figure(standings.candidates, metric)
    if standing is None or metric not in standing.intervals:
        return of_mean(figure)
    told = of_interval(standing.intervals[metric])
    return replace(told, best=metric == standings.metric and best(row, standings))


def best(row: Row, standings: Standings) -> bool:
    """Whether a row is told from all others: as trained from those whose noise is unknown."""
    own = (row.first.cell.id,)
    every = len(standings.known) == len(standings.rows)
    return standings.leaders == own and (every or standings.trained_leaders == own)


def claim_columns(standings: Standings) -> list[Shown[Row]]:
    """The columns of groups and places; those that no row fills are empty."""

    def group(row: Row) -> str:
        standing = standings.of(row)
        if not standings.known or standing is None:
            return ""
        return letters(standing.group) if standing.noise_known else "?"

    def places(row: Row) -> str:
        standing = standings.of(row)
        if standing is None or standing.places is None:
            return ""
        first, last = standing.places
        return str(first) if first == last else f"{first}-{last}"

    def as_trained(row: Row) -> str:
        standing = standings.of(row)
        return "" if standing is None else letters(standing.as_trained)

    return [
        Shown("group", group, left=True),
        Shown("places", places),
        Shown("as trained", as_trained, left=True),
    ]


def claim_lines(board: Board, standings: Standings) -> tuple[str, ...]:
    """Below a table: whom it is about, and what its signs mean."""
    return (
        _asked(standings),
        _plus_minus(standings),
        *_groups(standings),
        *_sizes(board, standings),
    )


def conclusion(board: Board, standings: Standings) -> str:
    """One sentence. Only a row whose group has no other is called best."""
    if len(standings.rows) < 2:
        return "nothing of an order, as there are no two rows to compare."
    fits = _told(board, standings.trained_leaders, standings.metric)
    if not standings.known:
        return (
            "nothing of models trained anew, as there are no two rows whose seed noise is known; "
            f"of these trained models, for other users, {fits}."
        )
    first = _names(board, standings.leaders[:1])
    leading = (
        f"{first} is best"
        if len(standings.leaders) == 1
        else f"none is best, as {_told(board, standings.leaders, standings.metric)}"
    )
    told = f"of the {len(standings.known)} rows with a group, for other users and seeds, {leading}"
    unknown = len(standings.rows) - len(standings.known)
    if not unknown:
        return f"{told}."
    rows = "other row says" if unknown == 1 else "other rows say"
    return f"{told}; the {unknown} {rows} nothing of other seeds: as trained, {fits}."


def _told(board: Board, leaders: Sequence[str], metric: str) -> str:
    """Whether the highest figure, the first leader's, is told from the others."""
    others = _names(board, leaders[1:]) if leaders[1:] else ""
    told = f"is not told from {others}" if others else "is told from all others"
    return f"{_names(board, leaders[:1])} has the highest {metric} and {told}"


def _names(board: Board, keys: Sequence[str]) -> str:
    names = {row.first.cell.id: plain(row.name) for row in board.rows}
    shown = [names[key] for key in keys]
    if len(shown) > LISTED:
        return f"{', '.join(shown[: LISTED - 1])} and {len(shown) - LISTED + 1} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _asked(standings: Standings) -> str:
    rows = plural(len(standings.rows), "row")
    return f"{plural(standings.users, 'user')}, the same for {rows}; seeds as in their column."


def _plus_minus(standings: Standings) -> str:
    unknown = [row for row in standings.rows.values() if not row.noise_known]
    steady = sum(row.steady for row in standings.rows.values())
    over = "users and seeds"
    if len(unknown) == len(standings.rows):
        over = "users alone: every row has one seed, and its seed noise is unknown"
    elif unknown:
        sign = " (group ?)" if standings.known else ""
        over += f"; of rows with one seed{sign}, whose seed noise is unknown, over users alone"
    text = f"± is half of the 95% interval of the mean, over {over}."
    if steady:
        rows = "row of one seed is" if steady == 1 else "rows of one seed are"
        text += (
            f" {steady} {rows} of models that rank alike with every seed, so that one is enough."
        )
    return text


def _groups(standings: Standings) -> Iterator[str]:
    metric = standings.metric
    if standings.known:
        rows, pairs = len(standings.known), len(standings.family.pairs)
        yield (
            f"group, by {metric}: rows that share a letter are not told apart, for other users and "
            f"other seeds (5% over a family of {plural(pairs, 'pair')} of {rows} rows, Holm). "
            "places: the ranks that a row may hold among them."
        )
    if standings.trained.pairs:
        pairs = len(standings.trained.pairs)
        yield (
            f"as trained, by {metric}: rows that share a letter are not told apart, for other "
            f"users and these trained models alone (5% over {plural(pairs, 'pair')}, step-down "
            f"max-|t| of {FLIPS:,} sign flips)."
        )


def _sizes(board: Board, standings: Standings) -> Iterator[str]:
    known = bool(standings.known)
    family = standings.family if known else standings.trained
    one, among = family.detectable(), family.detectable(max(1, len(family.pairs)))
    whom = "other users and seeds" if known else "other users"
    if one is not None and among is not None:
        many = f", {decimals(among)} among {len(family.pairs)}" if len(family.pairs) > 1 else ""
        yield (
            f"Smallest difference in {standings.metric} that such rows show four times in five "
            f"({whom}, the middle pair): {decimals(one)} for one pair{many}."
        )
    if family.pairs:
        keys = standings.known if known else tuple(standings.rows)
        couples = [_names(board, [keys[a], keys[b]]) for a, b in family.equivalent]
        shown = "; ".join(couples[:LISTED]) or "no pair is shown to be"
        more = f"; and {len(couples) - LISTED} more" if len(couples) > LISTED else ""
        yield (
            f"Equivalent within a margin of {100 * standings.margin:g}% ({whom}; two one-sided "
            f"tests, Holm): {shown}{more}."
        )
