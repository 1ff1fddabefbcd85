"""The two splits, by hand and against a slow oracle."""

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.protocol import SplitError, get_protocol, split

LOO, TIME, USERS = (get_protocol(name) for name in ("loo@2", "time@2", "pixrec-window@2"))


def as_records(fold):
    """What a fold says, by user-independent plain values, in a canonical order."""
    records = []
    for i in range(len(fold)):
        seen = fold.seen[fold.seen_offsets[i] : fold.seen_offsets[i + 1]].tolist()
        history, time = fold.queries.history[i].tolist(), fold.queries.time[i].tolist()
        records.append(
            (
                int(fold.queries.user[i]),
                int(fold.target[i]),
                history,
                time,
                seen,
                int(fold.frequency[i]),
                int(fold.history_length[i]),
                int(fold.user[i]),
                bool(fold.tied[i]),
            )
        )
    return sorted(records)


def oracle(sequences, times, splitter, max_history):
    """Train events and both folds' records, with dictionaries and loops."""
    train, targets = [], {"valid": [], "test": []}
    moments = sorted(t for row in times for t in row)
    if splitter == "time":
        first, second = (moments[int(cut * len(moments))] for cut in (0.8, 0.9))
    for user, (items, row) in enumerate(zip(sequences, times, strict=True)):
        for place, (item, moment) in enumerate(zip(items, row, strict=True)):
            if splitter == "loo":
                from_end = len(items) - place
                held = len(items) >= 3 and from_end <= 2
                fold = {1: "test", 2: "valid"}[from_end] if held else None
            elif splitter == "users":
                digest = hashlib.sha256(f"pixrec-window@1\n2025\nusers\nu{user}".encode()).digest()
                drawn = int.from_bytes(digest[:8], "little") / 2**64
                held = drawn >= 0.8
                last = place == len(items) - 1 and place > 0
                fold = ("test" if drawn >= 0.9 else "valid") if held and last else None
            else:
                held = moment >= first
                began = [t >= first for t in row[:place]], [t >= second for t in row[:place]]
                fold = None
                if moment >= second and place and not any(began[1]):
                    fold = "test"
                elif first <= moment < second and place and not any(began[0]):
                    fold = "valid"
            if not held:
                train.append((user, item, moment))
            if fold:
                targets[fold].append((user, place))
    frequency, trained = {}, {user for user, _, _ in train}
    for _, item, _ in train:
        frequency[item] = frequency.get(item, 0) + 1

    def record(user, place):
        items, row = sequences[user], times[user]
        shown = slice(max(0, place - max_history), place)
        pad = [0] * (max_history - (place - shown.start))
        return (
            user if user in trained else -1,
            items[place],
            pad + list(items[shown]),
            pad + list(row[shown]),
            sorted(set(items[:place])),
            frequency.get(items[place], 0),
            place,
            user,
            row[place] == row[place - 1],
        )

    return train, {name: sorted(record(*at) for at in held) for name, held in targets.items()}


@st.composite
def worlds(draw):
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=14))
    sequences, times = [], []
    for length in lengths:
        one = st.lists(st.integers(1, 6), min_size=length, max_size=length)
        sequences.append(draw(one))
        clock = st.lists(st.integers(0, 30), min_size=length, max_size=length)
        times.append(sorted(draw(clock)))
    return sequences, times


@pytest.mark.parametrize("protocol", [LOO, TIME, USERS])
@settings(max_examples=300, deadline=None)
@given(world=worlds())
def test_against_the_oracle(make_log, drawing, protocol, world):
    sequences, times = world
    protocol = dataclasses.replace(drawing(protocol, 2), max_history=4)
    log = make_log(sequences, n_items=7, times=times)
    train, folds = oracle(sequences, times, protocol.splitter, 4)
    if not (folds["valid"] and folds["test"]):
        with pytest.raises(SplitError, match=r"has no (validation|test) query under"):
            split(log, protocol)
        return
    got = split(log, protocol)
    columns = (got.train.user, got.train.item, got.train.time)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == train
    assert as_records(got.valid) == folds["valid"]
    assert as_records(got.test) == folds["test"]


def test_leave_one_out_by_hand(make_log, drawing):
    log = make_log([[5, 2, 5, 3], [1, 4], [2, 6, 1]], n_items=6)
    got = split(log, dataclasses.replace(drawing(LOO, 2), max_history=3))
    assert got.train.item.tolist() == [5, 2, 1, 4, 2]
    assert got.train.user.tolist() == [0, 0, 1, 1, 2]
    assert as_records(got.valid) == [
        (0, 5, [0, 5, 2], [0, 0, 1], [2, 5], 1, 2, 0, False),
        (2, 6, [0, 0, 2], [0, 0, 0], [2], 0, 1, 2, False),
    ]
    assert as_records(got.test) == [
        (0, 3, [5, 2, 5], [0, 1, 2], [2, 5], 0, 3, 0, False),
        (2, 1, [0, 2, 6], [0, 0, 1], [2, 6], 1, 2, 2, False),
    ]


def test_held_out_users_train_nothing(shop):
    got = split(shop, USERS)
    last = {user: int(shop.item[shop.user == user][-1]) for user in range(shop.n_users)}
    trained = set(got.train.user.tolist())
    held = len(got.valid) + len(got.test)
    assert len(trained) + held == shop.n_users  # all have two events or more
    assert 0.12 < held / shop.n_users < 0.28
    assert min(len(got.valid), len(got.test)) > 15
    for fold in (got.valid, got.test):
        assert (fold.queries.user == -1).all()
    targets = [*got.valid.target.tolist(), *got.test.target.tolist()]
    assert sorted(targets) == sorted(last[user] for user in set(last) - trained)


def test_who_is_held_out_depends_on_the_id_alone(make_log, shop):
    sequences = [shop.item[shop.user == user].tolist() for user in range(shop.n_users)]
    whole = split(shop, USERS)
    half = split(make_log(sequences[:150], 400, secret=b"t" * 32), USERS)
    assert set(half.train.user.tolist()) == {u for u in whole.train.user.tolist() if u < 150}


def test_users_without_a_history_are_not_asked(make_log):
    with pytest.raises(SplitError, match="held out for it has two events"):
        split(make_log([[1]] * 50), USERS)


def test_time_by_hand(make_log, drawing):
    """Of twenty events the 17th is at 17, the 19th at 18: all at 17 are validation already."""
    log = make_log(
        [
            [1, 2, 3, 4],  # trains, then one event in each period
            list(range(1, 13)),  # trains only
            [7, 8],  # first seen in the validation period: user -1, no validation query
            [9],  # first seen in the test period: nothing to ask with
            [5],
        ],
        n_items=12,
        times=[[0, 1, 17, 18], list(range(2, 14)), [17, 18], [19], [15]],
    )
    got = split(log, dataclasses.replace(drawing(TIME, 0), max_history=3))
    assert got.train.time.max() == 15
    assert as_records(got.valid) == [(0, 3, [0, 1, 2], [0, 0, 1], [1, 2], 1, 2, 0, False)]
    assert as_records(got.test) == [
        (-1, 8, [0, 0, 7], [0, 0, 17], [7], 1, 1, 2, False),
        (0, 4, [1, 2, 3], [0, 1, 17], [1, 2, 3], 1, 3, 0, False),
    ]


@settings(max_examples=60, deadline=None)
@given(world=worlds())
def test_nothing_after_the_cut_is_trained_on_or_shown(make_log, world):
    sequences, times = world
    log = make_log(sequences, n_items=6, times=times)
    moments = np.sort(log.time)
    first, second = (moments[int(cut * len(moments))] for cut in TIME.cuts)
    try:
        got = split(log, TIME)
    except SplitError:
        return
    assert (got.train.time < first).all()
    assert (got.valid.queries.time < first).all()
    assert (got.test.queries.time < second).all()


def test_a_target_at_the_time_of_the_event_before_it_is_tied(make_log):
    times = [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    log = make_log([[1, 2, 3]] * 3, times=times)
    parts = split(log, LOO)
    for fold, tied in ((parts.valid, {1, 2}), (parts.test, {0, 2})):
        assert set(fold.user[fold.tied].tolist()) == tied
        assert sorted(fold.user.tolist()) == [0, 1, 2]
    ordered = make_log([[1, 2, 3]] * 3, times=times, card={"time": "positions"})
    assert not split(ordered, LOO).test.tied.any()


def test_time_refuses_positions(make_log):
    log = make_log([[1, 2, 3]], card={"time": "positions"})
    with pytest.raises(SplitError, match="use loo@2"):
        split(log, TIME)


def test_an_empty_fold_says_why(make_log):
    with pytest.raises(SplitError, match="no user has three events"):
        split(make_log([[1, 2], [3, 4]]), LOO)


@pytest.mark.parametrize("protocol", [LOO, TIME])
def test_a_canary_that_is_only_a_test_target_is_shown_nowhere(make_log, shop, protocol):
    rng = np.random.default_rng(0)
    sequences = [shop.item[shop.user == user].tolist() for user in range(shop.n_users)]
    times = [np.sort(rng.integers(0, 1000, len(items))).tolist() for items in sequences]
    log = make_log(sequences, 401, times)
    plain = split(log, protocol)
    user = int(plain.test.queries.user[5])
    place = int(plain.test.history_length[5])
    sequences[user] = [*sequences[user][:place], 401]
    times[user] = times[user][: place + 1]
    got = split(make_log(sequences, 401, times), protocol)
    assert 401 in got.test.target
    assert 401 not in got.train.item
    for fold in (got.valid, got.test):
        assert 401 not in fold.queries.history
        assert 401 not in fold.seen


def test_worlds_that_differ_in_test_targets_look_the_same(make_log, shop):
    sequences = [shop.item[shop.user == user].tolist() for user in range(shop.n_users)]
    other = [[*items[:-1], items[-1] % 400 + 1] for items in sequences]
    one, two = (split(make_log(world, 400), LOO) for world in (sequences, other))
    assert (one.test.target != two.test.target).all()
    assert np.array_equal(one.train.item, two.train.item)
    for fold in ("valid", "test"):
        first, second = getattr(one, fold), getattr(two, fold)
        for name in ("user", "history", "time"):
            assert np.array_equal(getattr(first.queries, name), getattr(second.queries, name))
        assert np.array_equal(first.seen, second.seen)
    assert np.array_equal(one.valid.target, two.valid.target)


def test_the_order_of_queries_tells_nothing(shop):
    got = split(shop, LOO)
    user = got.test.queries.user
    assert sorted(user.tolist()) == list(range(300))
    assert abs(np.corrcoef(user, np.arange(300))[0, 1]) < 0.2
    assert not np.array_equal(user, got.valid.queries.user)
    again = split(shop, LOO)
    assert np.array_equal(user, again.test.queries.user)
    for other in (
        split(dataclasses.replace(shop, secret=b"t" * 32), LOO),
        split(shop, dataclasses.replace(LOO, name="loo@3")),
    ):
        assert abs(np.corrcoef(user, other.test.queries.user)[0, 1]) < 0.2


def test_dtypes_and_read_only(shop):
    fold = split(shop, LOO).test
    assert fold.queries.history.shape == fold.queries.time.shape == (300, 50)
    for array, kind in [
        (fold.queries.user, np.int32),
        (fold.queries.history, np.int32),
        (fold.queries.time, np.int64),
        (fold.target, np.int32),
        (fold.seen_offsets, np.int64),
        (fold.seen, np.int32),
        (fold.candidates["neg100"], np.int32),
        (fold.frequency, np.int32),
        (fold.history_length, np.int32),
        (fold.user, np.int32),
        (fold.tied, np.bool_),
    ]:
        assert array.dtype == kind
        assert not array.flags.writeable
