"""Fit a model behind the wall, and ask it: nothing here reads a test fold unless told its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

import numpy as np

from mmbench.grid import exchange
from mmbench.grid.fetch import encodings_folder, fetch, models_folder
from mmbench.grid.host import Host
from mmbench.grid.question import Question
from mmbench.protocol import Ask, Asked, CandidateSet, affordable, shown_candidates, validation_ndcg
from mmbench.views import Answer, Queries

if TYPE_CHECKING:
    from mmbench.grid.runner import Circumstances, Job


class Probe(Interface):
    """Who may look on while a cell runs, as the conformance checks do. Nothing waits for it."""

    def answered(self, fold: str, rows: slice, answer: Answer) -> None:
        """The plugin answered for rows of a fold; the answer's memory will be used again.

        Where it is asked for each candidate set, ``fold`` is ``exchange.part_of`` both.
        """

    def ranked(self, host: Host) -> None:
        """All test queries are ranked; the host still answers."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that was fitted and still answers.

    Attributes:
        parameters: trainable ones, where the plugin's process tells them.
        sets: the candidate sets that it can afford.
        validate: ndcg@10 over the (first so many) validation queries.
    """

    parameters: int | None
    sets: tuple[CandidateSet, ...]
    validate: Callable[[int | None], float]


def fit_model(
    host: Host,
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    probe: Probe | None = None,
    features: Mapping[str, np.ndarray] | None = None,
    source: Question | None = None,
) -> Fitted:
    """Hand over what trains and what validates, and fit. Nothing of a test fold is read."""
    fetch(job, scratch, how)  # before there is anything to be seen
    host.open(job.plugin, job.cell.config)  # so is this: importing counts for no fit
    home, protocol = source or question, question.protocol
    items, valid = home.items, home.split.valid
    exchange.save_train(scratch, home.train)
    exchange.save_items(scratch, replace(items, features={**items.features, **(features or {})}))
    widest = job.declared.max_candidates
    sets = affordable(protocol.candidate_sets, widest, items.n_items)
    width = save_fold(scratch, "valid", home, sets)

    def validate(limit: int | None) -> float:
        ask = home.ask(asker(host, "valid", probe), width)
        return validation_ndcg(valid, home.log.n_items, ask, limit, sets)

    host.busy = 0.0
    parameters = host.fit(_run(job, question, how, source), items.n_items, validate)
    return Fitted(parameters, tuple(sets), validate)


def restore_model(
    host: Host,
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Hand over what trained, and what was learned of it; nothing of a test fold is read."""
    fetch(job, scratch, how)
    host.open(job.plugin, job.cell.config)
    exchange.save_train(scratch, question.train)
    exchange.save_items(scratch, question.items)
    exchange.save_fit(scratch, arrays)
    host.restore(_run(job, question, how, None), question.items.n_items)


def _run(
    job: Job, question: Question, how: Circumstances, source: Question | None
) -> dict[str, Any]:
    """What a plugin is told of its circumstances."""
    return {
        "seed": job.cell.seed,
        "device": job.device,
        "preset": job.preset,
        "cache": str(models_folder(job.plugin, how.cache)),
        "encodings": str(encodings_folder(how, question, source)),
        "processes": job.cell.processes or 1,
    }


def shown_queries(question: Question, queries: Queries, *, unknown_users: bool) -> Queries:
    """A fold's queries as a model sees them; ``unknown_users`` as in ``save_fold``."""
    shown = question.queries(queries)
    return replace(shown, user=np.full_like(shown.user, -1)) if unknown_users else shown


def asker(host: Host, fold: str, probe: Probe | None = None, of: str = "") -> Ask:
    """The road from ``evaluate`` to the plugin.

    ``of`` names the candidate set that is asked for, of a plugin that is asked for each.
    """

    def ask(kind: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        for rows, answer in zip(slices, host.score(fold, kind, slices, of), strict=True):
            if probe is not None:
                probe.answered(exchange.part_of(fold, of), rows, answer)
            yield answer

    return ask


def save_fold(
    scratch: Path,
    name: str,
    question: Question,
    sets: Sequence[CandidateSet],
    *,
    unknown_users: bool = False,
) -> int:
    """Write what a plugin may see of a fold: queries, and the candidates if it is asked of those.

    ``unknown_users``: it was fitted elsewhere, and knows none of the users.

    A model that is asked of the whole catalogue gets no candidates: the target is among them, and
    a hundred others are easier to beat than all.

    Returns how many candidates of a query it is asked about, 0 for the catalogue.
    """
    fold = question.split.valid if name == "valid" else question.split.test
    queries = shown_queries(question, fold.queries, unknown_users=unknown_users)
    if not all(one.sampled for one in sets):
        exchange.save_queries(scratch, name, queries)
        return 0
    candidates = shown_candidates(fold, sets, question.log.n_items)
    exchange.save_queries(scratch, name, queries, question.numbers(candidates))
    return int(candidates.shape[1])
