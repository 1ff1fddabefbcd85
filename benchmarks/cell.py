"""A whole cell as ``mmbench run`` has it, of a model that costs next to nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from data import PROTOCOL, random_log

from mmbench.grid.declaration import Declaration
from mmbench.grid.question import Question, ask_question
from mmbench.grid.registry import Plugin
from mmbench.grid.runner import Circumstances, Job, run_cell
from mmbench.results.cell import Cell
from mmbench.results.record import Record


def make_job(users: int, items: int, dim: int) -> tuple[Job, Question]:
    """The cell, and what it is asked: random events of so many users and items."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    log = random_log(users, items)
    plugin = Plugin("random-vectors", "model:RandomVectors", "benchmarks", "0")
    declared = Declaration("paper", {"dim": dim})
    cell = Cell(
        model="random-vectors",
        distribution="benchmarks",
        version="0",
        config={"dim": dim},
        dataset=log.id,
        fingerprints={"events": log.fingerprints.events},
        protocol=PROTOCOL.name,
        seed=0,
    )
    job = Job(cell, plugin, "random-vectors", "paper", declared)
    return job, ask_question(log, PROTOCOL)


def run(job: Job, question: Question, *, walled: bool = True) -> Record:
    """Run it. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        how = Circumstances(cache=Path(folder, "cache"), walled=walled)
        done = run_cell(job, question, scratch, how, lambda event: None)
    if not done.record.done:
        raise RuntimeError(done.record.status.reason)
    return done.record
