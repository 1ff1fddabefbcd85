"""What executors cost: the same equal cells here, and as tasks of Ray, on one worker and on two.

    python -m pip install --editable ".[ray]"
    python benchmarks/executors.py --cells 12 --sleep 3

A cell sleeps, so that two of them want no second core. Each way is ``mmbench run`` as people give
it, in a new folder of results, after one run that fills the caches. "a cell" is what a way takes
longer than ``local`` on as many workers, by cell; Ray's start and end are in "wall".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import describe_machine

MODEL = """
from dataclasses import dataclass
import time
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    sleep: float = 0.0

class Sleeper:
    Config = Config
    presets = {"paper": Config()}
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, run):
        time.sleep(self.config.sleep)
        self.scores = np.random.default_rng(run.seed).random(train.n_items, dtype=np.float32)
    @hookimpl
    def score(self, queries):
        return np.tile(self.scores, (len(queries), 1))
"""
WAYS = {
    "local, 1 worker": ["--jobs", "1"],
    "local, 2 workers": ["--jobs", "2"],
    "ray, 1 worker": ["--executor", "ray", "--jobs", "1"],
    "ray, 2 workers": ["--executor", "ray", "--jobs", "2"],
}


def make_shop(folder: Path) -> None:
    """A small dataset."""
    folder.mkdir()
    walks = [[f"u{user}", *(f"i{(7 * user + k) % 40}" for k in range(6))] for user in range(60)]
    (folder / "sequences.txt").write_text("\n".join(map(" ".join, walks)) + "\n")


def run(folder: Path, out: str, cells: int, sleep: float, words: list[str]) -> float:
    """Seconds of wall time of a run. Raises RuntimeError where it fails."""
    command = ["run", "-m", f"./sleeper.py:Sleeper[sleep={sleep}]", "-d", "./shop"]
    command += ["--seeds", str(cells), "--out", out, *words]
    environment = {**os.environ, "MMBENCH_CACHE": str(folder / "cache"), "NO_COLOR": "1"}
    code = "from mmbench.cli import main; main()"
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return time.perf_counter() - begun


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--sleep", type=float, default=3.0)
    parser.add_argument("--without", default="", help="leave ways out whose name begins so")
    given = parser.parse_args()
    left_out = given.without or "nothing"
    ways = {name: words for name, words in WAYS.items() if not name.startswith(left_out)}
    print(describe_machine(f"{given.cells} cells that sleep {given.sleep:g} s"))
    print("| way | wall, s | x 1 worker | a cell more than local, s |\n|:--|--:|--:|--:|")
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sleeper.py").write_text(MODEL)
        make_shop(folder / "shop")
        run(folder, "warm", 1, 0.0, [])
        for number, (way, words) in enumerate(ways.items()):
            spent[way] = run(folder, f"out{number}", given.cells, given.sleep, words)
            kind, count = way.split(", ")
            alone = spent[f"{kind}, 1 worker"]
            more = (spent[way] - spent[f"local, {count}"]) / given.cells
            print(
                f"| {way} | {spent[way]:.1f} | {alone / spent[way]:.2f} | {more:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
