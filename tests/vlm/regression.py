"""A small module to train, and a run that writes down what it is told."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mmbench import vlm

from .conftest import make_run


@dataclass
class Diary:
    """A run that writes down what it is told, and validates by a script."""

    values: list

    def __post_init__(self):
        self.curves, self.bars, self.asked = [], [], []

    def run(self, folder, **changes):
        return make_run(
            folder,
            log=lambda step, **values: self.curves.append((step, values)),
            progress=lambda done, total, unit: self.bars.append((done, total, unit)),
            validate=self.validate,
            **changes,
        )

    def validate(self, limit=None):
        self.asked.append(limit)
        return self.values[min(len(self.asked), len(self.values)) - 1]


class Regression(nn.Module):
    """A small module with chance in it: a line through points, with dropout."""

    def __init__(self, dropout=0.3):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.line = nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))
            self.offset = nn.Linear(1, 1)
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, batch):
        error = (self.line(batch) + self.offset.bias - batch.sum(1, keepdim=True)).square().mean()
        return {"loss": error, "twice": 2 * error.detach()}


POINTS = list(np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32))


def stack(some, rng):
    return torch.from_numpy(np.stack(some)) + torch.from_numpy(
        rng.standard_normal((len(some), 3)).astype(np.float32) * 0.1
    )


def weights(module):
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


def fit(folder, diary=None, module=None, **settings):
    module = module or Regression()
    diary = diary or Diary([0.0])
    config = vlm.TrainingConfig(**{"epochs": 4, "learning_rate": 1e-2, "patience": 9, **settings})
    vlm.train(module, POINTS, stack, config, diary.run(folder))
    return module
