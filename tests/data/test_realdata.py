"""The published datasets: counts, pinned records and fingerprints, pictures, speed."""

import os
import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from mmbench.data import load, places
from mmbench.data.guess import guess

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not os.environ.get("MMBENCH_DATA"), reason="MMBENCH_DATA is not set"),
]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("beauty", (22_363, 12_101, 198_502)),
        ("sports", (35_598, 18_357, 296_337)),
        ("ml", (610, 3_399, 85_280)),
    ],
)
def test_counts_are_the_published_ones(name, counts):
    log = load(name)
    assert (log.n_users, log.n_items, len(log.item)) == counts
    assert np.bincount(log.user).min() >= 5
    assert np.bincount(log.item)[1:].min() >= 5
    assert log.card["repeating_users"] == 0
    assert (log.user.dtype, log.item.dtype, log.time.dtype) == (np.int32, np.int32, np.int64)


@pytest.mark.parametrize(
    ("name", "user", "length", "first", "last", "times"),
    [
        ("beauty", "1", 5, "1", "5", (0, 4)),
        ("beauty", "10", 10, "84", "91", (0, 9)),
        ("beauty", "22363", 5, "6466", "10487", (0, 4)),
        ("sports", "1", 8, "1", "8", (0, 7)),
        ("sports", "10", 10, "167", "175", (0, 9)),
        ("sports", "35598", 5, "4628", "6427", (0, 4)),
        ("ml", "1", 225, "804", "2492", (964980499, 965719662)),
        ("ml", "10", 112, "92259", "1088", (1455301553, 1455619275)),
        ("ml", "610", 869, "318", "3917", (1479541963, 1495959411)),
    ],
)
def test_the_first_tenth_and_last_user_are_pinned(name, user, length, first, last, times):
    log = load(name)
    rows = np.flatnonzero(log.user == log.user_ids.index(user))
    assert len(rows) == length
    assert (log.item_ids[log.item[rows[0]]], log.item_ids[log.item[rows[-1]]]) == (first, last)
    assert (log.time[rows[0]], log.time[rows[-1]]) == times


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("beauty", "fa57f0fb9293b1b5"),
        ("sports", "ab904a11a37889b1"),
        ("ml", "5b21b47fec47e186"),
    ],
)
def test_fingerprints_are_pinned(name, fingerprint):
    """A change here is a change to numbers: results made before no longer compare."""
    assert load(name).fingerprints.events == fingerprint


def test_beauty_texts_and_cards():
    log = load("amazon2014-beauty")
    assert log.items.fields["title"][log.item_ids.index("1")] == (
        "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce"
    )
    titles = log.items.fields["title"][1:]
    assert sum(not title for title in titles) == 7
    assert sum(name is None for name in log.items.images.names[1:]) == 7
    assert log.items.images.open(log.item_ids.index("1")).size == (96, 96)
    assert log.card["time"] == "positions"
    assert "drawn" in log.card["remarks"][0]
    assert list(log.items.fields) == ["title", "categories"]


def test_movielens_core_and_records():
    log = load("movielens")
    events = {step["step"]: step["events"] for step in log.card["steps"]}
    assert events["source"] == 100_836
    assert events["5-core"] == 85_280
    assert log.card["without_image"] == 0
    assert log.card["time"] == "timestamps"
    assert log.card["time_ties"] > 0.1
    assert (np.diff(log.time)[np.diff(log.user) == 0] >= 0).all()
    assert log.items.images.open(1).size == (64, 64)


def test_item_numbers_tell_nothing_of_first_appearance():
    log = load("beauty")
    raw = np.array([int(item) for item in log.item_ids[1:]])  # numbered by appearance
    assert abs(spearmanr(np.arange(log.n_items), raw).statistic) < 0.03


def test_an_opened_log_comes_fast():
    load("beauty")
    start = time.perf_counter()
    load("beauty")
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("name", ["amazon2014-beauty", "amazon2014-sports", "ml-latest-small"])
def test_a_guess_finds_the_same_files_and_columns(name):
    from mmbench.data.folder import described

    folder = next(f / name for f in places.search_folders() if (f / name).is_dir())
    spec, told = guess(folder), described(folder)
    assert spec.files() == told.files()
    assert spec.items.text == told.items.text
    assert spec.interactions.user == told.interactions.user
    assert spec.interactions.time == told.interactions.time


def test_pixrecs_rows_are_those_of_the_paper():
    log = load("amazon2023-pixrec")
    assert (log.n_users, log.n_items, len(log.item)) == (766, 325, 1_745)
    lengths = np.bincount(log.user)
    assert (lengths == 2).sum() == 626
    assert len(set(zip(*log.items.fields.values(), strict=True))) - 1 == 323
