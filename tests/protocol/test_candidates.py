"""The drawn negatives: never the user's own, uniform, and nobody else's business."""

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmbench.protocol import candidates_hash, count_drawn, get_protocol, shown_candidates, split
from mmbench.protocol.candidate_sets import negatives
from mmbench.protocol.chance import query_keys, streams

LOO = get_protocol("loo@2")


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


def test_folds_secrets_and_protocols_draw_differently(shop):
    got = split(shop, LOO)
    test = by_user(shop, got.test)
    others = [
        by_user(shop, got.valid),
        by_user(shop, split(dataclasses.replace(shop, secret=b"t" * 32), LOO).test),
        by_user(shop, split(shop, dataclasses.replace(LOO, name="loo@3")).test),
    ]
    for one, other in itertools.combinations([test, *others], 2):
        common = [len(set(one[name]) & set(other[name])) for name in test]
        assert np.mean(common) < 40  # 26 by chance, of 101 out of 400
    assert by_user(shop, split(shop, LOO).test) == test


def test_a_digest_tells_whether_two_cells_ranked_the_same(shop):
    test, secret = split(shop, LOO).test, shop.secret
    digest = candidates_hash(test, secret)
    assert len(digest) == 64
    assert candidates_hash(split(shop, LOO).test, secret) == digest
    candidates = test.candidates["neg100"].copy()
    candidates[7, 3] += 1
    other = dataclasses.replace(test, candidates={"neg100": candidates})
    assert candidates_hash(other, secret) != digest


def test_who_does_not_have_the_secret_cannot_try_targets_on_the_digest(shop):
    test = split(shop, LOO).test
    digests = {candidates_hash(test, bytes([first]) + bytes(31)) for first in range(50)}
    assert len(digests) == 50


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


def test_a_user_with_few_others_has_fewer_negatives_and_nobody_else(make_log):
    log = make_log([[1, 2, 3], [4, 5, 6, 7, 8], [9, 1, 2]], n_items=12)
    fold = split(log, LOO).test
    candidates = fold.candidates["neg100"]
    assert candidates.shape == (3, 1 + 12 - 3)
    crowded = candidates[fold.history_length == 4].tolist()
    assert crowded == [[0, 0, 1, 2, 3, 8, 9, 10, 11, 12]]
    assert (candidates[fold.history_length == 2] > 0).all()
    assert count_drawn(fold) == {"neg100": {"least": 7, "most": 9}}


def test_a_user_who_has_all_leaves_the_target_alone(make_log):
    fold = split(make_log([[1, 2, 3], [2, 1, 1]]), LOO).test
    candidates = fold.candidates["neg100"]
    assert sorted(candidates.tolist()) == [[0, 3], [1, 3]]
    assert np.array_equal(candidates.max(axis=1) == 3, [True, True])
    assert count_drawn(fold) == {"neg100": {"least": 0, "most": 1}}


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (100, 100, ""),
        (11, 100, "fewer than 100 others: 11 at the least"),
        (11, 11, "Each query has only 11 of them, not 100"),
        (11, 14, "Each query has only 11 to 14 of them, not 100"),
    ],
)
def test_a_set_says_that_fewer_were_drawn(least, most, said):
    told = negatives(100).shortfall(least, most)
    assert said in told
    assert bool(told) == bool(said)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n_items=st.integers(3, 9), size=st.integers(1, 6))
def test_who_is_shown_candidates_sees_whole_rows(make_log, drawing, data, n_items, size):
    """Filled up with what does not count, so that a row's length tells nothing."""
    one = st.lists(st.integers(1, n_items), min_size=3, max_size=9)
    protocol = drawing(LOO, size)
    log = make_log(data.draw(st.lists(one, min_size=1, max_size=6)), n_items)
    fold = split(log, protocol).test
    drawn = fold.candidates[f"neg{size}"]
    shown = shown_candidates(fold, protocol.candidate_sets, n_items)
    assert shown.shape == drawn.shape
    for user, row, candidates in zip(fold.user, shown.tolist(), drawn.tolist(), strict=True):
        assert row == sorted(set(row))
        assert row[0] >= 1
        assert row[-1] <= n_items
        real = {item for item in candidates if item}
        assert real <= set(row)
        assert set(row) - real <= set(log.item[log.user == user].tolist())
        assert len(real) == 1 + min(size, n_items - len(set(log.item[log.user == user].tolist())))


def test_streams_are_shake128():
    """FIPS 202: the digest of an empty message, 7f9c2ba4e88f827d 616045507605853e ..."""
    assert streams([b""], 2).tolist() == [[0x7D828FE8A42B9C7F, 0x3E85057650456061]]


def test_a_stream_does_not_depend_on_how_much_of_it_is_read():
    keys = query_keys(bytes(32), "loo@2", "test", ["a", "b", "ü"])
    assert len(set(keys)) == 3
    assert np.array_equal(streams(keys, 50)[:, :20], streams(keys, 20))


@pytest.mark.parametrize(
    "other",
    [
        (bytes(32), "time@2", "test", ["a"]),
        (bytes(32), "loo@2", "valid", ["a"]),
        (bytes(31) + b"1", "loo@2", "test", ["a"]),
        (bytes(32), "loo@2", "test", ["b"]),
    ],
)
def test_keys_differ_by_secret_protocol_fold_and_user(other):
    assert query_keys(*other) != query_keys(bytes(32), "loo@2", "test", ["a"])


def stream(secret, *told):
    """The numbers of a query, by hand."""
    person, message = b"queries", "\n".join(told).encode()
    key = hashlib.blake2b(message, key=secret, person=person, digest_size=16).digest()
    for place in itertools.count():
        drawn = hashlib.shake_128(key).digest(8 * place + 8)
        yield int.from_bytes(drawn[-8:], "little")


@pytest.mark.parametrize("n_items", [110, 115, 400])
def test_negatives_are_the_first_of_the_stream_that_are_not_own(make_log, n_items):
    log = make_log([[1, 2, 3], [4, 5, 6, 7, 8], [9, 9, 1, 2]], n_items)
    got = by_user(log, split(log, LOO).test)
    for user, name in enumerate(log.user_ids):
        own = set(log.item[log.user == user].tolist())
        drawn = {int(log.item[log.user == user][-1])}
        for number in stream(log.secret, "loo@2", "test", name):
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
    assert fold.candidates["neg6"].tolist() == [[3, 61, 106, 525, 610, 640, 754]]
