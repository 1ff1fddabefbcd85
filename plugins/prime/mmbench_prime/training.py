"""The ranker's training: prompts from prefixes, candidates drawn anew for each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mmbench import Interactions, Run, vlm
from mmbench_prime.configs import PrimeConfig
from mmbench_prime.examples import Example, draw_negatives, make_examples, popularity_weights
from mmbench_prime.ranker import Objective, Ranker, Task
from mmbench_prime.runs import Enough, Judge

Order = Callable[[Sequence[int], Sequence[int]], list[int]]


def train_ranker(
    ranker: Ranker, train: Interactions, config: PrimeConfig, run: Run, order: Order
) -> None:
    """Train the ranker's backbone; leaves the best state by ``run.validate``.

    Args:
        ranker: what is trained.
        train: the training events.
        config: of the training.
        run: as this phase sees it.
        order: (history, items) to the items in the retriever's order.

    Raises:
        ValueError: no user has two events.
        FloatingPointError: the loss is not finite.
    """
    examples = make_examples(
        train, config.shortest_prefix, config.most_prefixes, config.max_history
    )
    popular = popularity_weights(train)
    objective = Objective(ranker.backbone)
    judge = Judge(
        objective,
        lambda: run.validate(limit=config.validate_limit or None),
        run,
        config.validate_steps,
        config.patience,
    )

    shown = 2 if config.candidate_growth else config.topk

    def watch(step: int, steps: int) -> None:
        nonlocal shown
        shown = shown_candidates(step / steps, config.topk, config.candidate_growth)
        judge.watch(step, steps)

    def collate(chosen: list[Example], rng: np.random.Generator) -> vlm.Batch:
        now = replace(config, topk=shown)
        tasks = [make_task(example, now, popular, rng, order) for example in chosen]
        encoded = [
            ranker.encode(task, example.target) for task, example in zip(tasks, chosen, strict=True)
        ]
        return ranker.backbone.batch(encoded, ranker.pictures)

    with contextlib.suppress(Enough):
        vlm.train(
            objective,
            examples,
            collate,
            replace(config, validate_every=0, checkpoint_every=0),
            run,
            lengths=estimate_lengths(ranker, examples),
            watch=watch,
        )
    judge.restore()


def shown_candidates(done: float, topk: int, growth: float) -> int:
    """How many candidates a training prompt has, when a share ``done`` of the steps is done."""
    if done >= growth:
        return topk
    later = max(2 * done / growth - 1, 0.0)  # 0 to 1 in the second half of the growth
    return min(topk, 2 if later == 0 else 3 + int(later * (topk - 3)))


def make_task(
    example: Example,
    config: PrimeConfig,
    popular: np.ndarray,
    rng: np.random.Generator,
    order: Order,
) -> Task:
    """A training prompt's candidates: the target among negatives, in the order of the config."""
    if config.negatives == "popularity":
        weights, barred = popular, [example.target]
    else:
        weights, barred = np.ones_like(popular), [example.target, *example.history]
    negatives = draw_negatives(weights, config.topk - 1, barred, rng)
    items = [example.target, *negatives.tolist()]
    if config.candidate_order == "retriever":
        items = order(example.history, items)
    else:
        items = [items[place] for place in rng.permutation(len(items))]
    return Task(example.history, tuple(items))


def estimate_lengths(ranker: Ranker, examples: Sequence[Example]) -> list[int]:
    """About how many tokens each example's prompt has: negatives are drawn later."""
    tokens = ranker.item_tokens()
    others = ranker.config.topk * float(tokens[1:].mean())
    base = len(ranker.encode(Task((), ()))) + 2
    return [
        round(min(base + tokens[list(one.history)].sum() + others, ranker.config.max_tokens))
        for one in examples
    ]
