"""The retriever: a network of ``mmbench-sequential``, what it finds, and how it is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmbench_sequential.attention import SASRec
from mmbench_sequential.configs import FMLPRecConfig, LRURecConfig, SASRecConfig, Training
from mmbench_sequential.filters import FMLPRec
from mmbench_sequential.lru import LRURec
from mmbench_sequential.network import Network
from mmbench_sequential.scoring import embed
from mmbench_sequential.training import train as train_network
from numpy.typing import NDArray

from mmbench import Interactions, Products, Run, TopK
from mmbench_prime.configs import PrimeConfig
from mmbench_prime.runs import named

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

NETWORKS: Mapping[str, tuple[type[Any], type[Any]]] = {
    "lrurec": (LRURec, LRURecConfig),
    "sasrec-ce": (SASRec, SASRecConfig),
    "fmlprec": (FMLPRec, FMLPRecConfig),
}
DEPTH = 10  # of the figure that run.validate answers


class Retriever:
    """A network and the items that it knows.

    Attributes:
        network: rates items.
        settings: how it is trained on the events.
    """

    def __init__(self, config: PrimeConfig, n_items: int, device: str) -> None:
        network, settings = NETWORKS[config.retriever]
        self.settings: Training = settings(
            max_history=config.retriever_history,
            epochs=config.retriever_epochs,
            patience=config.retriever_patience,
            weight_decay=config.retriever_decay,
            dim=config.retriever_dim,
            dropout=config.retriever_dropout,
        )
        self.device = device
        self.network: Network = network(n_items, self.settings).to(device)

    def refresh(self) -> None:
        """Take the items' vectors as they are now."""
        table = self.network.eval().table().detach().float().cpu().numpy()
        self._items = Products(np.ascontiguousarray(table))

    def rate(self, histories: Int32) -> Float32:
        """float32[b, n_items], as of the last ``refresh``."""
        states = embed(self.network, histories, self.device).float().cpu().numpy()
        return self._items.rate(states)


def train_retriever(
    retriever: Retriever, train: Interactions, config: PrimeConfig, run: Run
) -> None:
    """Train on the events; leaves the best epoch by recall, see ``recall_of``.

    ``run.validate`` must ask for what ``retriever`` returns, as ``level_best`` does.
    """

    def validate(limit: int | None = None) -> float:
        retriever.refresh()
        figure = run.validate(limit=limit)
        return recall_of(figure, config.retriever_recall) if config.retriever_recall else figure

    figure = f"recall@{config.retriever_recall}" if config.retriever_recall else "ndcg@10"
    told = named(run, "retriever", {"valid ndcg@10": f"retriever {figure}"})
    train_network(retriever.network, train, retriever.settings, replace(told, validate=validate))
    retriever.refresh()


def level_best(scores: Float32, count: int) -> TopK:
    """The best ``count`` items of each row, all tied.

    The harness counts a tied block by its mean over all orders, so ndcg@10 of such an answer is
    recall@``count`` times a constant: plugins see no targets, and need none to be told a recall.
    """
    best = best_items(scores, np.ones(scores.shape, bool), count)
    return TopK(best.astype(np.int32) + 1, np.zeros(best.shape, np.float32))


def recall_of(ndcg: float, count: int) -> float:
    """recall@count, from the ndcg@10 of what ``level_best`` returns; ``count`` is 10 at least.

    Below that, what is tied behind the best would have a share of the first ten places.
    """
    places = np.arange(1, DEPTH + 1)
    return ndcg * count / float((1 / np.log2(places + 1)).sum())


def best_items(scores: Float32, allowed: Bool, count: int) -> NDArray[np.int64]:
    """int64[b, k]: columns of the best allowed scores, the best first; the lower one where tied.

    Rows with fewer than k allowed columns end with some that are not.

    Args:
        scores: float32[b, c], finite.
        allowed: bool[b, c].
        count: how many.
    """
    kept = np.where(allowed, scores, -np.inf)
    count = min(count, kept.shape[1])
    least = np.partition(kept, kept.shape[1] - count, axis=1)[:, [kept.shape[1] - count]]
    # tied with the last: the lowest columns fill up
    above = kept > least
    level = kept == least
    room = count - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= room))
    columns = np.nonzero(chosen)[1].reshape(len(kept), count)
    order = np.argsort(-np.take_along_axis(kept, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def histories_of(rows: Int32, most: int) -> list[tuple[int, ...]]:
    """The last ``most`` items of each history int32[b, L], padding left out."""
    return [tuple(row[row > 0][-most:].tolist()) for row in rows]


def pad(histories: Sequence[Sequence[int]], width: int) -> Int32:
    """int32[b, width]: histories, left-padded with 0, the last ``width`` items of each."""
    rows = np.zeros((len(histories), width), np.int32)
    for row, items in zip(rows, histories, strict=True):
        kept = list(items)[-width:]
        row[width - len(kept) :] = kept
    return rows
