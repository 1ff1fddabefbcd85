"""A spinner on a terminal that steps aside for a question; off it, a line a minute."""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

EVERY = 0.1  # seconds between two texts of a count
LINE = 60.0  # seconds between two lines, off a terminal


class Spinner:
    """Says what is being done, how far it is, how fast and how long still.

    On a terminal as it goes; off it in a line a minute, whether anything is counted or not.
    """

    def __init__(self, console: Console, status: Status | None) -> None:
        self.console = console
        self._status = status
        self._text = self._count = ""
        self._began = time.monotonic()
        self._first: tuple[int, float] | None = None  # the count's first number, and when
        self._next = 0.0

    def __call__(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text, self._count, self._first = text, "", None
            self._began = time.monotonic()
        if self._status is not None:
            self._status.update(text)

    def count(self, done: int, total: int, unit: str) -> None:
        """Show how far a count is, beside the text."""
        now = time.monotonic()
        if self._first is None or done < self._first[0]:  # another count
            self._first = done, now
        if now < self._next and done != total:
            return
        self._next = now + EVERY
        first, since = self._first
        self._count = f": {amount(done, unit, total)}"
        if done > first and now > since:
            speed = (done - first) / (now - since)
            self._count += f", {_rate(speed, unit)}"
            if total > done:
                self._count += f", {_clock((total - done) / speed)} left"
        if self._status is not None:
            self._status.update(self._text + self._count)

    def say(self) -> None:
        """Print what is being done, as a line."""
        time_taken = _clock(time.monotonic() - self._began)
        mark = "," if self._count else ":"
        line = f"{self._text}{self._count}{mark} {time_taken} so far"
        self.console.print(line, markup=False, soft_wrap=True)

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


def _rate(speed: float, unit: str) -> str:
    """``2.1 MB/s``, ``3.0 cards/s``."""
    return f"{speed / 1e6:,.1f} MB/s" if unit == "bytes" else f"{speed:,.1f} {unit}/s"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=int(seconds)))


@contextlib.contextmanager
def spinning(console: Console, text: str, every: float = LINE) -> Iterator[Spinner]:
    """Yields a spinner that says ``text``; ``every``: seconds between two lines, off a terminal."""
    if console.is_terminal:
        with console.status(text) as status:
            spinner = Spinner(console, status)
            spinner(text)
            yield spinner
        return
    spinner, over = Spinner(console, None), threading.Event()
    spinner(text)

    def tell() -> None:
        while not over.wait(every):
            spinner.say()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield spinner
    finally:
        over.set()
        teller.join()
