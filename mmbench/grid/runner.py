"""One cell from views to record: fit in the plugin's process, rank here, where the targets are."""

from __future__ import annotations

import datetime
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import numpy as np

from mmbench.audit import violations
from mmbench.grid import exchange
from mmbench.grid.channel import Message
from mmbench.grid.environment import code_state, describe_machine, threads_of
from mmbench.grid.fetch import Fetched, encodings_folder, fetch, models_folder
from mmbench.grid.host import Host, Interrupted, Limits, PluginFailure, launch
from mmbench.grid.question import Question, not_applicable
from mmbench.grid.registry import Plugin
from mmbench.grid.spaces import describe_spaces, embed_catalogue
from mmbench.grid.wall import Gates
from mmbench.protocol import (
    AnswerError,
    Ask,
    Asked,
    Fold,
    Ranks,
    beyond_accuracy,
    evaluate,
    summarise,
    text_equal,
    tie_rate,
    unanswered,
    validation_ndcg,
)
from mmbench.results.cell import Cell
from mmbench.results.store import SCHEMA
from mmbench.views import Answer

CURVE_POINTS = 10_000
# What a board says of the data, from its card.
DATA = ("name", "remarks", "licence", "ceilings", "time", "ties", "tied_targets")
OnEvent = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A planned cell: its identity and what is needed to run it.

    ``reads`` are files and folders that the user's settings name, for the plugin to read.
    """

    cell: Cell
    plugin: Plugin
    label: str
    preset: str
    declared: Mapping[str, Any]
    device: str = "cpu"
    upstream: Job | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell leaves: the record and, where it was ranked, its columns.

    ``items`` are its ``fused`` item embeddings, float32[n_items + 1, d], where another cell wants
    them.
    """

    record: dict[str, Any]
    ranks: dict[str, np.ndarray] | None = None
    top: dict[str, np.ndarray] | None = None
    items: np.ndarray | None = None


@dataclass(slots=True)
class Circumstances:
    """How cells are run; nothing here changes a number.

    ``walled``: False leaves out the wall around a cell's process. ``later``: what else the same
    process will be fitted on, as by the conformance checks.
    """

    isolated: bool = True
    limits: Limits = field(default_factory=Limits)
    cache: Path = Path()
    stop: threading.Event = field(default_factory=threading.Event)
    environment: dict[str, str] = field(default_factory=dict)
    watched: bool = False
    walled: bool = True
    later: tuple[Question, ...] = ()
    fetched: Fetched = field(default_factory=Fetched)


class Witness(Interface):
    """Who may look on while a cell runs, as the conformance checks do. Nothing waits for it."""

    def answered(self, fold: str, rows: slice, answer: Answer) -> None:
        """The plugin answered for rows of a fold; the answer's memory will be used again."""

    def ranked(self, host: Host) -> None:
        """All test queries are ranked; the host still answers."""


def run_cell(
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    on_event: OnEvent,
    witness: Witness | None = None,
    *,
    features: Mapping[str, np.ndarray] | None = None,
    keep_items: bool = False,
    source: Question | None = None,
) -> Outcome:
    """Run a cell to its end, whatever its end is.

    Args:
        job: the cell.
        question: what it is asked.
        scratch: an empty folder.
        how: limits and places.
        on_event: told of curves and progress.
        witness: who looks on.
        features: item embeddings of the cell's upstream, by the field that names it.
        keep_items: another cell wants this one's item embeddings.
        source: what it is fitted on, where that is another dataset than the question's.

    Raises Interrupted, and OSError where the disk does not take what we write: other cells would
    not fare better.
    """
    started = datetime.datetime.now(datetime.UTC)
    clock = time.perf_counter()
    record = empty_record(job, question, how.isolated)
    curves: dict[str, list[list[float]]] = record["curves"]

    def listen(event: Message) -> None:
        if event["event"] == "log":
            for name, value in event["values"].items():
                points = curves.setdefault(name, [])
                if len(points) < CURVE_POINTS and np.isfinite(value):
                    points.append([event["step"], value])
        on_event(event)

    problem = not_applicable(job.declared, question, source)
    ranks: Ranks | None = None
    items: np.ndarray | None = None
    if problem:
        fail(record, "not-applicable", problem)
    else:
        host = launch(
            scratch,
            isolated=how.isolated,
            limits=how.limits,
            on_event=listen,
            stop=how.stop,
            environment=how.environment,
            watched=how.watched,
            gates=open_gates(job, question, how, source),
        )
        try:
            ranks = converse(host, job, question, scratch, how, record, witness, features, source)
            reported = bool(job.declared["needs"]) and len(job.declared.get("embeds", ())) == 2
            if reported or keep_items:
                name = f"{job.plugin.name} ({job.plugin.distribution})"
                embedded = embed_catalogue(host, name, question.items.n_items)
                if reported:
                    part = embedded.part(question.joined.place) if question.joined else embedded
                    record["spaces"] = describe_spaces(
                        host, name, question.split.test, part, question.protocol
                    )
                if keep_items:
                    items = embedded.fused(name)
            if witness is not None:
                witness.ranked(host)
        except PluginFailure as failure:
            fail(record, failure.kind, failure.reason, failure.traceback or host.log())
        except AnswerError as error:
            fail(record, "failed", f"{job.plugin.name} ({job.plugin.distribution}): {error}")
        except (Interrupted, OSError):
            raise
        except Exception as error:  # noqa: BLE001  no cell stops the others
            trace = "".join(traceback.format_exception(error))
            fail(record, "failed", f"{type(error).__name__}: {error}", trace)
        finally:
            host.close()
            if host.process is not None:
                record["cost"]["peak_memory_mb"] = round(host.watch.peak / 2**20, 1)
    record["started"] = started.isoformat(timespec="seconds")
    record["seconds"] = round(time.perf_counter() - clock, 3)
    settings = how.environment if how.isolated else {}
    record["environment"]["threads"] = threads_of({**os.environ, **settings})
    if ranks is None or record["status"]["kind"] != "done":
        return Outcome(record)
    return Outcome(record, rank_columns(question.split.test, ranks), top_columns(ranks), items)


def refuse(job: Job, question: Question, isolated: bool, kind: str, reason: str) -> Outcome:
    """The failed row of a cell that cannot begin."""
    record = empty_record(job, question, isolated)
    fail(record, kind, reason)
    record["started"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record["seconds"] = 0.0
    return Outcome(record)


def converse(
    host: Host,
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    record: dict[str, Any],
    witness: Witness | None = None,
    features: Mapping[str, np.ndarray] | None = None,
    source: Question | None = None,
) -> Ranks:
    """Fit, score, rank; fills the record with figures and costs."""
    fetch(job, scratch, how)  # before there is anything to be seen
    home, protocol = source or question, question.protocol
    items, valid = home.items, home.split.valid
    exchange.save_train(scratch, home.train)
    exchange.save_items(scratch, replace(items, features={**items.features, **(features or {})}))
    widest = job.declared["max_candidates"]
    narrow = widest is not None and widest < items.n_items
    save_fold(scratch, "valid", home, narrow)

    what: Asked = "candidates" if narrow else "catalogue"

    def validate(limit: int | None) -> float:
        ask = home.ask(asker(host, "valid", witness), valid.candidates.shape[1])
        return validation_ndcg(valid, home.log.n_items, ask, limit, what)

    run = {
        "seed": job.cell.seed,
        "device": job.device,
        "preset": job.preset,
        "cache": str(models_folder(job, how)),
        "encodings": str(encodings_folder(how, question, source)),
    }
    fitted = host.fit(job.plugin, job.cell.config, run, validate)
    if source is not None:
        exchange.save_items(scratch, question.items)
        host.transfer()
        narrow = widest is not None and widest < question.items.n_items
    # only now: test histories hold validation targets
    parts = question.split
    save_fold(scratch, "test", question, narrow, strangers=source is not None)
    host.score_seconds = 0.0
    ranks = evaluate(
        parts.test,
        question.log.n_items,
        question.ask(asker(host, "test", witness), parts.test.candidates.shape[1]),
        protocol,
        sets=("neg100",) if narrow else None,
        progress=lambda done, total, unit: host.on_event(
            {"event": "progress", "done": done, "total": total, "unit": unit}
        ),
    )
    queries = len(parts.test.queries)
    metrics = summarise(ranks, protocol)
    record["environment"]["ranked_by"] = ranks.engine
    record["metrics"] = metrics
    record["tie_rate"] = tie_rate(ranks)
    record["unanswered"] = unanswered(ranks)
    listed = beyond_accuracy(ranks, parts.train)
    by_text = text_equal(ranks, parts.test, question.log.items)
    record["beyond"] = {name: values | by_text.get(name, {}) for name, values in listed.items()}
    record["cost"] |= {
        "fit_seconds": round(fitted["seconds"], 3),
        "score_seconds": round(host.score_seconds, 3),
        "score_seconds_per_1000": round(1000 * host.score_seconds / max(queries, 1), 4),
        "parameters": fitted["parameters"],
    }
    broken = {name: violations(figures) for name, figures in metrics.items()}
    if any(broken.values()):
        raise PluginFailure("failed", f"figures that no ranking can have: {broken}")
    return ranks


def open_gates(job: Job, question: Question, how: Circumstances, source: Question | None) -> Gates:
    """What is open in the wall around a job's process; the folders are made."""
    models = models_folder(job, how)
    encodings = [encodings_folder(how, question, source)]
    encodings += [encodings_folder(how, one, None) for one in how.later]
    for folder in (models, *encodings):
        folder.mkdir(parents=True, exist_ok=True)
    asked = [question, *([source] if source else []), *how.later]
    pictures = [root for one in asked if one.items.images for root in one.items.images.roots]
    return Gates(
        reads=(str(models), *map(str, pictures), *job.reads),
        writes=tuple(map(str, encodings)),
        walled=how.walled,
    )


def asker(host: Host, fold: str, witness: Witness | None = None) -> Ask:
    """The road from ``evaluate`` to the plugin."""

    def ask(kind: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        for rows, answer in zip(slices, host.score(fold, kind, slices), strict=True):
            if witness is not None:
                witness.answered(fold, rows, answer)
            yield answer

    return ask


def save_fold(
    scratch: Path, name: str, question: Question, narrow: bool, *, strangers: bool = False
) -> None:
    """Write what a plugin may see of a fold: queries, and the candidates if it is asked of those.

    ``strangers``: it was fitted elsewhere, and knows none of the users.

    A model that is asked of the whole catalogue gets no candidates: the target is among them, and
    a hundred others are easier to beat than all.
    """
    fold = question.split.valid if name == "valid" else question.split.test
    queries = question.queries(fold.queries)
    if strangers:
        queries = replace(queries, user=np.full_like(queries.user, -1))
    candidates = question.candidates(fold.candidates) if narrow else None
    exchange.save_queries(scratch, name, queries, candidates)


def empty_record(job: Job, question: Question, isolated: bool) -> dict[str, Any]:
    """A record of a cell that is about to run."""
    log = question.log
    return {
        "schema": SCHEMA,
        "cell": job.cell.to_json(),
        "label": job.label,
        "preset": job.preset,
        "loss": job.declared["loss"],
        "needs": list(job.declared["needs"]),
        "known_failures": dict(job.declared.get("known_failures", {})),
        "status": {"kind": "done", "reason": "", "traceback": ""},
        "metrics": {},
        "beyond": {},
        "tie_rate": {},
        "unanswered": {},
        "queries": len(question.split.test.queries),
        "catalogue": log.n_items,
        "users": log.n_users,
        "events": len(log.item),
        "candidates_sha256": question.candidates_sha256,
        "data": {name: log.card.get(name) for name in DATA},
        "cost": dict.fromkeys(
            (
                "fit_seconds",
                "score_seconds",
                "score_seconds_per_1000",
                "peak_memory_mb",
                "parameters",
            )
        ),
        "curves": {},
        "spaces": {},
        "papers": list(job.declared["papers"]),
        "environment": describe_machine() | code_state("mmbench", job.plugin.distribution),
        "device": job.device,
        "isolated": isolated,
    }


def fail(record: dict[str, Any], kind: str, reason: str, traceback: str = "") -> None:
    """Turn a record into a failed row."""
    record["status"] = {"kind": kind, "reason": reason, "traceback": traceback}
    for part in ("metrics", "beyond", "tie_rate", "unanswered", "spaces"):
        record[part] = {}


def rank_columns(fold: Fold, ranks: Ranks) -> dict[str, np.ndarray]:
    """The columns of ``.ranks.parquet``, one row a query."""
    columns = {"query": np.arange(len(fold.queries), dtype=np.int32)}
    for name in ranks.greater:
        columns[f"greater_{name}"] = ranks.greater[name]
        columns[f"equal_{name}"] = ranks.equal[name]
    return columns | {"frequency": fold.frequency, "history_length": fold.history_length}


def top_columns(ranks: Ranks) -> dict[str, np.ndarray]:
    """The columns of ``.top.parquet``: lists of items, best first, 0 where fewer."""
    return {f"top_{name}": lists for name, lists in ranks.top.items()}
