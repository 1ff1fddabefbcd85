"""A spinner on a terminal that steps aside for a question."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

EVERY = 0.1  # seconds between two texts of a count, and off a terminal
LINE = 30.0


class Spinner:
    """Says what is being done; off a terminal only long counts say a word."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self.console = console
        self._status = status
        self._text = ""
        self._next = 0.0

    def __call__(self, text: str) -> None:
        """Show another text."""
        self._text = text
        if self._status is not None:
            self._status.update(text)

    def count(self, done: int, total: int, unit: str) -> None:
        """Show how far a count is, beside the text; a line in half a minute off a terminal."""
        now = time.monotonic()
        if self._next == 0.0 and self._status is None:
            self._next = now + LINE
        if now < self._next and done != total:
            return
        told = f"{self._text}: {amount(done, unit, total)}"
        if self._status is not None:
            self._next = now + EVERY
            self._status.update(told)
        elif now >= self._next:
            self._next = now + LINE
            self.console.print(told, markup=False)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing moves meanwhile."""
        if self._status is not None:
            self._status.stop()
        try:
            yield
        finally:
            if self._status is not None:
                self._status.start()


def amount(number: int, unit: str, total: int = 0) -> str:
    """A count as people write it, of a total where that is known; bytes in MB."""
    if unit == "bytes":
        return f"{number / 1e6:,.1f}{f' of {total / 1e6:,.1f}' if total else ''} MB"
    return f"{number:,}{f' of {total:,}' if total else ''} {unit}"


@contextlib.contextmanager
def spinning(console: Console, text: str) -> Iterator[Spinner]:
    """Yields a spinner that says ``text``."""
    if not console.is_terminal:
        spinner = Spinner(console, None)
        spinner(text)
        yield spinner
        return
    with console.status(text) as status:
        yield Spinner(console, status)
