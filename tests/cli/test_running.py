"""Where nobody looks, a running cell has a line every minute: how far, how fast, how long still."""

import io
import re
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from mmbench.cli.screen import GridProgress

ROW = SimpleNamespace(label="slow[dim=8]", dataset="shop", seed=3)


def told(steps, every=0.05, wait=0.2, terminal=False):
    """The lines that a grid of one cell writes whose model tells these steps."""
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=terminal, highlight=False)
    with GridProgress(console, 1, every) as bars:
        bars.cell_started(ROW)
        for done, total in steps:
            bars.cell_event(
                ROW, {"event": "progress", "done": done, "total": total, "unit": "epochs"}
            )
            time.sleep(0.05)
        time.sleep(wait)
    return out.getvalue().splitlines()


def test_steps_rate_and_time_left():
    lines = told([(1, 400), (2, 400), (3, 400)])
    assert len(lines) >= 2
    said = re.compile(
        r"running slow\[dim=8\] on shop, seed 3: 3 of 400 epochs, 0:00:00 so far, "
        r"[\d.]+ epochs/s, \d:\d\d:\d\d left"
    )
    assert said.fullmatch(lines[-1])


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "running slow[dim=8] on shop, seed 3: 0:00:00 so far"),
        ([(2, float("inf"))], "running slow[dim=8] on shop, seed 3: 2 epochs, 0:00:00 so far"),
    ],
)
def test_a_model_that_says_little(steps, said):
    assert told(steps)[-1] == said


def test_a_short_cell_and_a_terminal_have_none():
    assert told([(1, 2)], every=60.0) == []
    assert not [line for line in told([(1, 2)], terminal=True) if "so far" in line]
