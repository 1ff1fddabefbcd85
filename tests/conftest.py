"""A tiny prepared log, model plugins installed on a search path, and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmbench
from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log
from mmbench.results.cell import Cell
from mmbench.results.claim import claim
from mmbench.results.publish import publish
from mmbench.results.record import Record
from mmbench.results.store import render
from mmbench.views import Items

MODELS = Path(__file__).parent / "models"
HOUSE = Path(mmbench.__file__).parents[1]  # the code under test, in children as well


@dataclass
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict]:
        return json.loads(self.out)


@dataclass
class Bench:
    """The command line in an environment of its own, with plugins on its search path."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def install(self, name: str, distribution: str, version: str = "1.0", **models: str) -> None:
        """Put a distribution on the search path: ``model="module:Class"`` each."""
        site = self.folder / "site"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = "".join(f"{key.replace('__', ':')} = {value}\n" for key, value in models.items())
        (info / "entry_points.txt").write_text(f"[mmbench.models]\n{lines}")

    def add(self, module: str, source: str, group: str = "mmbench.models", **names: str) -> None:
        """Write a module and put it on the search path as a package of its own."""
        (self.folder / "site" / f"{module}.py").write_text(source)
        info = self.folder / "site" / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {module}:{attribute}\n" for name, attribute in names.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")

    def shop(self, name: str, users: int, items: int) -> None:
        """Add a folder dataset that ``--data`` finds by its name."""
        write_shop(self.folder / "data" / name, users, items)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from mmbench.cli import main; main()", *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, timeout: float = 120) -> Outcome:
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def stored(self) -> list[dict[str, Any]]:
        """Every record in ``results``."""
        found = sorted(self.folder.glob("results/*/*/*/*.json"))
        return [json.loads(path.read_text()) for path in found]

    def rows(self) -> dict[str, dict[str, Any]]:
        """The records in ``results`` by their labels, which must differ."""
        found = self.stored()
        rows = {record["label"]: record for record in found}
        assert len(rows) == len(found)
        return rows

    def beside(self, record: dict[str, Any], ending: str) -> Path:
        """A file of a record's cell, such as its ``ranks.parquet``."""
        (path,) = self.folder.glob(f"results/*/*/*/{record['cell']['id']}.{ending}")
        return path


def heed_interrupts() -> None:
    """A shell's background jobs, such as the tests may be, ignore Ctrl-C, and so do their own.

    Under nohup they ignore the end of a terminal.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A command line with the test models installed as ``mmbench-shelf``, and a small dataset."""
    site = tmp_path / "site"
    site.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "MMBENCH_DATA"}
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(site), str(MODELS), str(HOUSE)]),
        "MMBENCH_CACHE": str(tmp_path / "cache"),
        "MMBENCH_DATA": str(tmp_path / "data"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    made = Bench(tmp_path, environment)
    made.install("shelf", "mmbench-shelf", counts="shelf:Counts", noise="shelf:Noise")
    write_shop(tmp_path / "data" / "shop")
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def write_shop(folder: Path, users: int = 60, items: int = 40) -> None:
    """A folder dataset: every user walks through the catalogue from a place of their own."""
    folder.mkdir(parents=True)
    lines = []
    for user in range(users):
        start, length = (7 * user) % items, 5 + user % 4
        walk = [f"i{(start + step) % items}" for step in range(length)]
        lines.append(" ".join([f"u{user}", *walk]))
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    rows = "".join(f"i{item}\tThing number {item}\n" for item in range(items))
    (folder / "items.tsv").write_text("item_id\ttitle\n" + rows)


@pytest.fixture
def make_cell() -> Callable[..., Cell]:
    """``make_cell(seed=1)``: the cell of a model that is called ``m``, with some things changed."""
    plain: dict[str, Any] = {
        "model": "m",
        "distribution": "d",
        "version": "1.0",
        "config": {},
        "dataset": "shop",
        "fingerprints": {"events": "f"},
        "protocol": "loo@1",
        "seed": 0,
    }
    return lambda **changes: Cell(**plain | changes)


@pytest.fixture
def store_result() -> Callable[..., Record]:
    """``store_result(root, record, ranks, top)``: a cell's result over what is stored of it."""

    def store(root: Path, record: Record, *columns: Any) -> Record:
        with claim(root, record.cell, threading.Event()) as held:
            return publish(root, held, render(record, *columns), lambda standing: True).record

    return store


@pytest.fixture
def log() -> Log:
    return make_log()


@pytest.fixture
def make() -> Callable[..., Log]:
    return make_log


def make_log(users: int = 30, items: int = 20, seed: int = 0) -> Log:
    """A log of random walks through a catalogue with titles."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 9, users)
    starts = rng.integers(0, items, users)
    walks = [
        (start + np.arange(length)) % items + 1
        for start, length in zip(starts, lengths, strict=True)
    ]
    titles = ("", *(f"thing {item}" for item in range(1, items + 1)))
    return Log(
        id="walks",
        fingerprints=Fingerprints("0" * 16),
        secret=bytes(32),
        user=np.repeat(np.arange(users), lengths).astype(np.int32),
        item=np.concatenate(walks).astype(np.int32),
        time=np.concatenate([np.arange(length) for length in lengths]).astype(np.int64),
        n_users=users,
        n_items=items,
        items=Items(items, {"title": titles}),
        user_ids=tuple(f"u{user}" for user in range(users)),
        item_ids=("", *(f"i{item}" for item in range(1, items + 1))),
        card={"name": "walks", "remarks": [], "licence": "none", "ceilings": {}},
    )
