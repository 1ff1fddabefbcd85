"""How it is trained: two groups of weights, cosines with restarts, all positions at once."""

from __future__ import annotations

import math

import numpy as np
import torch
from mmbench_sequential.rows import Rows, batches, left_padded
from mmbench_sequential.softmax import full_loss, sampled_loss
from mmbench_sequential.training import narrow_type, training_rows
from torch import nn

from mmbench import Interactions, Run
from mmbench.toolkit.training import early_stopping, keep_freed_blocks
from mmbench_mmgpt2rec.configs import MMGPT2RecConfig
from mmbench_mmgpt2rec.network import GPT2Rec


def train(network: GPT2Rec, events: Interactions, config: MMGPT2RecConfig, run: Run) -> None:
    """Train until ``patience`` validations in a row brought no gain; leaves the best state.

    Raises ValueError where no user has two events, FloatingPointError where the loss is not finite.
    """
    keep_freed_blocks()
    rows = training_rows(network, events)
    rng = np.random.default_rng(run.seed)
    optimizer = torch.optim.AdamW(weight_groups(network, config), fused=True)
    steps = math.ceil(len(rows) / config.batch_size)  # of an epoch, about
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_at(step, config.warmup, config.cycle * steps, config.floor)
    )

    def run_one() -> float:
        return _epoch(network, events, rows, optimizer, schedule, config, run, rng)

    early_stopping(network, run_one, config, run)


def weight_groups(network: GPT2Rec, config: MMGPT2RecConfig) -> list[dict[str, object]]:
    """AdamW's groups: the table's weights and GPT-2's at rates of their own; only matrices decay.

    A free vector of each item is a matrix, too.
    """
    inside = {id(weight) for weight in network.gpt2.parameters()}
    trained = [w for w in network.parameters() if w.requires_grad and w.numel()]
    groups: list[dict[str, object]] = []
    for ours, rate in ((False, config.learning_rate), (True, config.backbone_learning_rate)):
        part = [weight for weight in trained if (id(weight) in inside) == ours]
        for chosen, decay in (
            ([w for w in part if w.ndim > 1], config.weight_decay),
            ([w for w in part if w.ndim < 2], 0.0),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return groups


def rate_at(step: int, warmup: int, cycle: int, floor: float) -> float:
    """The share of its highest rate that a step has.

    It rises over ``warmup`` steps. Then it falls as half a cosine to ``floor`` in each ``cycle``
    steps, and begins anew at 1 (SGDR: Loshchilov and Hutter, 2017, with equal cycles).
    """
    if step < warmup:
        return (step + 1) / warmup
    place = (step - warmup) % cycle / cycle
    return floor + (1 - floor) * (1 + math.cos(math.pi * place)) / 2


def _epoch(
    network: GPT2Rec,
    events: Interactions,
    rows: Rows,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    config: MMGPT2RecConfig,
    run: Run,
    rng: np.random.Generator,
) -> float:
    """One pass; the mean loss of its batches."""
    network.train()
    losses = []
    for index in batches(rows, config.batch_size, rng, alike=True):
        part = rows.take(index)
        shown, right = left_padded(events.item, part, int(part.widths().max()))
        history, target = (torch.from_numpy(side).to(run.device) for side in (shown, right))
        optimizer.zero_grad()
        loss = batch_loss(network, history, target, config, rng)
        if config.contrast:
            loss = loss + config.contrast * network.contrast(history, config.temperature)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"the loss became {losses[-1]}: lower learning_rate (now {config.learning_rate}) "
                f"or backbone_learning_rate (now {config.backbone_learning_rate})"
            )
    return float(np.mean(losses))


def batch_loss(
    network: GPT2Rec,
    history: torch.Tensor,
    target: torch.Tensor,
    config: MMGPT2RecConfig,
    rng: np.random.Generator,
) -> torch.Tensor:
    """The mean cross entropy of the trained positions over the items, padding not among them.

    The table is made once, to be read and to be predicted from, and learns from both.

    Args:
        network: in training mode.
        history: int64[r, w], left-padded.
        target: int64[r, w], 0 where a position is not trained.
        config: which softmax, in which precision.
        rng: draws the negatives, where there are any.
    """
    table = network.table()
    narrow = narrow_type(config.precision, history.device)
    with torch.autocast(history.device.type, narrow, enabled=narrow is not None):
        states = network(history, table)
    hidden = states[target > 0].to(table.dtype)
    right = target[target > 0] - 1
    if len(table) > config.sampled_above:
        drawn = torch.from_numpy(rng.integers(len(table), size=config.negatives))
        return sampled_loss(hidden, table, right, drawn.to(hidden.device))
    lanes = torch.get_num_threads() if hidden.device.type == "cpu" else 1
    return full_loss(hidden, table, right, dtype=narrow, lanes=lanes)
