"""A plan as a file: cells by key, and all that a worker on another machine needs to run each.

Models, datasets and questions stand in it once, and cells point to them by place, so that a plan of
ten thousand cells is read in a fraction of a second. It holds no code and no data: a worker finds
both by name where it is, and what it finds must be what was planned.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mmbench import __version__
from mmbench.data.attach import ADDED
from mmbench.data.find import place_of
from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log
from mmbench.files import write_atomically
from mmbench.grid.declaration import Declaration
from mmbench.grid.execute import due
from mmbench.grid.family import Limits
from mmbench.grid.order import row_id, upstream_id
from mmbench.grid.plan import Planned, name_source
from mmbench.grid.question import Question
from mmbench.grid.registry import ModelRef, Plugin, UsageError
from mmbench.grid.runner import Job
from mmbench.grid.unpackaged import file_of
from mmbench.problems import did_you_mean
from mmbench.results.cell import Cell, canonical
from mmbench.results.lease import LASTS
from mmbench.results.record import Record
from mmbench.results.tuning import Tuning

PLANS = ".plans"


class Entry(BaseModel):
    """A part of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataEntry(Entry):
    """A dataset by the word that names it, and what a worker must find under that word.

    ``pictures`` is ``drawn`` or ``photographs`` where they were added to it.
    """

    word: str
    pictures: Literal["", "drawn", "photographs"] = ""
    id: str
    fingerprints: Fingerprints


class QuestionEntry(Entry):
    """Datasets that are fitted on together, by their places; ``place`` is the one that is asked."""

    data: tuple[int, ...]
    place: int


class ModelEntry(Entry):
    """A model with its settings, as ``grid.runner.Job`` has it.

    ``file`` is where it is, of a model that no package declares.
    """

    ref: ModelRef
    file: str | None
    plugin: Plugin
    code: str
    declared: Declaration
    weights: dict[str, str] | None
    reads: tuple[str, ...]
    tuning: Tuning | None


class Needs(Entry):
    """What a cell takes: the real thing on pretrained weights wants a GPU; None is not known."""

    gpu: bool
    memory_mb: float | None = None
    minutes: float | None = None


class CellEntry(Entry):
    """A cell.

    Attributes:
        key: its id.
        model, question: their places in the plan.
        seed: the model's.
        upstream: the key of the cell that it starts from.
        label, dataset: what it is called.
        needs: what it takes.
        keep_items: another cell of the plan starts from its item embeddings.
        due: it was to be run when the plan was made.
        replaces: the mark of the record that it is to take the place of, see ``mark``.
    """

    key: str
    model: int
    question: int
    seed: int
    upstream: str | None = None
    label: str
    dataset: str
    needs: Needs
    keep_items: bool = False
    due: bool = True
    replaces: str = ""


class PlanFile(Entry):
    """Cells and what they need; see the module.

    Attributes:
        plan: the number of this form.
        version: the mmbench that made it.
        protocol: its name.
        protocol_file: of a local one.
        limit: so many users only.
        processes: that fit a model together, of models that can be fitted so.
        fit_on: the place of the dataset that all are fitted on, where that is another one.
        seconds, memory: limits of a cell.
        lasts: seconds without a sign of life after which a worker is taken for lost.
        cells: each after the one that it starts from.
    """

    plan: Literal[1] = 1
    version: str = __version__
    protocol: str
    protocol_file: str | None = None
    limit: int | None
    processes: int = 1
    fit_on: int | None
    seconds: float | None = None
    memory: int | None = None
    lasts: float = LASTS
    data: tuple[DataEntry, ...]
    questions: tuple[QuestionEntry, ...]
    models: tuple[ModelEntry, ...]
    cells: tuple[CellEntry, ...]

    @functools.cached_property
    def by_key(self) -> Mapping[str, CellEntry]:
        """The cells by their keys."""
        return {cell.key: cell for cell in self.cells}

    @functools.cached_property
    def digest(self) -> str:
        """16 hex digits over all of it."""
        told = canonical(self.model_dump(mode="json"))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def limits(self) -> Limits:
        """Of a cell."""
        return Limits(self.seconds, self.memory)

    def find(self, key: str) -> CellEntry:
        """A cell. Raises UsageError."""
        if key not in self.by_key:
            raise UsageError(f"the plan has no cell {key!r}.{did_you_mean(key, self.by_key)}")
        return self.by_key[key]


def make_plan_file(
    rows: Sequence[Planned],
    results: Path,
    *,
    protocol: str = "",
    overwrite: str = "failed",
    limits: Limits | None = None,
    lasts: float = LASTS,
) -> PlanFile:
    """The plan of the rows that can be run, in their order.

    ``protocol`` is the file of a local one. Raises UsageError where there is no such row, as where
    no model applies to any dataset.
    """
    able = [row for row in rows if row.job and row.question and not row.inapplicable]
    if not able:
        raise UsageError("there is no cell to plan: no model applies")
    working = [row for row in due(rows, overwrite, results) if not row.inapplicable]
    at_work = {row_id(row) for row in working}
    wanted = {upstream_id(row) for row in working}
    first, limits, local = able[0], limits or Limits(), protocol.endswith(".toml")
    shelves = _Shelves()
    cells = tuple(
        shelves.cell(row, keep=row_id(row) in wanted, due=row_id(row) in at_work) for row in able
    )
    assert first.job is not None and first.question is not None
    return PlanFile(
        protocol=first.question.protocol.name,
        protocol_file=str(Path(protocol).expanduser().absolute()) if local else None,
        limit=first.job.cell.limit,
        processes=max(row.job.cell.processes or 1 for row in able if row.job),
        fit_on=shelves.dataset(first.source, 0) if first.source else None,
        seconds=limits.seconds,
        memory=limits.memory,
        lasts=lasts,
        data=tuple(shelves.data),
        questions=tuple(shelves.questions),
        models=tuple(shelves.models),
        cells=cells,
    )


def write_plan(plan: PlanFile, path: Path) -> None:
    """Write a plan with its digest. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"digest": plan.digest, **plan.model_dump(mode="json")}
    write_atomically(path, (canonical(told) + "\n").encode())


def keep_plan(plan: PlanFile, results: Path) -> Path:
    """Write a plan where ``mmbench status`` finds it, and workers by its digest."""
    path = plan_path(results, plan.digest)
    write_plan(plan, path)
    return path


def plan_path(results: Path, digest: str) -> Path:
    """Where a plan of a folder of results is."""
    return results / PLANS / f"{digest}.json"


def read_plan(path: Path) -> PlanFile:
    """A plan that is as it was written. Raises UsageError."""
    try:
        told = json.loads(path.read_bytes())
        digest = told.pop("digest")
        plan = PlanFile.model_validate_json(json.dumps(told))
    except OSError as error:
        raise UsageError(f"cannot read the plan {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} is no plan that mmbench {__version__} reads: {where}: {first['msg']}"
        ) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise UsageError(f"{path} is not a plan of mmbench") from error
    if digest != plan.digest:
        raise UsageError(
            f"{path} was edited: its digest is {plan.digest}, and it says {digest}. Plan anew"
        )
    return plan


def mark(record: Record | None) -> str:
    """A text that another record of the same cell does not have; empty for none."""
    return "" if record is None else record.seal or record.started or "unsealed"


def replaced(entry: CellEntry, known: Record) -> bool:
    """Whether a record is the one that a plan wants replaced: it does not end the cell."""
    return bool(entry.replaces) and mark(known) == entry.replaces


def planned_cell(plan: PlanFile, entry: CellEntry) -> Cell:
    """The cell that an entry stands for."""
    model = plan.models[entry.model]
    return build_cell(plan, entry, model.plugin, model.code, plan.protocol, plan.data.__getitem__)


def build_cell(
    plan: PlanFile,
    entry: CellEntry,
    plugin: Plugin,
    code: str,
    protocol: str,
    dataset: Callable[[int], DataEntry | Log],
) -> Cell:
    """The cell of an entry with this code and data; ``dataset`` gives that of a place."""
    model, question = plan.models[entry.model], plan.questions[entry.question]
    needs = model.declared.needs
    parts = [dataset(place) for place in question.data]
    asked = name_source(parts[question.place], needs)
    joined = sorted(parts, key=lambda one: (one.id, one.fingerprints.events))
    before = plan.find(entry.upstream) if entry.upstream is not None else None
    return Cell(
        model=model.ref.model,
        distribution=plugin.distribution,
        version=plugin.version,
        code=code,
        config=model.declared.config,
        dataset=asked.dataset,
        fingerprints=asked.fingerprints,
        protocol=protocol,
        seed=entry.seed,
        limit=plan.limit,
        processes=plan.processes if plan.processes > 1 and model.declared.processes else None,
        weights=model.weights,
        upstream=planned_cell(plan, before) if before else None,
        fit_on=None if plan.fit_on is None else name_source(dataset(plan.fit_on), needs),
        together=tuple(name_source(one, needs) for one in joined) if len(parts) > 1 else None,
    )


class _Shelves:
    """The parts of a plan, each once."""

    def __init__(self) -> None:
        self.data: list[DataEntry] = []
        self.questions: list[QuestionEntry] = []
        self.models: list[ModelEntry] = []
        self._places: dict[Any, int] = {}

    def _place(self, key: Any, shelf: list[Any], entry: Any) -> int:
        if key not in self._places:
            self._places[key] = len(shelf)
            shelf.append(entry())
        return self._places[key]

    def dataset(self, question: Question, which: int) -> int:
        """The place of a dataset of a question."""
        word, log = question.asked[which]
        return self._place(("data", word), self.data, lambda: _data_entry(word, log))

    def question(self, question: Question) -> int:
        """The place of a question."""
        places = tuple(self.dataset(question, k) for k in range(len(question.asked)))
        return self._place(
            ("question", places, question.place),
            self.questions,
            lambda: QuestionEntry(data=places, place=question.place),
        )

    def model(self, row: Planned) -> int:
        """The place of a row's model; its settings may depend on the row it stands in."""
        assert row.job is not None and row.ref is not None
        job, ref = row.job, row.ref
        key = ("model", ref, canonical(job.declared.config), job.preset, job.reads)
        return self._place(key, self.models, lambda: _model_entry(job, ref))

    def cell(self, row: Planned, *, keep: bool, due: bool) -> CellEntry:
        """A row's cell."""
        assert row.job is not None and row.question is not None
        job, declared = row.job, row.job.declared
        return CellEntry(
            key=job.cell.id,
            model=self.model(row),
            question=self.question(row.question),
            seed=row.seed,
            upstream=job.upstream.cell.id if job.upstream else None,
            label=job.label,
            dataset=row.dataset,
            needs=Needs(
                gpu=bool(declared.pretrained) and not declared.size,
                memory_mb=row.memory_mb,
                minutes=None if row.seconds is None else round(row.seconds / 60, 2),
            ),
            keep_items=keep,
            due=due,
            replaces=mark(row.known) if due and not row.kept else "",
        )


def _data_entry(word: str, log: Log) -> DataEntry:
    remarks = " ".join(log.card.get("remarks", ()))
    drawn, fetched = (start in remarks for start in ADDED)
    return DataEntry(
        word=_dataset_word(word),
        pictures="drawn" if drawn else "photographs" if fetched else "",
        id=log.id,
        fingerprints=log.fingerprints,
    )


def _dataset_word(word: str) -> str:
    """A dataset's word as it is understood in any folder."""
    named = Path(word).expanduser()
    return str(named.absolute()) if place_of(word)[1] is not None and named.exists() else word


def _model_entry(job: Job, ref: ModelRef) -> ModelEntry:
    return ModelEntry(
        ref=ref,
        file=file_of(ref),
        plugin=job.plugin,
        code=job.cell.code,
        declared=job.declared,
        weights=job.cell.weights,
        reads=job.reads,
        tuning=job.tuning,
    )
