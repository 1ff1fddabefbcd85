"""The drawn negatives: never the user's own, uniform, and nobody else's business."""

import dataclasses
import hashlib

import numpy as np
import pytest
from scipy import stats

from mmbench.protocol import candidates_hash, get_protocol, split
from mmbench.protocol.chance import query_keys, streams

LOO = get_protocol("loo@1")


def by_user(log, fold):
    names = [log.user_ids[user] for user in fold.queries.user]
    return dict(zip(names, fold.candidates["neg100"].tolist(), strict=True))


def test_a_target_and_a_hundred_others_none_of_them_the_users_own(shop):
    parts = split(shop, LOO)
    for fold, last in ((parts.valid, -1), (parts.test, None)):
        candidates = fold.candidates["neg100"]
        assert candidates.shape == (300, 101)
        assert (np.diff(candidates, axis=1) > 0).all()
        assert candidates.min() >= 1
        assert candidates.max() <= shop.n_items
        for user, target, row in zip(
            fold.queries.user, fold.target, candidates.tolist(), strict=True
        ):
            own = set(shop.item[shop.user == user][:last].tolist())
            assert own & set(row) == {int(target)}


def test_validation_negatives_do_not_give_the_test_targets_away(shop):
    """Worlds that differ only in test targets have the same validation fold, candidates too."""
    last = np.flatnonzero(np.diff(shop.user, append=-1))
    item = shop.item.copy()
    item[last] = np.roll(item[last], 1)
    ours, theirs = split(shop, LOO), split(dataclasses.replace(shop, item=item), LOO)
    assert (ours.test.target != theirs.test.target).any()
    np.testing.assert_array_equal(
        ours.valid.candidates["neg100"], theirs.valid.candidates["neg100"]
    )


def test_negatives_do_not_depend_on_company(make_log, shop):
    whole = by_user(shop, split(shop, LOO).test)
    kept = [user for user in range(300) if user % 3]
    part = make_log(
        [shop.item[shop.user == user].tolist() for user in kept],
        shop.n_items,
        user_ids=[shop.user_ids[user] for user in kept],
    )
    some = by_user(part, split(part, LOO).test)
    assert some == {name: whole[name] for name in some}


def test_folds_and_seeds_draw_differently(shop):
    got = split(shop, LOO)
    valid, test = by_user(shop, got.valid), by_user(shop, got.test)
    assert all(valid[name] != test[name] for name in test)
    other = split(shop, dataclasses.replace(LOO, seed=1)).test
    assert candidates_hash(other) != candidates_hash(got.test)
    assert candidates_hash(split(shop, LOO).test) == candidates_hash(got.test)


def test_the_draw_is_uniform(make_log, drawing):
    """2,000 users that own 1, 2 and 3 draw 10 of the 37 other items each."""
    log = make_log([[1, 2, 3]] * 2000, n_items=40)
    candidates = split(log, drawing(LOO, 10)).test.candidates["neg10"]
    counts = np.bincount(candidates.ravel(), minlength=41)
    assert counts[[1, 2]].tolist() == [0, 0]
    assert counts[3] == 2000
    # Without replacement a count varies less than chi-square supposes; both tails are bounded.
    expected = 2000 * 10 / 37
    spread = 1 - 10 / 37
    statistic = float(((counts[4:] - expected) ** 2 / (expected * spread)).sum()) * 36 / 37
    assert 0.001 < stats.chi2.sf(statistic, 36) < 0.999


def test_pairs_are_drawn_independently(make_log, drawing):
    """4 of 6 items hold 6 of their 15 pairs: each pair comes in 2 of 5 draws."""
    log = make_log([[1, 2, 3]] * 3000, n_items=9)
    candidates = split(log, drawing(LOO, 4)).test.candidates["neg4"]
    drawn = np.zeros((3000, 10), dtype=int)
    np.put_along_axis(drawn, candidates, 1, axis=1)
    together = (drawn.T @ drawn)[4:, 4:][np.triu_indices(6, 1)]
    assert abs(together - 3000 * 6 / 15).max() < 4.5 * np.sqrt(3000 * 0.4 * 0.6)


def test_a_small_catalogue_gives_all_queries_the_same_smaller_number(make_log):
    log = make_log([[1, 2, 3], [4, 5, 6, 7, 8], [9, 1, 2]], n_items=12)
    fold = split(log, LOO).test
    candidates = fold.candidates["neg100"]
    assert candidates.shape == (3, 1 + 12 - 5)
    crowded = candidates[fold.history_length == 4].tolist()
    assert crowded == [[1, 2, 3, 8, 9, 10, 11, 12]]


def test_a_user_who_owns_all_leaves_the_target_alone(make_log):
    fold = split(make_log([[1, 2, 3], [2, 1, 1]]), LOO).test
    candidates = fold.candidates["neg100"]
    assert candidates.shape == (2, 1)
    assert np.array_equal(candidates[:, 0], fold.target)


def test_streams_are_splitmix64():
    """The reference implementation's numbers for the seed 1234567 (Vigna, splitmix64.c)."""
    assert streams(np.array([1234567], dtype=np.uint64), 3).tolist() == [
        [6457827717110365317, 3203168211198807973, 9817491932198370423]
    ]


def test_a_stream_does_not_depend_on_how_much_of_it_is_read():
    keys = query_keys("loo@1", "test", ["a", "b", "ü"])
    assert len(set(keys.tolist())) == 3
    assert np.array_equal(streams(keys, 50)[:, :20], streams(keys, 20))


@pytest.mark.parametrize("other", [("time@1", "test", ["a"]), ("loo@1", "valid", ["a"])])
def test_keys_differ_by_protocol_and_fold(other):
    assert query_keys(*other).tolist() != query_keys("loo@1", "test", ["a"]).tolist()


def stream(key):
    """SplitMix64 in Python's own integers."""
    while True:
        key = (key + 0x9E3779B97F4A7C15) % 2**64
        mixed = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        yield mixed ^ mixed >> 31


@pytest.mark.parametrize("n_items", [110, 115, 400])
def test_negatives_are_the_first_of_the_stream_that_are_not_own(make_log, n_items):
    log = make_log([[1, 2, 3], [4, 5, 6, 7, 8], [9, 9, 1, 2]], n_items)
    got = by_user(log, split(log, LOO).test)
    for user, name in enumerate(log.user_ids):
        own = set(log.item[log.user == user].tolist())
        drawn = {int(log.item[log.user == user][-1])}
        digest = hashlib.sha256(f"loo@1\n2025\ntest\n{name}".encode()).digest()
        for number in stream(int.from_bytes(digest[:8], "little")):
            item = 1 + number % n_items
            if item not in own:
                drawn.add(item)
            if len(drawn) == 101:
                break
        assert got[name] == sorted(drawn)


def test_the_negatives_of_a_name_never_change(make_log, drawing):
    """Pinned: other numbers mean another protocol, and so another name."""
    log = make_log([[1, 2, 3]], n_items=1000, user_ids=["A1YJEY40YUW4SE"])
    fold = split(log, drawing(LOO, 6)).test
    assert fold.candidates["neg6"].tolist() == [[3, 199, 429, 459, 620, 653, 890]]
