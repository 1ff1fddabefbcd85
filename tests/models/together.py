"""A model that several processes can fit together, by the toolkit's training loop."""

import os
from dataclasses import dataclass, field

import numpy as np
import torch

from mmbench import hookimpl
from mmbench.vlm import TrainingConfig, train


@dataclass(frozen=True)
class Config:
    fails: int = -1  # the number of the process that does
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=2, batch_size=8, learning_rate=0.01)
    )


class Pairs(torch.nn.Module):
    """Which item follows which."""

    def __init__(self, n_items):
        super().__init__()
        rng = np.random.default_rng(0)
        start = rng.normal(size=(n_items + 1, 8)).astype(np.float32)
        self.table = torch.nn.Parameter(torch.from_numpy(start))

    def forward(self, batch):
        scores = self.table[batch[:, 0]] @ self.table.T
        return torch.nn.functional.cross_entropy(scores, batch[:, 1])


class Together:
    """Logs in how many processes it was fitted."""

    Config = Config
    presets = {"paper": Config(), "tiny": Config()}
    processes = True

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        if int(os.environ.get("RANK", "0")) == self.config.fails:
            raise ValueError("as it was told to")
        pairs = np.stack([train.item[:-1], train.item[1:]], axis=1)
        pairs = pairs[: len(pairs) // 16 * 16]  # so that two times 8 are as good as 16
        self.pairs = Pairs(train.n_items)
        run.log(0, processes=float(os.environ.get("WORLD_SIZE", "1")))
        fit_pairs(self.pairs, pairs, self.config.training, run)

    @hookimpl
    def score(self, queries):
        table = self.pairs.table.detach().numpy()
        return table[queries.history[:, -1]] @ table[1:].T


def fit_pairs(module, pairs, config, run):
    train(module, list(pairs), lambda batch, rng: torch.tensor(np.stack(batch)).long(), config, run)
