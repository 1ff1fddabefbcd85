"""Filtering, ordering and numbering, against a slow oracle and by invariance."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mmbench.data.log import DataError, sample_users
from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe


def raw(rows, items=None, **more):
    """A source of (user, item, time[, rating]) rows."""
    columns = ["user", "item", "time", "rating"][: len(rows[0])]
    frame = pd.DataFrame(rows, columns=columns)
    frame["time"] = frame["time"].astype(np.int64)
    table = pd.DataFrame(items or {"item": []}, dtype=object)
    return RawDataset(frame, table, **more)


def info(**recipe):
    return DatasetInfo("toy", recipe=Recipe(**{"min_length": 0, **recipe}))


def slow_core(rows, k):
    """k-core by plain counting, one user or item at a time."""
    while True:
        users, items = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
        poor = [r for r in rows if users[r[0]] < k or items[r[1]] < k]
        if not poor:
            return rows
        user, item, *_ = poor[0]
        bad_user = users[user] < k
        rows = [r for r in rows if (r[0] != user if bad_user else r[1] != item)]


def events(log):
    """What a log holds, in raw ids, users sorted by theirs."""
    found = [
        (log.user_ids[u], log.item_ids[i], int(t))
        for u, i, t in zip(log.user, log.item, log.time, strict=True)
    ]
    return sorted(found, key=lambda event: event[0])


many_rows = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("12345678"), st.integers(-5, 20)),
    min_size=1,
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(rows=many_rows, k=st.integers(2, 4))
def test_k_core_is_that_of_a_slow_oracle(rows, k):
    wanted = slow_core(rows, k)
    if not wanted:
        with pytest.raises(DataError, match="leaves no event"):
            prepare(raw(rows), info(core=k))
        return
    log = prepare(raw(rows), info(core=k))
    assert Counter(events(log)) == Counter(wanted)
    assert min(Counter(log.user.tolist()).values()) >= k
    assert min(Counter(log.item.tolist()).values()) >= k


@settings(max_examples=40, deadline=None)
@given(rows=many_rows)
def test_a_log_is_ordered_numbered_and_typed(rows):
    log = prepare(raw(rows), info())
    assert (log.user.dtype, log.item.dtype, log.time.dtype) == (np.int32, np.int32, np.int64)
    assert sorted(set(log.user.tolist())) == list(range(log.n_users))
    assert sorted(set(log.item.tolist())) == list(range(1, log.n_items + 1))
    assert Counter(events(log)) == Counter(rows)
    users, times = log.user.astype(int), log.time.astype(int)
    assert np.array_equal(np.lexsort((times, users)), np.arange(len(rows)))
    assert log.item_ids[0] == ""
    assert len(log.item_ids) == log.n_items + 1
    with pytest.raises(ValueError, match="read-only"):
        log.item[0] = 1


@settings(max_examples=30, deadline=None)
@given(rows=many_rows, seed=st.integers(0, 9))
def test_counts_do_not_depend_on_raw_ids(rows, seed):
    words = np.random.default_rng(seed).permutation(100)
    users = {u: f"x{words[k]}" for k, u in enumerate("abcdefgh")}
    items = {i: f"y{words[-k]}" for k, i in enumerate("12345678")}
    renamed = [(users[u], items[i], t) for u, i, t in rows]
    try:
        one = prepare(raw(rows), info(core=2))
    except DataError:
        with pytest.raises(DataError):
            prepare(raw(renamed), info(core=2))
        return
    other = prepare(raw(renamed), info(core=2))
    assert one.card["steps"] == other.card["steps"]
    assert one.card["length"] == other.card["length"]


@settings(max_examples=30, deadline=None)
@given(rows=many_rows, seed=st.integers(0, 99))
def test_rows_with_distinct_times_may_come_in_any_order(rows, seed):
    distinct = [(u, i, t) for t, (u, i, _) in enumerate(rows)]
    shuffled = [distinct[k] for k in np.random.default_rng(seed).permutation(len(rows))]
    one, other = prepare(raw(distinct), info()), prepare(raw(shuffled), info())
    assert one.fingerprints == other.fingerprints
    assert events(one) == events(other)


def test_numbers_tell_nothing_of_the_order_of_appearance():
    rows = [(f"u{n // 10:03d}", f"{n // 2:05d}", n) for n in range(4000)]
    log = prepare(raw(rows), info())
    _, first = np.unique(log.item, return_index=True)
    in_order = np.argsort(first) + 1  # the items' numbers as users come upon them
    # About 2.7 standard errors for 2,000 items.
    assert abs(spearmanr(np.arange(2000), in_order).statistic) < 0.06
    assert abs(spearmanr(in_order[:-1], in_order[1:]).statistic) < 0.06


REPEATS = [("a", "x", 1, 5.0), ("a", "y", 2, 1.0), ("a", "x", 3, 2.0), ("b", "x", 4, 4.0)]


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        ({}, [("a", "x", 1), ("a", "y", 2), ("a", "x", 3), ("b", "x", 4)]),
        ({"duplicates": "first"}, [("a", "x", 1), ("a", "y", 2), ("b", "x", 4)]),
        ({"duplicates": "last"}, [("a", "y", 2), ("a", "x", 3), ("b", "x", 4)]),
        ({"min_rating": 4}, [("a", "x", 1), ("b", "x", 4)]),
        ({"min_rating": 2, "duplicates": "last"}, [("a", "x", 3), ("b", "x", 4)]),
        ({"min_length": 2}, [("a", "x", 1), ("a", "y", 2), ("a", "x", 3)]),
        ({"require": ("text",)}, [("a", "x", 1), ("a", "x", 3), ("b", "x", 4)]),
    ],
)
def test_each_step_of_a_recipe(recipe, wanted):
    log = prepare(raw(REPEATS, {"item": ["x", "y"], "title": ["ex", " "]}), info(**recipe))
    assert events(log) == wanted
    assert log.card["steps"][0] == {"step": "source", "users": 2, "items": 2, "events": 4}
    assert log.card["steps"][-1]["events"] == len(wanted)


def test_every_step_is_part_of_the_fingerprint():
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 3)]
    table = {"item": ["x", "y", "z"], "title": ["ex", "why", "zed"]}
    base = prepare(raw(rows, table), info())
    prints = {
        base.fingerprints,
        prepare(raw(rows, table), info(duplicates="first")).fingerprints,
        prepare(raw(rows, table | {"title": ["ex", "why", "zet"]}), info()).fingerprints,
        prepare(raw(rows[:2], table), info()).fingerprints,
        prepare(raw([*rows[:2], ("a", "z", 4)], table), info()).fingerprints,
    }
    assert len(prints) == 5
    assert len({one.events for one in prints}) == 4
    assert all(
        re.fullmatch("[0-9a-f]{16}", part) for one in prints for part in (one.events, one.text)
    )
    assert prepare(raw(rows, table), info()).fingerprints == base.fingerprints


def test_few_unknown_items_are_kept_and_counted_many_are_an_error():
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 3)]
    log = prepare(raw(rows, {"item": ["x", "y"], "title": ["ex", "why"]}), info())
    assert log.card["unknown_items"] == 1
    assert log.items.fields["title"][log.item_ids.index("z")] == ""
    with pytest.raises(DataError, match=r"2 of the 3 items .* 'y', 'z'.*`id`"):
        prepare(raw(rows, {"item": ["x"], "title": ["ex"]}), info())


def test_a_source_that_breaks_its_contract_is_refused():
    rows = [("a", "x", 1)]
    with pytest.raises(DataError, match="min_rating = 3 needs ratings"):
        prepare(raw(rows), info(min_rating=3))
    with pytest.raises(DataError, match="more than one row"):
        prepare(raw(rows, {"item": ["x", "x"]}), info())
    with pytest.raises(DataError, match="must be strings, and 7"):
        prepare(raw([("a", 7, 1)]), info())
    with pytest.raises(DataError, match="no text column 'brand'; there are title"):
        prepare(raw(rows, {"item": ["x"], "title": ["ex"]}), replace(info(), text=("brand",)))
    with pytest.raises(DataError, match="no column 'time'"):
        prepare(RawDataset(pd.DataFrame({"user": ["a"], "item": ["x"]}), pd.DataFrame()), info())


def test_a_sample_keeps_whole_users_and_the_catalogue():
    rows = [(f"u{n % 20:02d}", f"i{n % 7}", n) for n in range(140)]
    log = prepare(raw(rows), info())
    some = sample_users(log, 5)
    assert (some.n_users, some.n_items, len(some.user_ids)) == (5, log.n_items, 5)
    assert some.items is log.items
    assert some.user.dtype == np.int32
    assert sorted(set(some.user.tolist())) == list(range(5))
    assert set(events(some)) == {e for e in events(log) if e[0] in some.user_ids}
    assert some.card["events"] == len(some.item) == 35
    assert some.user_ids == log.user_ids[:5] != ("u00", "u01", "u02", "u03", "u04")
    assert set(sample_users(log, 9).user_ids) > set(some.user_ids)
    assert sample_users(log, 20) is log
    with pytest.raises(ValueError, match="at least one"):
        sample_users(log, 0)


def test_an_id_with_a_nul_is_refused(prepare_rows):
    """Older versions of pandas end a text there, and would make one id of two."""
    rows = [("u", "a", 1), ("u", "a\0", 2), ("u", "b", 3)]
    with pytest.raises(DataError, match="item ids hold the character NUL"):
        prepare_rows(rows)
