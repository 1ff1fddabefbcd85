"""A grid of twelve cells, four of which start from four others, and its ranks by ``local``."""

import pytest

CHAIN = """
import time
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class GiverConfig:
    sleep: float = 0.0

class Giver:
    Config = GiverConfig
    presets = {"paper": GiverConfig()}
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, run):
        for step in range(20):
            time.sleep(self.config.sleep / 20)
            run.progress(step + 1, 20, "steps")
        rng = np.random.default_rng(run.seed)
        self.vectors = rng.normal(size=(train.n_items + 1, 3)).astype(np.float32)
    @hookimpl
    def score(self, queries):
        return np.repeat(self.vectors[None, 1:, 0], len(queries), 0)
    @hookimpl
    def embed_items(self):
        return {"fused": self.vectors}

@dataclass(frozen=True)
class TakerConfig:
    init: str = ""

class Taker:
    Config = TakerConfig
    presets = {"paper": TakerConfig()}
    upstream = "init"
    def __init__(self, config):
        pass
    @hookimpl
    def fit(self, train, items):
        self.vectors = items.features["init"][:, -1]
    @hookimpl
    def score(self, queries):
        return np.repeat(self.vectors[None, 1:], len(queries), 0)
"""
SLEEP = "giver.sleep=2"


@pytest.fixture
def twelve(bench):
    """``twelve(*more)``: the words of a run of twelve cells."""
    bench.add("chain", CHAIN, giver="Giver", taker="Taker")
    words = ["run", "-m", "giver,taker[init=giver],noise", "-d", "shop", "--seeds", "4"]
    return lambda *more: [*words, "--set", SLEEP, *more]


@pytest.fixture
def ranks(bench):
    """``ranks(out)``: the bytes of the ranks of each cell in a folder, of which all are done."""

    def read(out):
        folder = bench.folder / out
        records = sorted(folder.glob("[!.]*/*/*/*.json"))
        names = [path.with_suffix(".ranks.parquet") for path in records]
        assert not list(folder.glob(".aside/**/*.json"))
        assert not list(folder.glob(".work/*.lease-*"))
        return {path.name: path.read_bytes() for path in names}

    return read
