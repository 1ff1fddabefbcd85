"""What executors cost: the same equal cells here, and as tasks of Ray, on one worker and on two.

    python -m pip install --editable ".[ray]"
    python benchmarks/executors.py --cells 12 --sleep 3

A cell sleeps, so that two of them want no second core. Each way is ``mmbench run`` as people give
it, in a new folder of results, after one run that fills the caches; each is run with few cells and
with many, which parts what a grid costs once (Ray starts and ends, a worker loads the question)
from what it costs a cell. "more" is beside ``local`` on as many workers.
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
    parser.add_argument("--cells", type=int, default=12, help="of the larger grid")
    parser.add_argument("--few", type=int, default=4, help="of the smaller one")
    parser.add_argument("--sleep", type=float, default=3.0)
    parser.add_argument("--without", default="", help="leave ways out whose name begins so")
    given = parser.parse_args()
    left_out = given.without or "nothing"
    ways = {name: words for name, words in WAYS.items() if not name.startswith(left_out)}
    few, many = given.few, given.cells
    print(describe_machine(f"{few} and {many} cells that sleep {given.sleep:g} s"))
    print(
        f"| way | {few} cells, s | {many} cells, s | x 1 worker | a cell, s | more a grid, s "
        "| more a cell, s |\n|:--|--:|--:|--:|--:|--:|--:|"
    )
    spent: dict[str, tuple[float, float]] = {}  # seconds once, and for each cell
    walls: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sleeper.py").write_text(MODEL)
        make_shop(folder / "shop")
        run(folder, "warm", 1, 0.0, [])
        for number, (way, words) in enumerate(ways.items()):
            small, large = (
                run(folder, f"out{number}-{cells}", cells, given.sleep, words)
                for cells in (few, many)
            )
            kind, count = way.split(", ")
            cell = (large - small) / (many - few)
            walls[way], spent[way] = large, (small - few * cell, cell)
            once, each = spent[f"local, {count}"]
            print(
                f"| {way} | {small:.1f} | {large:.1f} | {walls[f'{kind}, 1 worker'] / large:.2f} "
                f"| {cell:.2f} | {spent[way][0] - once:.1f} | {cell - each:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
