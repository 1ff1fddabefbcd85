"""What is said of a long count, on a terminal and off it."""

import io
import time

import pytest
from rich.console import Console

from mmbench.cli import status
from mmbench.cli.status import Spinner, amount, spinning


def test_amounts_are_written_as_people_do():
    assert amount(1_500_000, "bytes") == "1.5 MB"
    assert amount(1_500_000, "bytes", 3_000_000) == "1.5 of 3.0 MB"
    assert amount(1200, "cards", 2400) == "1,200 of 2,400 cards"


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only where a test says so."""
    now = [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    return now


def said(spinner):
    """The line that would be printed now."""
    before = spinner.console.file.tell()
    spinner.say()
    return spinner.console.file.getvalue()[before:].rstrip("\n")


def test_a_line_tells_how_far_how_fast_and_how_long_still(clock):
    spinner = Spinner(Console(file=io.StringIO()), None)
    spinner("fetching it")
    assert said(spinner) == "fetching it: 0:00:00 so far"
    for second in range(61):
        clock[0] = 100.0 + second
        spinner.count(second, 120, "cards")
    line = "fetching it: 60 of 120 cards, 1.0 cards/s, 0:01:00 left, 0:01:00 so far"
    assert said(spinner) == line
    spinner("unpacking it")
    clock[0] += 65
    assert said(spinner) == "unpacking it: 0:01:05 so far"


def test_what_was_there_before_is_no_speed(clock):
    spinner = Spinner(Console(file=io.StringIO()), None)
    spinner("fetching it")
    spinner.count(90_000_000, 100_000_000, "bytes")  # a download that goes on
    clock[0] += 10
    spinner.count(92_000_000, 100_000_000, "bytes")
    line = "fetching it: 92.0 of 100.0 MB, 0.2 MB/s, 0:00:40 left, 0:00:10 so far"
    assert said(spinner) == line
    clock[0] += 10
    spinner.count(1_000_000, 0, "bytes")  # the next file, of which nobody tells the size
    clock[0] += 10
    spinner.count(3_000_000, 0, "bytes")
    assert said(spinner) == "fetching it: 3.0 MB, 0.2 MB/s, 0:00:30 so far"


def test_off_a_terminal_long_work_has_a_line_now_and_then(monkeypatch):
    shown = io.StringIO()
    with spinning(Console(file=shown), "preparing it", every=0.05):
        time.sleep(0.3)
    lines = shown.getvalue().splitlines()
    assert len(lines) >= 2
    assert set(lines) == {"preparing it: 0:00:00 so far"}
    time.sleep(0.1)
    assert shown.getvalue().splitlines() == lines


def test_short_work_and_a_terminal_have_none():
    quick, terminal = io.StringIO(), io.StringIO()
    with spinning(Console(file=quick), "preparing it"):
        pass
    with spinning(Console(file=terminal, force_terminal=True), "preparing it", every=0.01):
        time.sleep(0.1)
    assert quick.getvalue() == ""
    assert "so far" not in terminal.getvalue()
