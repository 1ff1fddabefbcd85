"""The preference phase: the ranker, frozen, says which of two retrieved sets is the better one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from mmbench_sequential.attention import Block
from mmbench_sequential.training import Batch, decay_groups, epoch_batches, training_rows
from torch import Tensor, nn

from mmbench import Interactions, Run
from mmbench_prime.configs import PrimeConfig
from mmbench_prime.losses import log_likelihood, odds_ratio_loss
from mmbench_prime.ranker import Task
from mmbench_prime.retriever import Retriever
from mmbench_prime.runs import Enough, Judge
from mmbench_prime.sets import Pairs, draw_pairs, prefer

Rank = Callable[[Sequence[Task]], list[np.ndarray]]


@dataclass
class Shares:
    """How positions came to their preference, as shares of all."""

    positions: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, pairs: Pairs) -> None:
        """Count a batch."""
        self.positions += len(pairs.inserted)
        for name, marks in (
            ("inserted", pairs.inserted),
            ("judged", pairs.judged),
            ("one holds it", (pairs.in_first ^ pairs.in_second) & ~pairs.inserted),
        ):
            self.counts[name] = self.counts.get(name, 0) + int(marks.sum())

    def told(self) -> dict[str, float]:
        """The shares."""
        return {name: count / max(self.positions, 1) for name, count in self.counts.items()}


def train_by_preference(
    retriever: Retriever,
    rank: Rank,
    train: Interactions,
    config: PrimeConfig,
    run: Run,
) -> None:
    """Train the retriever alone; leaves the best state by ``run.validate``, which asks the ranker.

    The state from before the phase is one of those that are compared.

    Args:
        retriever: what learns.
        rank: of tasks, the rates of their candidates; nothing of what makes them is trained.
        train: the training events.
        config: of the phase.
        run: as this phase sees it.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    network = retriever.network
    set_dropout(network, config.preference_dropout)
    passes = _draw_passes(retriever, train, config, run)
    steps = sum(map(len, passes))
    generator = torch.Generator(device=run.device).manual_seed(run.seed)
    optimizer = torch.optim.AdamW(
        decay_groups(network, config.preference_decay),
        lr=config.preference_rate,
        eps=retriever.settings.epsilon,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rise_and_fall(step, config.preference_warmup, steps)
    )

    def validate() -> float:
        retriever.refresh()
        return run.validate(limit=config.validate_limit or None)

    judge = Judge(network, validate, run, config.preference_steps, config.preference_patience)
    judge.judge(0)
    step = 0
    with contextlib.suppress(Enough):
        for number, batches in enumerate(passes, start=1):
            shares, losses = Shares(), []
            for history, target in batches:
                network.train()
                optimizer.zero_grad()
                loss, pairs = preference_loss(retriever, history, target, config, rank, generator)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), config.clip)
                optimizer.step()
                schedule.step()
                shares.count(pairs)
                losses.append(_finite(float(loss.detach()), config.preference_rate))
                step += 1
                run.progress(step, steps, "steps")
                judge.watch(step, steps)
            run.log(number, loss=float(np.mean(losses)), **shares.told())
    judge.restore()
    retriever.refresh()


def _draw_passes(
    retriever: Retriever, train: Interactions, config: PrimeConfig, run: Run
) -> list[list[Batch]]:
    """The batches of each pass, over ``preference_sequences`` rows drawn for it."""
    network, settings = retriever.network, retriever.settings
    rows, rng = training_rows(network, train), np.random.default_rng([run.seed, 3])
    taken = min(config.preference_sequences or len(rows), len(rows))
    found = []
    for _ in range(config.preference_epochs):
        chosen = rows.take(np.sort(rng.permutation(len(rows))[:taken]))
        found.append(list(epoch_batches(network, train, chosen, settings, rng, run.device)))
    return found


def _finite(loss: float, rate: float) -> float:
    """The loss. Raises FloatingPointError where it is none."""
    if not np.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss}: lower preference_rate (now {rate})")
    return loss


def preference_loss(
    retriever: Retriever,
    history: Tensor,
    target: Tensor,
    config: PrimeConfig,
    rank: Rank,
    generator: torch.Generator,
) -> tuple[Tensor, Pairs]:
    """The cross entropy of the trained positions and the odds-ratio loss of their sets.

    Args:
        retriever: its network in training mode.
        history: int64[r, w].
        target: int64[r, w], 0 where a position is not trained.
        config: of the phase.
        rank: see ``train_by_preference``.
        generator: draws the sets.
    """
    network = retriever.network
    states = network(history)
    target = target[:, -states.shape[1] :]
    trained = target > 0
    logits = network.queries(states[trained]) @ network.table().T
    log_p, right = torch.log_softmax(logits, dim=1), target[trained] - 1
    pairs = draw_pairs(log_p.exp(), right, config.topk, generator, config.neither)
    shown = _shown(history, trained, config.max_history)
    better = first_is_better(pairs, log_p.detach(), right, shown, rank)
    won, lost = (
        log_likelihood(log_p, chosen, config.set_likelihood) for chosen in prefer(pairs, better)
    )
    loss = F.nll_loss(log_p, right) + config.preference_weight * odds_ratio_loss(won, lost)
    return loss, pairs


def first_is_better(
    pairs: Pairs,
    log_p: Tensor,
    target: Tensor,
    histories: Sequence[tuple[int, ...]],
    rank: Rank,
) -> Tensor:
    """bool[n]: whether the target stands at least as high in the first set as in the second.

    The ranker is asked where both hold it; each set stands in the retriever's order then, as when
    it answers. Elsewhere the answer is True.

    Args:
        pairs: n of them.
        log_p: float[n, N], of the catalogue.
        target: int64[n], columns.
        histories: n, what was before each position.
        rank: see ``train_by_preference``.
    """
    asked = torch.nonzero(pairs.judged)[:, 0].tolist()
    tasks, goals = [], []
    for place in asked:
        for chosen in (pairs.first[place], pairs.second[place]):
            order = chosen[log_p[place, chosen].argsort(descending=True, stable=True)]
            tasks.append(Task(histories[place], tuple((order + 1).tolist())))
            goals.append(int(target[place]) + 1)
    better = torch.ones(len(histories), dtype=torch.bool, device=log_p.device)
    if not tasks:
        return better
    places = [
        int((rates > rates[task.candidates.index(goal)]).sum())
        for task, goal, rates in zip(tasks, goals, rank(tasks), strict=True)
    ]
    for place, ours, theirs in zip(asked, places[::2], places[1::2], strict=True):
        better[place] = ours <= theirs
    return better


def set_dropout(network: nn.Module, rate: float) -> None:
    """Let all of a network's dropout have this rate, that of attention weights too."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        if isinstance(module, Block):
            module.rate = rate


def _shown(history: Tensor, trained: Tensor, most: int) -> list[tuple[int, ...]]:
    """What each trained position shows, oldest first, at most the last so many."""
    offset = history.shape[1] - trained.shape[1]
    found = []
    for row, column in torch.nonzero(trained).tolist():
        items = history[row, : offset + column + 1]
        found.append(tuple(items[items > 0][-most:].tolist()))
    return found


def _rise_and_fall(step: int, warmup: int, steps: int) -> float:
    """The learning rate's factor: up over ``warmup`` steps, then in a line to 0 at ``steps``."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(steps - warmup, 1))
