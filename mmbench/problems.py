"""Errors that are the user's to mend, and the hint at the end of many."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

ILLEGIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class UserError(ValueError):
    """What is wrong, where, and how to mend it; commands print it and exit with code 2."""


class Stop(BaseException):
    """A signal asks to end; typer would make its own of a KeyboardInterrupt."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: close matches, or all that is known."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    return f" Known: {', '.join(names)}." if names else " None is installed."


def legible(text: str, most: int) -> str:
    """A text of others as it can be stored and shown: its first ``most`` characters.

    Controls, which a terminal obeys, and halves of characters, which no file holds, are replaced.
    """
    left = len(text) - most
    cut = f"{text[:most]}... ({left:,} more characters)" if left > 0 else text
    return ILLEGIBLE.sub("\N{REPLACEMENT CHARACTER}", cut.replace("\r\n", "\n"))
