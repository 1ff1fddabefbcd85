"""The published datasets: counts, pinned records and fingerprints, pictures, speed."""

import os

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
        ("beauty-days", (22_332, 12_086, 198_215)),
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
        ("ml", "1", 225, "1210", "2492", (964980499, 965719662)),
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
        ("beauty", "436c3b41ab62159c"),
        ("sports", "90989ab93bca4a98"),
        ("beauty-days", "d90c3445fbaab153"),
        ("beauty-days[ties=source]", "d9010db142d68c32"),
        ("ml", "52014cb0b246cd57"),
    ],
)
def test_fingerprints_are_pinned(name, fingerprint):
    """A change here is a change to numbers: results made before no longer compare."""
    assert load(name).fingerprints.events == fingerprint


def test_beauty_days_is_beauty_with_its_ties_drawn():
    published, days, source = map(load, ("beauty", "beauty-days", "beauty-days[ties=source]"))
    assert (days.card["time"], days.card["ties"], source.card["ties"]) == (
        *("timestamps", "hash", "source"),
    )
    assert round(days.card["tied_targets"], 3) == round(source.card["tied_targets"], 3) == 0.435
    assert published.card["tied_targets"] is None
    assert len({log.fingerprints.events for log in (published, days, source)}) == 3
    assert {log.card["lineage"] for log in (published, days, source)} == {"amazon-beauty"}
    assert source.secret == days.secret != published.secret
    sequences = sequences_of(published)
    twin = sequences_of(source)
    kept = set(source.item_ids)
    same = [[i for i in sequences[user] if i in kept] == items for user, items in twin.items()]
    assert all(same) and len(same) == 22_332
    for log, low, high in ((source, 0.99, 1.0), (days, 0.48, 0.52)):
        last = np.flatnonzero(np.diff(log.user, append=-1))
        tied = last[log.time[last] == log.time[last - 1]]
        asin = places_by_asin(log)
        assert low <= (asin[log.item[tied]] > asin[log.item[tied - 1]]).mean() <= high


def sequences_of(log):
    ends = np.flatnonzero(np.diff(log.user, append=-1)) + 1
    parts = np.split(log.item, ends[:-1])
    return {
        user: [log.item_ids[i] for i in part]
        for user, part in zip(log.user_ids, parts, strict=True)
    }


def places_by_asin(log):
    """int[n_items + 1]: the place of each item among all, sorted by product number."""
    path = next(f for f in places.search_folders() if (f / "amazon2014-beauty-days").is_dir())
    table = (path / "amazon2014-beauty-days" / "items.tsv").read_text("utf-8").splitlines()
    asin = dict(line.split("\t")[:2] for line in table[1:])
    order = sorted(range(1, log.n_items + 1), key=lambda item: asin[log.item_ids[item]])
    return np.argsort([0, *order])


def test_a_shuffled_file_of_movielens_is_the_same_log(tmp_path, monkeypatch):
    source = next(f for f in places.search_folders() if (f / "ml-latest-small").is_dir())
    copy = tmp_path / "ml-latest-small"
    copy.mkdir()
    head, *rows = (source / "ml-latest-small" / "ratings.csv").read_text().splitlines()
    shuffled = [rows[k] for k in np.random.default_rng(1).permutation(len(rows))]
    (copy / "ratings.csv").write_text("\n".join([head, *shuffled]) + "\n")
    for name in ("items.tsv", "posters_64.zip"):
        (copy / name).symlink_to(source / "ml-latest-small" / name)
    one, other = load("ml"), load(str(copy))
    assert (one.fingerprints, one.secret) == (other.fingerprints, other.secret)
    assert np.array_equal(one.item, other.item) and one.item_ids == other.item_ids


def test_beauty_texts_and_cards():
    log = load("amazon2014-beauty")
    assert log.items.fields["title"][log.item_ids.index("1")] == (
        "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce"
    )
    titles = log.items.fields["title"][1:]
    assert sum(not title for title in titles) == 7
    assert log.n_items - len(log.items.images.items()) == 7
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


def test_numbers_tell_nothing_of_first_appearance():
    log = load("beauty")
    raw = np.array([int(item) for item in log.item_ids[1:]])  # numbered by appearance
    assert abs(spearmanr(np.arange(log.n_items), raw).statistic) < 0.03
    users = np.array([int(user) for user in log.user_ids])
    assert abs(spearmanr(np.arange(log.n_users), users).statistic) < 0.03


def test_the_item_after_the_highest_so_far_is_no_guess_of_the_target():
    """Raw ids count first appearances: a new item's id is one more than all that were seen."""
    log = load("beauty")
    raw_items = np.array([0, *map(int, log.item_ids[1:])])
    raw_users = np.array([int(user) for user in log.user_ids])
    by_raw = share_of_next_ids(log, raw_items[log.item], np.argsort(raw_users))
    by_number = share_of_next_ids(log, log.item, np.arange(log.n_users))
    assert by_raw > 0.05
    assert by_number < 0.001


def share_of_next_ids(log, item, users):
    """How often a target is the highest item of earlier users and of the own history, plus one."""
    starts = np.searchsorted(log.user, np.arange(log.n_users + 1))
    highest, hits = 0, 0
    for user in users:
        walk = item[starts[user] : starts[user + 1]]
        highest = max(highest, walk[:-1].max())
        hits += walk[-1] == highest + 1
        highest = max(highest, walk[-1])
    return hits / log.n_users


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
