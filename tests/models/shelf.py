"""Small well-behaved models for the tests."""

import time
from dataclasses import dataclass

import numpy as np

from mmbench import EmbeddingModel, Published, TopK, hookimpl


@dataclass(frozen=True)
class CountsConfig:
    smoothing: float = 0.0
    sleep: float = 0.0
    epochs: int = 2


class Counts:
    """Counts of what followed the last item."""

    Config = CountsConfig
    presets = {"paper": CountsConfig(), "slow": CountsConfig(sleep=0.3)}
    needs = frozenset({"text"})
    loss = "counting"
    papers = (Published("shop", "full", "ndcg@10", 0.5, "A Paper, table 1", "Counts"),)

    @staticmethod
    def seconds(config):
        return {"cell": config.epochs * config.sleep, "item": 0.0001}

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, items, run):
        size = train.n_items + 1
        self.follows = np.full((size, size), self.config.smoothing, np.float32)
        steps = train.user[1:] == train.user[:-1]
        np.add.at(self.follows, (train.item[:-1][steps], train.item[1:][steps]), 1)
        for epoch in range(self.config.epochs):
            time.sleep(self.config.sleep)
            run.log(epoch, valid=run.validate())
            run.progress(epoch + 1, self.config.epochs, "epochs")

    @hookimpl
    def score(self, queries):
        time.sleep(self.config.sleep)
        return self.follows[queries.history[:, -1], 1:]


@dataclass(frozen=True)
class NoiseConfig:
    k: int = 0


class Noise:
    """Seeded noise, as a full row or as the k best."""

    Config = NoiseConfig
    presets = {"paper": NoiseConfig(), "topk": NoiseConfig(k=5)}

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        self.weights = np.random.default_rng(run.seed).random(train.n_items, dtype=np.float32)

    @hookimpl
    def score(self, queries):
        scores = np.tile(self.weights, (len(queries), 1))
        if not self.config.k:
            return scores
        best = np.argsort(-scores, axis=1)[:, : self.config.k].astype(np.int32)
        return TopK(best + 1, np.take_along_axis(scores, best, axis=1))


class Quick(Noise):
    """Has a small preset of its own."""

    presets = {"paper": NoiseConfig(), "tiny": NoiseConfig(k=3)}


class Feigned(Noise):
    """Its small presets stand in for the real ones."""

    presets = {
        "paper": NoiseConfig(),
        "tiny": NoiseConfig(k=3),
        "topk": NoiseConfig(k=5),
        "topk/tiny": NoiseConfig(k=2),
    }
    stand_ins = ("tiny",)


class Reranker(Noise):
    """Names candidates, and can afford few."""

    max_candidates = 15

    @hookimpl
    def score(self, queries, candidates):
        return self.weights[candidates - 1]


class Painter(Noise):
    """Needs pictures."""

    needs = frozenset({"image"})


class Witness(Noise):
    """Keeps what it was given, for a test in the same process to look at."""

    given: list = []

    @hookimpl
    def fit(self, train, items, run):
        super().fit(train, run)
        self.given[:] = [train, items, run]

    @hookimpl
    def score(self, queries):
        self.given.append(queries)
        return super().score(queries)


class Products(EmbeddingModel):
    """Random vectors, other ones in each epoch; keeps a diary."""

    Config = CountsConfig
    presets = {"paper": CountsConfig()}
    diary: list = []

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        del self.diary[:]
        rng = np.random.default_rng(run.seed)
        for epoch in range(self.config.epochs):
            self.table = rng.standard_normal((train.n_items + 1, 8)).astype(np.float32)
            run.log(epoch, valid=run.validate())

    @hookimpl
    def embed_items(self):
        self.diary.append("items")
        return {"fused": self.table}

    @hookimpl
    def embed_queries(self, queries):
        self.diary.append(len(queries))
        return {"fused": self.table[queries.history[:, -1]]}


class Matrix(Products):
    """The same scores as a matrix."""

    @hookimpl
    def score(self, queries):
        return (self.embed_queries(queries)["fused"] @ self.table.T)[:, 1:]


class NoiseEach(Noise):
    """The same noise for whatever it is asked about."""

    per_set = True

    @hookimpl
    def score(self, queries, candidates, excluded):
        return self.weights[candidates - 1]


class EachSet(NoiseEach):
    """Keeps a diary of what it was told, and of the files of candidates that lay about then."""

    diary: list = []

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        self.views = run.scratch.parent / "views"
        run.validate()

    @hookimpl
    def score(self, queries, candidates, excluded):
        files = sorted(path.name for path in self.views.glob("*candidates.npy"))
        self.diary.append((candidates, excluded, files))
        return super().score(queries, candidates, excluded)


@dataclass(frozen=True)
class TellsConfig:
    texts: int = -1
    length: int = 1


class Tells(Noise):
    """Hands over more examples than a cell keeps, or one of so many texts, with long names."""

    Config = TellsConfig
    presets = {"paper": TellsConfig()}

    def __init__(self, config):
        super().__init__(NoiseConfig())
        self.names = [f"{number:0{config.length}}" for number in range(config.texts)]
        self.wrong = config.texts >= 0

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        if self.wrong:
            run.example("wrong", **dict.fromkeys(self.names, ""))
        for item in range(100):
            run.example(f"item {item}", title="hat", caption="x" * 3000 if item else "a\x1bb")
