"""The training loop: Adam, early stopping on the harness's validation, best state in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch

from mmbench import Run
from mmbench.toolkit import training
from mmbench_recbole.shims import Network


class Schedule(training.Schedule, Protocol):
    """The fields of a config that ``train`` reads."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


class Trainee(Protocol):
    """What can be trained: a RecBole model with its batches."""

    model: Network

    def epoch(self) -> Iterable[Any]:
        """One epoch of what ``model.calculate_loss`` takes."""

    def ready(self) -> None:
        """Called when the weights changed and scores will be asked for."""


def train(trainee: Trainee, schedule: Schedule, run: Run) -> None:
    """Train until ``patience`` validations in a row brought no gain; leaves the best state.

    Validation is ``run.validate()``: ndcg@10 over the whole catalogue.
    """
    model = trainee.model
    training.keep_freed_blocks()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )

    def run_one() -> float:
        return run_epoch(model, trainee.epoch(), optimizer)

    training.early_stopping(model, run_one, schedule, run, trainee.ready)


def run_epoch(model: Network, batches: Iterable[Any], optimizer: torch.optim.Optimizer) -> float:
    """One pass; the mean loss of its batches. Raises FloatingPointError when it is not finite."""
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        optimizer.zero_grad()
        parts = model.calculate_loss(batch)
        loss = torch.stack(parts).sum() if isinstance(parts, tuple) else parts
        loss.backward()
        optimizer.step()
        total, count = total + float(loss.detach()), count + 1
    mean = total / max(count, 1)
    if not math.isfinite(mean):
        raise FloatingPointError(
            f"the loss became {mean}: lower learning_rate (now {optimizer.param_groups[0]['lr']})"
        )
    return mean
