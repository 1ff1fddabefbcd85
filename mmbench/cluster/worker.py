"""A cell by its key: what every executor but ``local`` runs, on whatever machine it is.

A worker gets a key and a plan, no state. It finds model and data by name, and refuses the cell
where they are not what was planned: by other code or other data it would be another cell.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

from mmbench import data
from mmbench.cluster.plan_file import (
    CellEntry,
    DataEntry,
    ModelEntry,
    PlanFile,
    build_cell,
    planned_cell,
    replaced,
)
from mmbench.data.log import DataError, Log, sample_users
from mmbench.data.places import cache_home
from mmbench.grid.declared import read_code
from mmbench.grid.environment import cuda_gpus
from mmbench.grid.execute import Observer, run_row
from mmbench.grid.fetch import models_folder
from mmbench.grid.plan import Planned
from mmbench.grid.question import Question, ask_all, ask_question
from mmbench.grid.registry import UsageError
from mmbench.grid.runner import Circumstances, Job
from mmbench.grid.unpackaged import find_model, locate
from mmbench.grid.weights import changed
from mmbench.protocol import get_protocol
from mmbench.results.cell import Cell, differences
from mmbench.results.lease import excludes
from mmbench.results.record import Record
from mmbench.results.store import read_record

LAG = 30.0  # seconds in which a network disk shows what another machine has stored


class Refused(UsageError):
    """This worker would run another cell than was planned; the message says what differs."""


def run_key(
    plan: PlanFile,
    key: str,
    results: Path,
    observer: Observer,
    how: Circumstances,
    *,
    questions: Questions | None = None,
    lag: float = LAG,
) -> Record:
    """Run a cell of a plan unless that was done, and store how it ended.

    Args:
        plan: as it was read.
        key: the cell's id.
        results: the folder that all workers share.
        observer: told of it.
        how: limits and places; the limits of the plan hold.
        questions: what was prepared before.
        lag: seconds to wait for the cell that it starts from to be seen.

    Raises Refused, UsageError, Interrupted, Outrun, Preempted, OSError.
    """
    entry = plan.find(key)
    demand_folder(results)
    done = read_record(results, planned_cell(plan, entry))
    if done is not None and not replaced(entry, done) and not entry.keep_items:
        row = Planned(entry.label, entry.dataset, entry.seed)
        observer.cell_finished(row, done)
        return done
    row = resolve(plan, entry, questions or Questions(plan))
    if entry.upstream is not None:
        _await(plan.find(entry.upstream), row, results, lag)
    how.limits = plan.limits
    return run_row(
        *(row, results, how, observer, lambda known: replaced(entry, known)),
        keep_items=entry.keep_items,
        lasts=plan.lasts,
        limited=True,
    )


def resolve(plan: PlanFile, entry: CellEntry, questions: Questions) -> Planned:
    """The row of a cell, of what this machine has. Raises Refused, UsageError and DataError."""
    model = plan.models[entry.model]
    try:
        question = questions.ask(entry.question)
        source = questions.source()
    except DataError as error:
        raise Refused(f"{entry.label}, cell {entry.key}: {error}") from error
    job = _job(plan, entry, question, source)
    if job.cell.id != entry.key:
        raise Refused(
            f"{entry.label} would be cell {job.cell.id} here, and {entry.key} was planned: "
            f"{_told(planned_cell(plan, entry), job.cell)}"
        )
    weights = model.weights or {}
    if problem := changed(weights, models_folder(job.plugin, cache_home()), cache_home()):
        raise Refused(f"{entry.label}, cell {entry.key}: {problem}")
    return Planned(entry.label, question.log.id, entry.seed, job, question, source=source)


class Questions:
    """What a plan asks, prepared once each in a process."""

    def __init__(self, plan: PlanFile, load: Callable[[DataEntry], Log] | None = None) -> None:
        """``load`` prepares a dataset; by default from where it is found by its word."""
        self._plan = plan
        self._load = load or _load
        self._protocol = get_protocol(plan.protocol_file or plan.protocol)
        self.ask = functools.cache(self._ask)
        self.source = functools.cache(self._source)
        self._alone = functools.cache(self._ask_alone)

    def _ask(self, place: int) -> Question:
        entry = self._plan.questions[place]
        places = {str(place): place for place in entry.data}
        return ask_all([list(places)], lambda word: self._alone(places[word]))[entry.place]

    def _source(self) -> Question | None:
        return None if self._plan.fit_on is None else self._alone(self._plan.fit_on)

    def _ask_alone(self, place: int) -> Question:
        log = self._load(self._plan.data[place])
        limit = self._plan.limit
        return ask_question(log if limit is None else sample_users(log, limit), self._protocol)


def demand_folder(results: Path) -> None:
    """Raise UsageError for a place that results cannot safely be stored in."""
    start, colon, _ = str(results).partition(":/")
    if colon and len(start) > 1 and start.isalnum():
        raise UsageError(
            f"{results} is no folder: results are stored by creating a file that must not be there "
            "and by renaming, which an object store has not. Give a folder that all workers share, "
            "and copy it there when the grid has ended"
        )
    results.mkdir(parents=True, exist_ok=True)
    if not excludes(results):
        raise UsageError(
            f"{results} is on a disk that creates a file anew though it is there, so that two "
            "workers would hold one cell: give a folder on another disk"
        )


def _load(entry: DataEntry) -> Log:
    return data.load(entry.word, pictures=entry.pictures)


def _job(plan: PlanFile, entry: CellEntry, question: Question, source: Question | None) -> Job:
    """A cell's job, by this machine's code and data."""
    model = plan.models[entry.model]
    _join_path(model)
    plugin = find_model(model.ref)
    logs = dict(zip(plan.questions[entry.question].data, _logs(question), strict=True))
    if source is not None and plan.fit_on is not None:
        logs[plan.fit_on] = source.log
    code, protocol = read_code(plugin), question.protocol.name
    cell = build_cell(plan, entry, plugin, code, protocol, logs.__getitem__)
    first = None
    if entry.upstream is not None:
        before = plan.find(entry.upstream)
        of = plan.models[before.model]
        named = planned_cell(plan, before)
        first = Job(named, of.plugin, before.label, of.declared.preset, of.declared)
    device = "cuda" if cuda_gpus() else "cpu"
    return Job(
        *(cell, plugin, entry.label, model.declared.preset, model.declared, device, first),
        reads=model.reads,
        tuning=model.tuning,
    )


def _logs(question: Question) -> list[Log]:
    """The datasets of a question, in the order in which they were named."""
    return [log for _, log in question.asked]


def _join_path(model: ModelEntry) -> None:
    """Let a model that no package declares be found."""
    if model.file is not None:
        module, _, name = model.ref.name.partition(":")
        locate(f"{model.file if Path(model.file).is_file() else module}:{name}")


def _told(planned: Cell, here: Cell) -> str:
    """What two cells differ in, planned and here, for people."""
    found = differences(planned.to_json(), here.to_json())
    return "; ".join(f"{name} {told}, here {ours}" for name, told, ours in found)


def _await(before: CellEntry, row: Planned, results: Path, lag: float) -> None:
    """Wait for the record of the cell that a row starts from. Raises UsageError."""
    assert row.job is not None and row.job.upstream is not None
    cell, over = row.job.upstream.cell, time.monotonic() + lag
    while read_record(results, cell) is None:
        if time.monotonic() > over:
            raise UsageError(
                f"{row.label} starts from {before.label}, which is not in {results}: run "
                f"`mmbench cell {before.key}` first"
            )
        time.sleep(min(0.5, lag))
