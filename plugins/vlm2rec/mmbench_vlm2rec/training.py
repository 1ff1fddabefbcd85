"""Training: batches of users with their targets, and curves of the gradients' alignment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mmbench import Interactions, Run, vlm
from mmbench_vlm2rec.embedder import Embedder
from mmbench_vlm2rec.examples import Example, make_examples, negatives
from mmbench_vlm2rec.objective import Objective, Sides, alignment


def train_embedder(
    embedder: Embedder, train: Interactions, run: Run, refresh: Callable[[], None]
) -> None:
    """Train the embedder's backbone; leaves the best state by ``run.validate``.

    Args:
        embedder: whose config says how.
        train: the training events.
        run: as of ``fit``.
        refresh: embeds the catalogue with the weights as they are; called before each validation.

    Raises:
        ValueError: no user has two events.
    """
    config = embedder.config
    examples = make_examples(train, all_prefixes=config.all_prefixes, few=config.few, seed=run.seed)
    objective = Objective(embedder.backbone, config).to(run.device)
    probed = config.probe_every and config.fusion == "external"
    probe = collate(embedder, examples[: config.probe_size]) if probed and examples else None

    def watch(step: int, steps: int = 0) -> None:
        if probe is not None and step % config.probe_every == 0:
            run.log(step, **alignment(objective, probe))

    objective.train()
    watch(0)
    vlm.train(
        objective,
        examples,
        lambda chosen, rng: collate(embedder, chosen),
        config,
        run,
        lengths=embedder.lengths(examples),
        learning_rates={"penalty.": config.penalty_rate},
        refresh=refresh,
        watch=watch,
    )


def collate(embedder: Embedder, chosen: Sequence[Example]) -> Sides:
    """The batch that ``Objective`` takes."""
    return {
        "users": embedder.batches([example.history for example in chosen]),
        "items": embedder.batches([(example.target,) for example in chosen]),
        "negative": torch.from_numpy(negatives(chosen)),
    }
