"""Workers that are killed at random moments: nothing that was finished is lost or stored twice.

    python benchmarks/kills.py --kills 100

Two workers at a time run ``mmbench cell`` for random cells of a plan of twelve, four of which start
from four others, as a scheduler that knows nothing would. Each is killed after a random while, by
SIGKILL, with its plugin's process or without, or told to leave by SIGUSR1. After each end, all that
was stored before is there byte for byte. When the kills are used up the rest is run in peace, and
the ranks are those of ``mmbench run``. Pauses between attempts are left out, and so is their limit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from data import describe_machine
from executors import make_shop

MODELS = """
from dataclasses import dataclass
import time
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    sleep: float = 0.2
    init: str = ""

class Giver:
    Config = Config
    presets = {"paper": Config()}
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, run):
        time.sleep(self.config.sleep)
        rng = np.random.default_rng(run.seed)
        self.vectors = rng.normal(size=(train.n_items + 1, 3)).astype(np.float32)
    @hookimpl
    def score(self, queries):
        return np.repeat(self.vectors[None, 1:, 0], len(queries), 0)
    @hookimpl
    def embed_items(self):
        return {"fused": self.vectors}

class Taker(Giver):
    upstream = "init"
    @hookimpl
    def fit(self, train, items, run):
        self.vectors = np.zeros((train.n_items + 1, 1), np.float32)
        if self.config.init:
            self.vectors = items.features["init"]
"""
GRID = "./kin.py:Giver,./kin.py:Taker[init=./kin.py:Giver],./kin.py:Taker"
PATIENT = (
    "from mmbench.results import claim, lease; claim.PAUSES = lease.PAUSES = (0.0,) * 10_000; "
    "from mmbench.cli import main; main()"
)


def command(*words: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-c", PATIENT, *words]


def stored(folder: Path) -> dict[str, str]:
    """A digest of each file of the finished cells."""
    files = [
        path
        for record in folder.glob("[!.]*/*/*/*.json")
        for path in record.parent.glob(f"{record.stem}.*")
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ranks(folder: Path) -> dict[str, bytes]:
    """The ranks of each cell."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*/*/*/*.ranks.parquet")}


def soak(folder: Path, keys: list[str], kills: int, rng: random.Random) -> Counter[str]:
    """Start and kill workers; how they ended. Raises RuntimeError where something was lost."""
    far, ends = folder / "far", Counter[str]()
    workers: list[subprocess.Popen[bytes]] = []
    while ends["killed"] + ends["told to leave"] < kills:
        while len(workers) < 2:
            words = command("cell", rng.choice(keys), "--plan", "plan.json", "--out", "far")
            quiet = subprocess.DEVNULL
            workers.append(subprocess.Popen(words, cwd=folder, stdout=quiet, stderr=quiet))
        before = stored(far)
        time.sleep(rng.uniform(0.0, 4.0))
        victim = workers.pop(rng.randrange(len(workers)))
        if victim.poll() is None:
            kind = rng.choice(["killed", "told to leave"])
            os.kill(victim.pid, signal.SIGKILL if kind == "killed" else signal.SIGUSR1)
            ends[kind] += 1
        else:
            ends["came to its end"] += 1
        victim.wait()
        after = stored(far)
        if lost := [path for path in before if after.get(path) != before[path]]:
            raise RuntimeError(f"lost or changed: {lost}")
        if len(list(far.glob("[!.]*/*/*/*.json"))) == len(keys):
            ends["grids"] += 1
            if kills - ends["killed"] - ends["told to leave"] > 0:
                for worker in workers:
                    worker.wait()
                workers.clear()
                check(folder, keys)
                far.rename(folder / f"grid{ends['grids']}")
    for worker in workers:
        worker.wait()
    return ends


def check(folder: Path, keys: list[str]) -> None:
    """Run what is left, and hold the ranks against those of ``mmbench run``."""
    far = folder / "far"
    for key in keys:
        words = command("cell", key, "--plan", "plan.json", "--out", "far")
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if ranks(far) != ranks(folder / "here"):
        raise RuntimeError("other ranks than those of mmbench run")
    if twice := list(far.glob(".aside/**/*.json")):
        raise RuntimeError(f"stored twice: {twice}")
    if left := list((far / ".work").iterdir()):
        raise RuntimeError(f"left: {left}")


def main() -> None:
    """Print how workers ended."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MMBENCH_CACHE"] = str(folder / "cache")
        (folder / "kin.py").write_text(MODELS)
        make_shop(folder / "shop")
        run = ["run", "-m", GRID, "-d", "./shop", "--seeds", "4"]
        planned = subprocess.run(
            command(*run, "--out", "far", "--write-plan", "plan.json"),
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        keys = re.findall(r"^  mmbench cell (\w+)", planned.stdout, re.M)
        here = command(*run, "--out", "here")
        subprocess.run(here, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ends = soak(folder, keys, given.kills, random.Random(given.seed))
        check(folder, keys)
    print(describe_machine(f"{len(keys)} cells, {given.kills} kills"))
    print("| workers | |\n|:--|--:|")
    for kind, count in ends.items():
        print(f"| {kind} | {count} |")
    print("| finished cells lost | 0 |")


if __name__ == "__main__":
    main()
