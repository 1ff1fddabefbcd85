"""Training: batches of users with their targets, and curves of the gradients' alignment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
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

    def collate(chosen: Sequence[Example], rng: np.random.Generator) -> Sides:
        return {
            "users": embedder.batches([example.history for example in chosen]),
            "items": embedder.batches([(example.target,) for example in chosen]),
            "negative": torch.from_numpy(negatives(chosen)),
        }

    objective = Objective(embedder.backbone, config).to(run.device)
    if config.probe_every and config.fusion == "external":
        probe = collate(examples[: config.probe_size], np.random.default_rng())
        objective.register_forward_pre_hook(Watch(probe, config.probe_every, run))
    vlm.train(
        objective,
        examples,
        collate,
        config,
        run,
        lengths=embedder.lengths(example.history for example in examples),
        learning_rates={"penalty.": config.penalty_rate},
        refresh=refresh,
    )


class Watch:
    """Measures the gradients' alignment on the same users, before each so-many-th batch."""

    def __init__(self, probe: Sides, every: int, run: Run) -> None:
        self.probe, self.every, self.run, self.batches = probe, every, run, 0

    def __call__(self, objective: torch.nn.Module, inputs: object) -> None:
        """As a forward pre-hook."""
        assert isinstance(objective, Objective)
        if self.batches % self.every == 0:
            self.run.log(self.batches, **alignment(objective, self.probe))
        self.batches += 1
