import re
from dataclasses import dataclass

import numpy as np

from mmbench import hookimpl


@dataclass(frozen=True)
class PairsConfig:
    """Settings.

    Attributes:
        strength: what the titles tell counts like so many events.
    """

    strength: float = 5.0


class Pairs:
    """Counts which item follows which, and which titles follow which where events are few."""

    Config = PairsConfig
    presets = {"paper": PairsConfig()}
    needs = frozenset({"text"})

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, items):
        kinds = kinds_of_pairs(items.fields["title"])
        follows = np.zeros(kinds.shape)
        same_user = train.user[1:] == train.user[:-1]
        np.add.at(follows, (train.item[:-1][same_user], train.item[1:][same_user]), 1)
        seen = np.bincount(kinds.ravel(), follows.ravel(), minlength=20)
        rate = seen / np.bincount(kinds.ravel(), minlength=20).clip(1)
        told = rate[kinds] / rate[kinds].sum(axis=1, keepdims=True).clip(1e-9)
        events = follows.sum(axis=1, keepdims=True)
        strength = self.config.strength
        self.next = (follows + strength * told) / (events + strength)

    @hookimpl
    def score(self, queries):
        return self.next[queries.history[:, -1], 1:].astype(np.float32)


def kinds_of_pairs(titles):
    """int[items, items]: how much of two titles is the same, and how far numbers are apart."""
    words = [set(re.findall(r"[a-z]+", title.lower())) for title in titles]
    numbers = [[int(n) for n in re.findall(r"\d+", title)] or [0] for title in titles]
    last = np.array([found[-1] for found in numbers])
    step = np.clip(last[None] - last[:, None], -2, 2) + 2
    names = sorted(set().union(*words))
    has = np.array([[name in own for name in names] for own in words], dtype=np.float32)
    shared = has @ has.T / np.maximum(has.sum(1)[:, None], has.sum(1)[None]).clip(1)
    return np.rint(3 * shared).astype(int) * 5 + step
