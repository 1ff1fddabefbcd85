"""One cell from views to record: fit in the plugin's process, rank here, where the targets are."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmbench.grid import exchange
from mmbench.grid.channel import Message
from mmbench.grid.curves import Curves
from mmbench.grid.declaration import Declaration
from mmbench.grid.devices import seen_gpus
from mmbench.grid.environment import threads_of
from mmbench.grid.family import Limits
from mmbench.grid.fetch import Fetched, encodings_folder, models_folder
from mmbench.grid.fitting import Probe, asker, fit_model, save_fold, shown_queries
from mmbench.grid.host import Host, Interrupted, PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.outcome import (
    Answered,
    Outcome,
    begin_record,
    demand_possible,
    measure,
    rank_columns,
    top_columns,
)
from mmbench.grid.question import Question, not_applicable
from mmbench.grid.registry import Plugin
from mmbench.grid.replies import EXAMPLES
from mmbench.grid.spaces import describe_spaces, embed_catalogue
from mmbench.grid.wall import NO_WALL, Gates
from mmbench.grid.weights import changed
from mmbench.protocol import (
    AnswerError,
    Ask,
    CandidateSet,
    Ranks,
    affordable,
    evaluate,
    evaluate_each,
    excluded,
    shown_candidates,
)
from mmbench.results.cell import Cell
from mmbench.results.examples import Example
from mmbench.results.tuning import Tuning

OnEvent = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A planned cell: its identity and what is needed to run it.

    ``reads`` are files and folders that the user's settings name, for the plugin to read.
    ``tuning`` is the search that chose its settings.
    """

    cell: Cell
    plugin: Plugin
    label: str
    preset: str
    declared: Declaration
    device: str = "cpu"
    upstream: Job | None = None
    reads: tuple[str, ...] = ()
    tuning: Tuning | None = None

    @property
    def draws(self) -> bool:
        """Whether another seed may give another result: of the cell that it starts from too."""
        return self.declared.draws or (self.upstream is not None and self.upstream.draws)


@dataclass(slots=True)
class Circumstances:
    """How cells are run; nothing here changes a number.

    ``walled``: False leaves out the wall around a cell's process. ``later``: what else the same
    process will be fitted on, as by the conformance checks. ``gpus_per_cell``: see
    ``devices.deal``. ``resumed``: the attempt whose checkpoints the fit begins with; 0 for none.
    ``keep_fit``: whether to keep what models learn.
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
    gpus_per_cell: float = 1.0
    resumed: int = 0
    keep_fit: bool = False


def run_cell(
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    on_event: OnEvent,
    probe: Probe | None = None,
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
        probe: told of what the model returns, and asks further.
        features: item embeddings of the cell's upstream, by the field that names it.
        keep_items: another cell wants this one's item embeddings.
        source: what it is fitted on, where that is another dataset than the question's.

    Raises Interrupted, and OSError where the disk does not take what we write: other cells would
    not fare better.
    """
    clock = time.perf_counter()
    settings = how.environment if how.isolated else {}
    threads = threads_of({**os.environ, **settings})
    record = begin_record(job, question, how.isolated, threads)
    where = {**dict(record.environment), "gpu": seen_gpus(settings)}
    if how.resumed:
        where["resumed"] = f"from the checkpoint of attempt {how.resumed}; costs are of the last"
    record = record.changed(environment=where)
    curves = Curves()
    examples: list[Example] = []

    def listen(event: Message) -> None:
        if event["event"] == "example":
            if len(examples) < EXAMPLES:
                examples.append(Example(event["title"], event["texts"]))
            return
        if event["event"] == "log":
            curves.add(event["step"], event["values"])
        on_event(event)

    problem = not_applicable(job.declared, question, source)
    ranks: Ranks | None = None
    answered: Answered | None = None
    items: np.ndarray | None = None
    if problem:
        record = record.failed("not-applicable", problem)
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
            answered = converse(host, job, question, scratch, how, probe, features, source)
            ranks = answered.ranks
            demand_same_weights(job, how)
            record = record.changed(**measure(question, answered, record))
            demand_possible(record)
            reported = bool(job.declared.needs) and len(job.declared.embeds) == 2
            if reported or keep_items:
                name = f"{job.plugin.name} ({job.plugin.distribution})"
                embedded = embed_catalogue(host, name, question.items.n_items)
                if reported:
                    part = embedded.part(question.joined.place) if question.joined else embedded
                    spaces = describe_spaces(
                        host, name, question.split.test, part, question.protocol
                    )
                    record = record.changed(spaces=spaces)
                if keep_items:
                    items = embedded.fused(name)
            if probe is not None:
                probe.ranked(host)
        except PluginFailure as failure:
            trace = failure.traceback or host.log()
            record = record.failed(failure.kind, failure.reason, trace)
        except AnswerError as error:
            whose = f"{job.plugin.name} ({job.plugin.distribution})"
            record = record.failed("failed", f"{whose}: {error}")
        except (Interrupted, OSError):
            raise
        except Exception as error:  # noqa: BLE001  no cell stops the others
            trace = "".join(traceback.format_exception(error))
            record = record.failed("failed", f"{type(error).__name__}: {error}", trace)
        finally:
            host.close()
            stood = {"wall": host.wall or NO_WALL, "validations": host.validations}
            record = record.changed(**stood)
            if host.family is not None:
                peak = round(host.family.peak / 2**20, 1)
                record = record.changed(cost={**dict(record.cost), "peak_memory_mb": peak})
    searched = job.tuning.figures() if job.tuning else {}
    record = record.changed(
        curves={**searched, **curves.kept()}, seconds=round(time.perf_counter() - clock, 3)
    )
    if answered is None or ranks is None or not record.done:
        return Outcome(record)
    return Outcome(
        *(record, rank_columns(question, ranks), top_columns(ranks), items, tuple(examples)),
        fit=answered.fit,
        unkept=answered.unkept,
    )


def refuse(job: Job, question: Question, isolated: bool, kind: str, reason: str) -> Outcome:
    """The failed row of a cell that cannot begin."""
    return Outcome(begin_record(job, question, isolated).failed(kind, reason))


def converse(
    host: Host,
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    probe: Probe | None = None,
    features: Mapping[str, np.ndarray] | None = None,
    source: Question | None = None,
) -> Answered:
    """Fit, score, rank."""
    fitted = fit_model(host, job, question, scratch, how, probe, features, source)
    sets = fitted.sets
    fit, unkept = keep_fit(host, job) if how.keep_fit else (None, "")
    if source is not None:
        exchange.save_items(scratch, question.items)
        host.transfer(question.items.n_items)
        sets = affordable(
            question.protocol.candidate_sets,
            job.declared.max_candidates,
            question.items.n_items,
        )
    fit_seconds, host.busy = host.busy, 0.0
    # only now: test histories hold validation targets
    rank = rank_each if job.declared.per_set else rank_at_once
    ranks = rank(host, question, scratch, sets, probe, unknown_users=source is not None)
    return Answered(ranks, fit_seconds, host.busy, fitted.parameters, fit, unkept)


def keep_fit(host: Host, job: Job) -> tuple[dict[str, np.ndarray] | None, str]:
    """What a fitted model learned, or why that cannot be kept; the cell goes on either way."""
    if not job.declared.keeps:
        return None, f"{job.plugin.name} ({job.plugin.distribution}) has no hook keep"
    try:
        return host.keep(), ""
    except PluginFailure as failure:
        return None, failure.reason


def rank_at_once(
    host: Host,
    question: Question,
    scratch: Path,
    sets: Sequence[CandidateSet],
    probe: Probe | None,
    *,
    unknown_users: bool,
) -> Ranks:
    """Rank the test queries of a model that is asked once for all candidate sets."""
    width = save_fold(scratch, "test", question, sets, unknown_users=unknown_users)
    return evaluate(
        question.split.test,
        question.log.n_items,
        question.ask(asker(host, "test", probe), width),
        question.protocol,
        sets=sets,
        progress=_progress(host),
    )


def rank_each(
    host: Host,
    question: Question,
    scratch: Path,
    sets: Sequence[CandidateSet],
    probe: Probe | None,
    *,
    unknown_users: bool,
) -> Ranks:
    """Rank the test queries of a model that is asked once for each candidate set."""
    fold = question.split.test
    queries = shown_queries(question, fold.queries, unknown_users=unknown_users)
    exchange.save_queries(scratch, "test", queries)

    def ask(one: CandidateSet) -> Ask:
        part, width = exchange.part_of("test", one.name), 0
        offsets, items = excluded(fold, one)
        exchange.save_excluded(scratch, part, offsets, question.numbers(items))
        if one.sampled:
            candidates = shown_candidates(fold, (one,), question.log.n_items)
            exchange.save_candidates(scratch, part, question.numbers(candidates))
            width = candidates.shape[1]
        return question.ask(asker(host, "test", probe, one.name), width)

    return evaluate_each(
        fold,
        question.log.n_items,
        ask,
        question.protocol,
        sets=sets,
        progress=_progress(host),
    )


def _progress(host: Host) -> Callable[[int, int, str], None]:
    return lambda done, total, unit: host.on_event(
        {"event": "progress", "done": done, "total": total, "unit": unit}
    )


def demand_same_weights(job: Job, how: Circumstances) -> None:
    """Raise PluginFailure where the pretrained weights are not those that the cell names."""
    models = models_folder(job.plugin, how.cache)
    if problem := changed(job.cell.weights or {}, models, how.cache):
        raise PluginFailure("failed", problem)


def open_gates(job: Job, question: Question, how: Circumstances, source: Question | None) -> Gates:
    """What is open in the wall around a job's process; the folders are made."""
    models = models_folder(job.plugin, how.cache)
    encodings = [encodings_folder(how, question, source)]
    encodings += [encodings_folder(how, one, None) for one in how.later]
    for folder in (models, *encodings):
        folder.mkdir(parents=True, exist_ok=True)
    asked = [question, *([source] if source else []), *how.later]
    pictures = [one.items.images.path for one in asked if one.items.images]
    return Gates(
        reads=(str(models), *map(str, pictures), *job.reads),
        writes=tuple(map(str, encodings)),
        loopback=job.cell.processes is not None,
        walled=how.walled,
    )
