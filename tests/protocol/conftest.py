"""A small stand-in for a prepared log, and folds made from it."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pytest

from mmbench.protocol.candidate_sets import FULL, UNSEEN, negatives


@dataclass(frozen=True)
class SmallLog:
    id: str
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    n_users: int
    n_items: int
    user_ids: tuple[str, ...]
    secret: bytes
    card: dict = field(default_factory=dict)


def build_log(sequences, n_items=None, times=None, user_ids=None, card=None, secret=b"s" * 32):
    """A log from one list of items a user; times are positions unless given."""
    lengths = [len(items) for items in sequences]
    flat = [item for items in sequences for item in items]
    if times is None:
        times = [range(length) for length in lengths]
    return SmallLog(
        id="made-up",
        user=np.repeat(np.arange(len(sequences)), lengths).astype(np.int32),
        item=np.array(flat, dtype=np.int32),
        time=np.array([t for row in times for t in row], dtype=np.int64),
        n_users=len(sequences),
        n_items=n_items or max(flat),
        user_ids=tuple(user_ids or (f"u{i}" for i in range(len(sequences)))),
        secret=secret,
        card=card or {},
    )


@pytest.fixture(scope="session")
def make_log():
    return build_log


@pytest.fixture(scope="session")
def drawing():
    """``drawing(protocol, 2)``: the protocol with two negatives, in the set ``neg2``."""

    def make(protocol, size):
        return dataclasses.replace(protocol, candidate_sets=(FULL, UNSEEN, negatives(size)))

    return make


@pytest.fixture(scope="session")
def shop():
    """300 users with 3 to 12 of 400 items, repeats among them."""
    rng = np.random.default_rng(7)
    return build_log([rng.integers(1, 401, rng.integers(3, 13)).tolist() for _ in range(300)], 400)


@pytest.fixture(scope="session")
def answering():
    """``answering(scores)``: an Ask over the rows of a full score matrix."""

    def make(scores):
        def ask(what, slices):
            assert what == "catalogue"
            for rows in slices:
                yield scores[rows]

        return ask

    return make
