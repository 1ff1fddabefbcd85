"""Processes that are killed at random moments: nothing finished is lost or stored twice.

    python -m pip install --editable ".[ray]"
    python benchmarks/kills.py --kills 100

A plan of twelve cells, four of which start from four others, is run again and again, each way for
its share of the kills:

- ``cell``: two workers at a time run ``mmbench cell`` for random cells, as a scheduler that knows
  nothing would; what ``--executor slurm`` puts into its array.
- ``local``: ``mmbench run --jobs 2``.
- ``ray``: ``mmbench run --executor ray --jobs 2``, with a Ray of its own.

After a random while a worker, or of the last two any process that ``mmbench run`` has started or it
itself, is killed by SIGKILL; or a worker is told to leave by SIGUSR1, and ``mmbench run`` by
SIGTERM. After each end, all that was stored before is there byte for byte. A grid that came to its
end is held against the ranks of ``mmbench run`` in peace. Pauses between attempts are left out, and
so is their limit.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
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

import psutil
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
RUN = ["run", "-m", GRID, "-d", "./shop", "--seeds", "4"]
PLANNED = ["--plan", "plan.json", "--out", "far"]
WAYS = {
    "local": ["--out", "far", "--jobs", "2"],
    "ray": ["--out", "far", "--executor", "ray", "--jobs", "2"],
}
PATIENCE = {"cell": 4.0, "local": 15.0, "ray": 25.0}  # seconds in which something is killed
PATIENT = (
    "from mmbench.results import claim, lease; claim.PAUSES = lease.PAUSES = (0.0,) * 10_000; "
    "from mmbench.cli import main; main()"
)


def command(*words: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-c", PATIENT, *words]


def done(folder: Path) -> list[Path]:
    """The records of the finished cells; what failed, its process killed, is run again."""
    found = folder.glob("[!.]*/*/*/*.json")
    return [path for path in found if json.loads(path.read_text())["status"]["kind"] == "done"]


def stored(folder: Path) -> dict[str, str]:
    """A digest of each file of the finished cells."""
    files = [path for record in done(folder) for path in record.parent.glob(f"{record.stem}.*")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ranks(folder: Path) -> dict[str, bytes]:
    """The ranks of each cell."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*/*/*/*.ranks.parquet")}


def soak(way: str, folder: Path, keys: list[str], kills: int, rng: random.Random) -> Counter[str]:
    """Start and kill what runs cells; how that ended. Raises RuntimeError for what is lost."""
    far, ends = folder / "far", Counter[str]()
    running: list[subprocess.Popen[bytes]] = []
    while ends["killed"] + ends["told to leave"] < kills:
        while len(running) < (2 if way == "cell" else 1):
            words = ["cell", rng.choice(keys), *PLANNED] if way == "cell" else [*RUN, *WAYS[way]]
            quiet = subprocess.DEVNULL
            running.append(
                subprocess.Popen(command(*words), cwd=folder, stdout=quiet, stderr=quiet)
            )
        before = stored(far)
        time.sleep(rng.uniform(0.0, PATIENCE[way]))
        victim = running.pop(rng.randrange(len(running)))
        if victim.poll() is not None:
            ends["came to its end"] += 1
        elif rng.random() < 0.5:
            victim.send_signal(signal.SIGUSR1 if way == "cell" else signal.SIGTERM)
            ends["told to leave"] += 1
        elif way == "cell" or rng.random() < 0.3:
            end_all(victim)
            ends["killed"] += 1
        elif kin := psutil.Process(victim.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                rng.choice(kin).kill()
            ends["killed"] += 1
        wait(victim)
        after = stored(far)
        if lost := [path for path in before if after.get(path) != before[path]]:
            raise RuntimeError(f"lost or changed: {lost}")
        print(f"{way}: {dict(ends)}", file=sys.stderr, flush=True)
        if len(done(far)) == len(keys):
            ends["grids"] += 1
            if kills - ends["killed"] - ends["told to leave"] > 0:
                for other in running:
                    wait(other)
                running.clear()
                check(folder, keys)
                far.rename(folder / f"grid-{way}-{ends['grids']}")
    for other in running:
        wait(other)
    return ends


def end_all(victim: subprocess.Popen[bytes]) -> None:
    """Kill a process, and a Ray that it has started, as where a machine loses its power."""
    kin = psutil.Process(victim.pid).children(recursive=True)
    victim.kill()
    for process in kin:
        if "ray" in " ".join(words_of(process)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def words_of(process: psutil.Process) -> list[str]:
    """The words of a process's command; none where it is gone."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for an end. Raises RuntimeError where it does not come."""
    try:
        process.wait(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        raise RuntimeError(f"hangs: {process.args!r}") from None


def check(folder: Path, keys: list[str]) -> None:
    """Run what is left, and hold the ranks against those of ``mmbench run``."""
    far = folder / "far"
    for key in keys:
        words = command("cell", key, *PLANNED)
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if ranks(far) != ranks(folder / "here"):
        raise RuntimeError("other ranks than those of mmbench run")
    if twice := list(far.glob(".aside/**/*.json")):
        raise RuntimeError(f"stored twice: {twice}")
    if left := list((far / ".work").iterdir()):
        raise RuntimeError(f"left: {left}")


def main() -> None:
    """Print how each way ended."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="of all ways together")
    parser.add_argument("--ways", default="cell,local,ray", help="comma-separated")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ways = given.ways.split(",")
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MMBENCH_CACHE"] = str(folder / "cache")
        (folder / "kin.py").write_text(MODELS)
        make_shop(folder / "shop")
        planned = subprocess.run(
            command(*RUN, "--out", "far", "--write-plan", "plan.json"),
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        keys = re.findall(r"^  mmbench cell (\w+)", planned.stdout, re.M)
        here = command(*RUN, "--out", "here")
        subprocess.run(here, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for number, way in enumerate(ways):
            share = (given.kills * (number + 1)) // len(ways) - (given.kills * number) // len(ways)
            found[way] = soak(way, folder, keys, share, random.Random(f"{given.seed} {way}"))
            check(folder, keys)
            (folder / "far").rename(folder / f"grid-{way}")
    print(describe_machine(f"{len(keys)} cells, {given.kills} kills"))
    print(f"| | {' | '.join(ways)} |\n|:--|{'--:|' * len(ways)}")
    for kind in ("killed", "told to leave", "came to its end", "grids"):
        print(f"| {kind} | {' | '.join(str(found[way][kind]) for way in ways)} |")
    print(f"| finished cells lost |{' 0 |' * len(ways)}")


if __name__ == "__main__":
    main()
