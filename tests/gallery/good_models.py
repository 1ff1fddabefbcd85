"""Well-behaved models, one for each way of answering; the bad ones differ in one thing each."""

from dataclasses import dataclass

import numpy as np

from mmbench import EmbeddingModel, TopK, hookimpl
from mmbench.toolkit import encodings


@dataclass(frozen=True)
class Plain:
    k: int = 8
    popularity: float = 0.001


class Follows:
    """What usually followed the last item, then what is popular; rates the whole catalogue."""

    Config = Plain
    presets = {"paper": Plain(), "tiny": Plain(popularity=0.01)}
    needs = frozenset()

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train):
        size = train.n_items + 1
        steps = train.user[1:] == train.user[:-1]
        self.table = np.zeros((size, size), np.float32)
        np.add.at(self.table, (train.item[:-1][steps], train.item[1:][steps]), 1)
        counts = np.bincount(train.item, minlength=size).astype(np.float32)
        self.table += self.config.popularity * counts / counts.max()

    def rate(self, queries):
        return self.table[queries.history[:, -1], 1:]

    @hookimpl
    def score(self, queries):
        return self.rate(queries)


class Retrieves(Follows):
    """The best few; it draws nothing, and its fit can be kept."""

    draws = False

    @hookimpl
    def keep(self):
        return {"table": self.table}

    @hookimpl
    def restore(self, arrays):
        self.table = arrays["table"]

    @hookimpl
    def score(self, queries):
        scores = self.rate(queries)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.config.k].astype(np.int32)
        return TopK(best + 1, np.take_along_axis(scores, best, axis=1))


class Multiplies(EmbeddingModel):
    """Follows, as products of a user's last item and rows of the table."""

    Config = Plain
    presets = {"paper": Plain()}

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        self.items = np.ascontiguousarray(self.table.T)
        self.bonus = run.validate()

    @hookimpl
    def embed_items(self):
        return {"fused": self.items}

    @hookimpl
    def embed_queries(self, queries):
        return {"fused": np.eye(len(self.items), dtype=np.float32)[queries.history[:, -1]]}


class Reranks(Follows):
    """Rates the candidates that it is given."""

    @hookimpl
    def score(self, queries, candidates):
        return self.table[queries.history[:, -1:], candidates]


class ReranksFew(Reranks):
    """Cannot afford them all, and validates as it goes."""

    max_candidates = 20

    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        self.bonus = np.float32(run.validate())

    @hookimpl
    def score(self, queries, candidates):
        return self.table[queries.history[:, -1:], candidates] + getattr(self, "bonus", 0)


class Shortlists(Follows):
    """The best few of what may be recommended, in an order that depends on who is among them."""

    per_set = True

    @hookimpl
    def score(self, queries, candidates, excluded):
        scores = self.table[queries.history[:, -1:], candidates]
        free = ~(candidates[:, :, None] == excluded[:, None, :]).any(axis=2)
        kept = np.where(free, scores, -np.inf)
        least = -np.sort(-kept, axis=1)[:, [min(self.config.k, kept.shape[1]) - 1]]
        listed = free & (scores >= least)
        return scores + listed * (1 + scores.max(axis=1, keepdims=True) + least.clip(min=0))


@dataclass(frozen=True)
class Ridge:
    l2: float = 250.0


class Ease:
    """Weights between items that rebuild each user's items best, none of an item on itself.

    In closed form (Steck, WWW 2019): it knows what goes together, and hardly what comes first.
    """

    Config = Ridge
    presets = {"paper": Ridge()}
    needs = frozenset()

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train):
        had = np.zeros((train.n_users, train.n_items + 1))
        had[train.user, train.item] = 1
        had = had[:, 1:]
        inverse = np.linalg.inv(had.T @ had + self.config.l2 * np.eye(train.n_items))
        self.weights = -inverse / np.diag(inverse)
        np.fill_diagonal(self.weights, 0)

    @hookimpl
    def score(self, queries):
        had = np.zeros((len(queries.history), len(self.weights) + 1))
        np.put_along_axis(had, queries.history, 1, axis=1)
        return (had[:, 1:] @ self.weights).astype(np.float32)


class Looks:
    """Reads titles and looks at pictures: what resembles the last item comes next."""

    Config = Plain
    presets = {"paper": Plain()}
    needs = frozenset({"text", "image"})

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, items, run):
        self.vectors = np.concatenate([self.read(items), self.look(items, run.encodings)], axis=1)

    @hookimpl
    def score(self, queries):
        return self.vectors[queries.history[:, -1]] @ self.vectors[1:].T

    @hookimpl
    def embed_items(self, items):
        return {"fused": self.vectors}

    @hookimpl
    def embed_queries(self, queries):
        return {"fused": self.vectors[queries.history[:, -1]]}

    @staticmethod
    def read(items):
        """float32[n_items + 1, words]: which words stand in the title."""
        titles = [title.split() for title in items.fields["title"]]
        words = sorted({word for title in titles for word in title})
        return np.array([[word in title for word in words] for title in titles], np.float32)

    @staticmethod
    def look(items, folder):
        """float32[n_items + 1, 6]: colours of both halves, in the cache that all plugins share."""
        numbers = range(1, items.n_items + 1)

        def encode(places):
            pictures = [np.asarray(items.images.open(numbers[p]), np.float32) for p in places]
            return np.array([np.concatenate([x[2, 2], x[-2, -2]]) / 255 - 0.5 for x in pictures])

        contents = [encodings.digest(items.images.read(item)) for item in numbers]
        found = encodings.cached(folder, {"id": "two-colours"}, contents, encode)
        return np.pad(found, ((1, 0), (0, 0)))
