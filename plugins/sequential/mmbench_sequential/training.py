"""The training loop: AdamW, early stopping on the harness's validation, best state in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from mmbench import Interactions, Run
from mmbench.toolkit.training import early_stopping, keep_freed_blocks
from mmbench_sequential.configs import Training
from mmbench_sequential.network import Network
from mmbench_sequential.rows import Rows, batches, every_position, left_padded, prefixes
from mmbench_sequential.softmax import full_loss, sampled_loss
from mmbench_sequential.threads import threads_for

LANE_LOGITS = 2**20  # each so many are worth another thread: some milliseconds

Batch = tuple[torch.Tensor, torch.Tensor]


def train(network: Network, events: Interactions, config: Training, run: Run) -> None:
    """Train until ``patience`` validations in a row brought no gain; leaves the best state.

    Validation is ``run.validate()``: ndcg@10 over the whole catalogue. Raises ValueError where no
    sequence has anything to learn from, FloatingPointError where the loss is not finite.
    """
    keep_freed_blocks()
    rows = training_rows(network, events)
    rng = np.random.default_rng(run.seed)
    optimizer = torch.optim.AdamW(
        decay_groups(network, config.weight_decay),
        lr=config.learning_rate,
        eps=config.epsilon,
        fused=True,
    )

    def run_one() -> float:
        shuffled = epoch_batches(network, events, rows, config, rng, run.device)
        return run_epoch(network, shuffled, optimizer, config, rng)

    early_stopping(network, run_one, config, run)


def training_rows(network: Network, events: Interactions) -> Rows:
    """All positions of each sequence for a causal network, else one row for each prefix."""
    width = network.max_history
    if network.causal:
        rows = every_position(events, width, first=network.predicts_first)
    else:
        rows = prefixes(events, width)
    if not len(rows):
        raise ValueError(
            "no user has two training events, so there is no next event to learn from; "
            "use a dataset with longer histories, or a model without order such as pop"
        )
    return rows


def decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """AdamW's groups: matrices decay; vectors, which are biases and LayerNorms, do not."""
    weights = list(network.parameters())
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]


def epoch_batches(
    network: Network,
    events: Interactions,
    rows: Rows,
    config: Training,
    rng: np.random.Generator,
    device: str,
) -> Iterator[Batch]:
    """The batches of one epoch: histories and targets, each trimmed to its longest row."""
    for index in batches(rows, config.batch_size, rng, alike=not network.fixed_width):
        part = rows.take(index)
        width = network.max_history if network.fixed_width else int(part.widths().max())
        history, target = left_padded(events.item, part, width)
        yield torch.from_numpy(history).to(device), torch.from_numpy(target).to(device)


def run_epoch(
    network: Network,
    shuffled: Iterator[Batch],
    optimizer: torch.optim.Optimizer,
    config: Training,
    rng: np.random.Generator,
) -> float:
    """One pass; the mean loss of its batches. Raises FloatingPointError when it is not finite."""
    network.train()
    total, count = 0.0, 0
    for history, target in shuffled:
        with threads_for(history.numel()) as threads:
            optimizer.zero_grad()
            loss = batch_loss(network, history, target, config, rng, threads)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
        total, count = total + float(loss.detach()), count + 1
        if not math.isfinite(total):
            raise FloatingPointError(
                f"the loss became {float(loss.detach())}: lower learning_rate "
                f"(now {config.learning_rate}) or clip (now {config.clip})"
            )
    return total / count


def batch_loss(
    network: Network,
    history: torch.Tensor,
    target: torch.Tensor,
    config: Training,
    rng: np.random.Generator,
    threads: int = 1,
) -> torch.Tensor:
    """The mean cross entropy of the trained positions.

    Args:
        network: in training mode.
        history: int64[r, w].
        target: int64[r, w], 0 where a position is not trained.
        config: which softmax, in which precision (under torch's autocast where that is bfloat16).
        rng: draws the negatives, where there are any.
        threads: on a CPU, the most that share the softmax over the catalogue.
    """
    narrow = narrow_type(config.precision, history.device)
    with torch.autocast(history.device.type, narrow, enabled=narrow is not None):
        states = network(history)
    target = target[:, -states.shape[1] :]
    table = network.table()
    hidden = network.queries(states[target > 0].to(table.dtype))
    right = target[target > 0] - 1
    if len(table) > config.sampled_above:
        drawn = torch.from_numpy(rng.integers(len(table), size=config.negatives))
        return sampled_loss(hidden, table, right, drawn.to(hidden.device))
    worth = 1 + len(hidden) * len(table) // LANE_LOGITS
    lanes = min(threads, worth) if hidden.device.type == "cpu" else 1
    return full_loss(hidden, table, right, dtype=narrow, lanes=lanes)


def narrow_type(precision: str, device: torch.device) -> torch.dtype | None:
    """What ``config.precision`` means on this machine; None for the weights' own type."""
    if precision == "auto":
        capable = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)  # not in every release
        return torch.bfloat16 if device.type == "cuda" or capable() else None
    return torch.bfloat16 if precision == "bfloat16" else None
