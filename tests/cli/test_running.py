"""Where nobody looks, a running cell has a line every minute: how far, how fast, how long still."""

import io
import re
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from mmbench.cli.screen import GridProgress, running_line

ROW = SimpleNamespace(label="slow[dim=8]", dataset="shop", seed=3)
FAILED = SimpleNamespace(kind="failed", reason="for a test")
RECORD = SimpleNamespace(done=False, status=FAILED)


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
    ],
)
def test_a_model_that_says_nothing(steps, said):
    assert told(steps)[-1] == said


def test_a_model_that_knows_no_end():
    said = r"running slow\[dim=8\] on shop, seed 3: 2 epochs, 0:00:00 so far, [\d.]+ epochs/s"
    assert re.fullmatch(said, told([(2, float("inf"))])[-1])


def test_long_epochs_have_a_rate_too():
    """Of which fewer than two fall into the seconds that rich looks back on."""
    task = SimpleNamespace(
        **{"speed": None, "completed": 3, "total": 10, "elapsed": 900.0, "remaining": 7},
        **{"description": "slow", "fields": {"unit": "epochs"}},
    )
    line = "[dim]running[/] slow: 3 of 10 epochs, 0:15:00 so far, epochs, 300 s each, 0:35:00 left"
    assert running_line(task) == line


def test_a_grid_of_several_cells_has_a_line_of_its_own():
    out = io.StringIO()
    with GridProgress(Console(file=out, width=120, highlight=False), 3, 0.05) as bars:
        bars.cell_started(ROW)
        time.sleep(0.2)
        bars.cell_finished(ROW, RECORD)
        time.sleep(0.2)
    lines = out.getvalue().splitlines()
    assert lines[0] == "running cells: 0:00:00 so far"
    last = r"running cells: 1 of 3 cells, 0:00:00 so far, [\d.]+ cells/s, 0:00:0\d left"
    assert re.fullmatch(last, lines[-1])


def test_a_short_cell_and_a_terminal_have_none():
    assert told([(1, 2)], every=60.0) == []
    assert not [line for line in told([(1, 2)], terminal=True) if "so far" in line]
