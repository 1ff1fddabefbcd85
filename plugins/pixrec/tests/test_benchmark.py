"""The benchmark's script runs, at a tiny size; its figures are for people to look at."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "matching.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks/ is not beside this plugin")
def test_matching_runs_and_agrees():
    small = ["--titles", "60", "--texts", "4", "--users", "3", "--rival-users", "2"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *small], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    assert "largest difference" in done.stdout
