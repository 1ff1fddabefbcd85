"""A model that keeps a checkpoint of each step, as a training does."""

from dataclasses import dataclass

import numpy as np

from mmbench import hookimpl


@dataclass(frozen=True)
class Config:
    steps: int = 8


class Patient:
    Config = Config
    presets = {"paper": Config(), "tiny": Config()}

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        folder = run.scratch / "training"
        done = len(list(folder.glob("*"))) if folder.exists() else 0
        run.log(0, found=done)
        for step in range(done, self.config.steps):
            (folder / f"checkpoint-{step}").mkdir(parents=True)
            run.progress(step + 1, self.config.steps, "steps")
        self.n_items = train.n_items

    @hookimpl
    def score(self, queries):
        return np.tile(np.arange(self.n_items, dtype=np.float32), (len(queries), 1))
