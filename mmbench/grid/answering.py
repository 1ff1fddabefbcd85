"""Ask a model that is restored from a kept fit: nothing is fitted, and nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmbench.grid.fitting import restore_model
from mmbench.grid.host import PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.question import Question
from mmbench.grid.runner import (
    Circumstances,
    Job,
    demand_same_weights,
    open_gates,
    rank_at_once,
    rank_each,
)
from mmbench.problems import UserError
from mmbench.protocol import AnswerError, CandidateSet, affordable, take
from mmbench.views import Int32, Int64


def list_items(
    job: Job,
    question: Question,
    scratch: Path,
    how: Circumstances,
    arrays: Mapping[str, np.ndarray],
    chosen: CandidateSet,
    rows: Int64,
) -> Int32:
    """The best items for some test queries, as the fit that was kept lists them.

    Args:
        job: the cell whose fit it is.
        question: what it is asked.
        scratch: an empty folder.
        how: limits and places.
        arrays: what was kept.
        chosen: the candidate set; it is not sampled.
        rows: int64[m], the queries' places in the test fold.

    Returns int32[m, 20], best first, 0 where there are fewer.

    Raises UserError where the plugin fails, or cannot afford the set.
    """
    declared, n_items = job.declared, question.log.n_items
    if chosen not in affordable((chosen,), declared.max_candidates, n_items):
        raise UserError(f"{job.label} can rate {declared.max_candidates} items of {n_items:,}")
    asked = replace(question, split=replace(question.split, test=take(question.split.test, rows)))
    host = launch(
        scratch,
        isolated=how.isolated,
        limits=how.limits,
        stop=how.stop,
        environment=how.environment,
        gates=open_gates(job, question, how, None),
    )
    try:
        restore_model(host, job, asked, scratch, how, arrays)
        rank = rank_each if declared.per_set else rank_at_once
        ranks = rank(host, asked, scratch, (chosen,), None, unknown_users=False)
        demand_same_weights(job, how)
    except (PluginFailure, AnswerError) as error:
        raise UserError(f"{job.label} cannot answer from its kept fit: {error}") from error
    finally:
        host.close()
    return ranks.top[chosen.name]
