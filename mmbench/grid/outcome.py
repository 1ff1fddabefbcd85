"""What a cell leaves: a record and the columns of its ranks, made of what a plugin answered."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.audit import violations
from mmbench.grid.environment import code_state, describe_machine
from mmbench.grid.host import PluginFailure
from mmbench.grid.question import Question
from mmbench.protocol import (
    Ranks,
    beyond_accuracy,
    count_drawn,
    summarise,
    text_equal,
    tie_rate,
    unanswered,
)
from mmbench.results import UNPACKAGED
from mmbench.results.examples import Example
from mmbench.results.record import Data, Environment, Record, Status

if TYPE_CHECKING:
    from mmbench.grid.runner import Job


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell leaves: the record and, where it is done, the columns of its ranks.

    ``items`` are its ``fused`` item embeddings, float32[n_items + 1, d], where another cell wants
    them; ``examples`` are texts that it made. ``fit`` is what the model learned, where that is to
    be kept, and ``unkept`` why it could not be.
    """

    record: Record
    ranks: dict[str, np.ndarray] | None = None
    top: dict[str, np.ndarray] | None = None
    items: np.ndarray | None = None
    examples: tuple[Example, ...] = ()
    fit: dict[str, np.ndarray] | None = None
    unkept: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a plugin's answers came to, and its own seconds: to fit (and transfer), and to score.

    ``fit`` and ``unkept`` as in ``Outcome``.
    """

    ranks: Ranks
    fit_seconds: float
    score_seconds: float
    parameters: int | None
    fit: dict[str, np.ndarray] | None = None
    unkept: str = ""


def begin_record(
    job: Job, question: Question, isolated: bool, threads: int | None = None
) -> Record:
    """The record of a cell that is about to run."""
    log, declared = question.log, job.declared
    code = code_state("mmbench", job.plugin.distribution)
    if job.plugin.distribution == UNPACKAGED:
        code = {**code, "dirty": True}  # no version names it
    return Record(
        cell=job.cell,
        label=job.label,
        status=Status(kind="done"),
        preset=job.preset,
        stand_in=bool(declared.stand_in),
        loss=declared.loss,
        draws=job.draws,
        needs=declared.needs,
        known_failures=declared.known_failures,
        queries=len(question.split.test),
        catalogue=log.n_items,
        users=log.n_users,
        events=len(log.item),
        candidates_sha256=question.candidates_sha256,
        data=Data.model_validate(log.card),
        papers=declared.papers,
        tuning=job.tuning,
        environment=Environment(**describe_machine(), **code, threads=threads),
        device=job.device,
        wall="process" if isolated else "none",
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def measure(question: Question, answered: Answered, record: Record) -> dict[str, Any]:
    """The fields of a record that a cell's ranks and costs fill."""
    ranks, test = answered.ranks, question.split.test
    listed = beyond_accuracy(ranks, question.split.train)
    by_text = text_equal(ranks, test, question.log.items)
    return {
        "metrics": summarise(ranks),
        "beyond": {name: values | by_text.get(name, {}) for name, values in listed.items()},
        "tie_rate": tie_rate(ranks),
        "unanswered": unanswered(ranks),
        "drawn": count_drawn(test),
        "environment": {**dict(record.environment), "ranked_by": ranks.engine},
        "cost": {
            "fit_seconds": round(answered.fit_seconds, 3),
            "score_seconds": round(answered.score_seconds, 3),
            "score_seconds_per_1000": round(1000 * answered.score_seconds / max(len(test), 1), 4),
            "parameters": answered.parameters,
        },
    }


def demand_possible(record: Record) -> None:
    """Raise PluginFailure for figures that no ranking can have."""
    broken = {name: violations(figures) for name, figures in record.metrics.items()}
    if any(broken.values()):
        raise PluginFailure("failed", f"figures that no ranking can have: {broken}")


def rank_columns(question: Question, ranks: Ranks) -> dict[str, np.ndarray]:
    """The columns of ``.ranks.parquet``, one row a query; see ``read_ranks``."""
    fold, ids = question.split.test, question.log.user_ids
    # an id may hold half a character, which a file cannot
    users = [ids[user].encode("utf-8", "backslashreplace").decode() for user in fold.user.tolist()]
    columns = {
        "query": np.arange(len(fold), dtype=np.int32),
        "user": np.array(users, dtype=object),
    }
    for name in ranks.greater:
        columns[f"greater_{name}"] = ranks.greater[name]
        columns[f"equal_{name}"] = ranks.equal[name]
    return columns | {
        "frequency": fold.frequency,
        "history_length": fold.history_length,
        "tied": fold.tied,
    }


def top_columns(ranks: Ranks) -> dict[str, np.ndarray]:
    """The columns of ``.top.parquet``: lists of items, best first, 0 where fewer."""
    return {f"top_{name}": lists for name, lists in ranks.top.items()}
