"""Compact letter display: rows that share a letter are not told apart."""

from __future__ import annotations

from collections.abc import Collection
from string import ascii_letters

Pair = tuple[int, int]


def letters(rows: int, apart: Collection[Pair]) -> tuple[tuple[str, ...], ...]:
    """The letters of each row, such that two rows share one just where they are not told apart.

    Args:
        rows: how many, best first: the first has ``a``.
        apart: the pairs that are told apart, in either order; all others are not.

    A letter is a set of rows none of which is told from another, as large as can be; sets are
    added, from the first row on, until each such pair is in one (the display of Piepho, JCGS
    13(2), 2004, by covering pairs instead of splitting sets: its work is polynomial). Past ``Z``
    come ``a1``, ``b1`` and so on.
    """
    told = {frozenset(pair) for pair in apart}
    groups: list[list[int]] = []
    covered: set[Pair] = set()
    for one in range(rows):
        for other in range(one, rows):
            if (one, other) in covered or frozenset((one, other)) in told:
                continue
            group = _grown([one, other], rows, told)
            groups.append(group)
            covered |= {(a, b) for a in group for b in group}
    return tuple(
        tuple(_letter(number) for number, group in enumerate(groups) if row in group)
        for row in range(rows)
    )


def _grown(members: list[int], rows: int, apart: Collection[frozenset[int]]) -> list[int]:
    """The rows with all that can be added in order, so that none is told from another."""
    group = list(dict.fromkeys(members))
    for row in range(rows):
        if row not in group and not any(frozenset((row, other)) in apart for other in group):
            group.append(row)
    return sorted(group)


def _letter(number: int) -> str:
    turn, place = divmod(number, len(ascii_letters))
    return f"{ascii_letters[place]}{turn or ''}"


def in_order(letter: str, other: str) -> bool:
    """Whether a letter is followed by the other."""
    return _number(letter) + 1 == _number(other)


def _number(letter: str) -> int:
    return ascii_letters.index(letter[0]) + len(ascii_letters) * int(letter[1:] or 0)
