"""The benchmarks' scripts run, at a tiny size; their figures are for people to look at."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="benchmarks/ is not beside this plugin"
)


def run(script: str, *options: str) -> str:
    command = [sys.executable, BENCHMARKS / script, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_matching_runs_and_agrees():
    small = ["--titles", "60", "--texts", "4", "--users", "3", "--rival-users", "2"]
    printed = run("matching.py", *small)
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    assert "largest difference" in printed


def test_chunks_run_and_agree():
    printed = run("chunks.py", "--dim", "32", "--layers", "1", "--rounds", "1")
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 6
    assert all(float(row[-1].strip(" |")) < 1e-6 for row in rows)
