"""The best ndcg@10 that the shop's rule allows, for readers of both modalities or of one.

All are expectations under the rule over the last event of each user, given the history before it
(the targets of leave-one-out), not over the one draw that the dataset holds; that draw differs by
chance, about 0.008 for 2,500 users.
"""

from __future__ import annotations

import numpy as np

from mmbench.data.demo.world import Float64, World
from mmbench.views import Int64

DEPTH = 10


def ceilings(world: World) -> dict[str, float]:
    """``{"ndcg@10": both, "ndcg@10 titles only": ..., ...}``, rounded to 4 decimals.

    "titles only" and "pictures only" read nothing but titles (pictures) of history and candidates
    and know the rule; "popularity" ranks by how often an item occurs in the training events.
    """
    chance = world.next_item()
    everything = np.arange(world.n_items)
    values = {
        "ndcg@10": expected_ndcg(chance, chance, everything),
        "ndcg@10 titles only": expected_ndcg(*_reader(world, chance, world.title)),
        "ndcg@10 pictures only": expected_ndcg(*_reader(world, chance, world.picture)),
        "ndcg@10 popularity": expected_ndcg(chance, *_popularity(world, chance)),
    }
    return {name: round(value, 4) for name, value in values.items()}


def expected_ndcg(chance: Float64, score: Float64, group: Int64) -> float:
    """Mean over rows of the expected ndcg@10 of a ranking with tied groups of items.

    Args:
        chance: float64[rows, n_items], the true probability that the item is the target.
        score: float64[rows, groups], by which groups are ranked; groups keep their number's order
            where scores are equal.
        group: int64[n_items], the group of each item; the items of a group are tied, so each has
            the mean discount of the group's places.
    """
    size = np.bincount(group, minlength=score.shape[1])
    mass = chance @ (group[:, None] == np.arange(len(size))).astype(np.float64)
    order = np.argsort(-score, axis=1, kind="stable")
    stop = np.cumsum(size[order], axis=1)
    start = stop - size[order]
    gained = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, DEPTH + 2)))])
    mean_discount = (gained[stop.clip(max=DEPTH)] - gained[start.clip(max=DEPTH)]) / size[order]
    return float((np.take_along_axis(mass, order, axis=1) * mean_discount).sum(axis=1).mean())


def _reader(world: World, chance: Float64, group: Int64) -> tuple[Float64, Float64, Int64]:
    """(chance, score, group) of a reader who sees only each item's group (title or picture).

    The posterior of the last item given the groups of the whole history is a forward filter over
    the items; a candidate group counts by the mean over its items, less the share that the user
    had. That no item comes twice enters only there, not in the filter: a second-order matter, with
    ten items a group and at most eleven events.
    """
    member = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    step = world.weight / world.weight.sum(axis=1, keepdims=True)
    shown = group[world.history]
    belief = member.T[shown[:, 0]]
    last = belief.copy()
    for position in range(1, world.history.shape[1] - 1):
        belief = (belief @ step) * member.T[shown[:, position]]
        belief /= belief.sum(axis=1, keepdims=True)
        here = world.length - 2 == position
        last[here] = belief[here]
    last /= last.sum(axis=1, keepdims=True)
    size = member.sum(axis=0)
    fresh = 1 - (world.seen(1).astype(np.float64) @ member) / size
    return chance, (last @ step) @ member / size * fresh, group


def _popularity(world: World, chance: Float64) -> tuple[Float64, Int64]:
    """(score, group): items with the same number of training events are tied."""
    counts, group = np.unique(world.seen(2).sum(axis=0), return_inverse=True)
    return np.broadcast_to(counts.astype(np.float64), (len(chance), len(counts))), group
