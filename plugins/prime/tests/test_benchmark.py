"""The benchmarks' scripts run, at a tiny size; their figures are for people to look at."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"


def run(script, *given):
    done = subprocess.run(
        [sys.executable, FOLDER / script, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("| ")]


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.exists(), reason="benchmarks/ is not beside this plugin")
def test_reading():
    small = ["--dim", "32", "--prompts", "2", "--candidates", "4", "--history", "2", "--words", "3"]
    rows = run("prime_reading.py", *small)
    assert len(rows) == 4 and rows[1].count("x)") == 2


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.exists(), reason="benchmarks/ is not beside this plugin")
def test_shares():
    _, row = run("prime_shares.py", "--data", "demo", "--epochs", "1")
    shares = [float(cell.strip(" %")) for cell in row.strip("|").split("|")]
    assert sum(shares) == pytest.approx(100, abs=0.2)
