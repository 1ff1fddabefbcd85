"""What is said of a long count, on a terminal and off it."""

import io

from rich.console import Console

from mmbench.cli import status
from mmbench.cli.status import amount, spinning


def test_amounts_are_written_as_people_do():
    assert amount(1_500_000, "bytes") == "1.5 MB"
    assert amount(1_500_000, "bytes", 3_000_000) == "1.5 of 3.0 MB"
    assert amount(1200, "cards", 2400) == "1,200 of 2,400 cards"


def test_off_a_terminal_a_long_count_has_a_line_now_and_then(monkeypatch):
    shown, clock = io.StringIO(), [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: clock[0])
    with spinning(Console(file=shown), "fetching it") as spinner:
        for second in range(65):
            clock[0] = 100.0 + second
            spinner.count(second + 1, 100, "cards")
    assert shown.getvalue().splitlines() == [
        "fetching it: 31 of 100 cards",
        "fetching it: 61 of 100 cards",
    ]
