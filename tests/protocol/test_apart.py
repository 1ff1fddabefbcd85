"""Datasets that hold the same events never meet, whatever they and their ids are called."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log
from mmbench.problems import UserError
from mmbench.protocol.apart import (
    _baskets,
    _best_match,
    _items_each,
    lineage,
    refuse_kin,
    shared_events,
    shared_histories,
    shared_links,
)
from mmbench.views import Items


def make_shop(name, seed, users=80, items=150, titles="thing"):
    """A log of its own: users of 3 to 12 items, some far more popular than others."""
    rng = np.random.default_rng(seed)
    taste = 1 / np.arange(1, items + 1) ** 0.7
    lengths = rng.integers(3, 13, users).clip(max=items)
    baskets = [rng.choice(items, n, replace=False, p=taste / taste.sum()) + 1 for n in lengths]
    return Log(
        id=name,
        fingerprints=Fingerprints(f"{seed:016x}"),
        secret=bytes(32),
        user=np.repeat(np.arange(users, dtype=np.int32), lengths),
        item=np.concatenate(baskets).astype(np.int32),
        time=np.concatenate([np.arange(n, dtype=np.int64) for n in lengths]),
        n_users=users,
        n_items=items,
        items=Items(items, {"title": ("", *(f"{titles} {i}" for i in range(1, items + 1)))}),
        user_ids=tuple(f"{name} user {user}" for user in range(users)),
        item_ids=("", *(f"{name} item {item}" for item in range(1, items + 1))),
    )


def renamed(log, seed=0):
    """The same events under another name: other ids, other numbers, another order of users."""
    rng = np.random.default_rng(seed)
    users, items = rng.permutation(log.n_users), np.r_[0, 1 + rng.permutation(log.n_items)]
    order = np.argsort(users[log.user], kind="stable")
    back = np.argsort(items)
    fields = {
        name: tuple(column[item] for item in back) for name, column in log.items.fields.items()
    }
    return replace(
        log,
        id="copy",
        fingerprints=Fingerprints("c" * 16),
        user=users[log.user][order].astype(np.int32),
        item=items[log.item][order].astype(np.int32),
        time=log.time[order] + 9,
        items=Items(log.n_items, fields),
        user_ids=tuple(f"q{user}" for user in range(log.n_users)),
        item_ids=("", *(f"w{item}" for item in range(log.n_items))),
    )


def thinned(log, share, seed=1):
    """As after a stricter recipe: some events are gone."""
    kept = np.random.default_rng(seed).random(len(log.user)) < share
    return replace(log, user=log.user[kept], item=log.item[kept], time=log.time[kept])


def without_titles(log):
    return replace(log, items=Items(log.n_items, {}))


def refused(left, right):
    """What it is refused with, both ways round; empty where it is not."""
    said = []
    for one, two in ((left, right), (right, left)):
        try:
            refuse_kin(one, two, "--data x+y", "do otherwise")
            said.append("")
        except UserError as error:
            said.append(str(error))
    assert bool(said[0]) == bool(said[1])
    assert all(text.startswith("--data x+y: ") for text in filter(None, said))
    assert all(text.endswith("; do otherwise") for text in filter(None, said))
    return said[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_copy_with_other_ids_is_refused_by_its_titles(seed, other):
    log = make_shop("a", seed)
    assert "by the items' titles" in refused(log, renamed(log, other))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from((0.9, 0.8)))
def test_a_copy_that_lacks_some_events_is_refused_too(seed, share):
    log = make_shop("a", seed)
    assert "by the items' titles" in refused(log, thinned(renamed(log), share))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_copy_without_titles_is_refused_by_how_its_events_are_linked(seed, other):
    log = make_shop("a", seed)
    assert "linked by their items" in refused(log, without_titles(renamed(log, other)))
    assert "linked by their items" in refused(without_titles(log), renamed(log, other))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_other_users_of_the_same_catalogue_are_no_copy(seed, other, bare):
    one, two = make_shop("a", 2 * seed), make_shop("b", 2 * other + 1)
    if bare:
        one, two = without_titles(one), without_titles(two)
    assert refused(one, two) == ""


def test_a_small_world_where_all_are_alike_is_no_copy():
    """Every user walks along a ring: windows overlap by far more than half, in each world."""
    rng = np.random.default_rng(0)
    worlds = []
    for name, users, items in (("a", 60, 30), ("b", 30, 25)):
        log = make_shop(name, 0, users, items)
        lengths = rng.integers(4, 10, users)
        walks = [(rng.integers(items) + np.arange(n)) % items + 1 for n in lengths]
        worlds.append(
            replace(
                log,
                fingerprints=Fingerprints(name * 16),
                user=np.repeat(np.arange(users, dtype=np.int32), lengths),
                item=np.concatenate(walks).astype(np.int32),
                time=np.zeros(sum(lengths), dtype=np.int64),
            )
        )
    assert refused(*worlds) == ""
    assert refused(worlds[0], renamed(worlds[0]))


def test_their_own_word_comes_first():
    one, two = make_shop("beauty", 0), make_shop("days", 1, titles="else")
    assert refused(one, two) == ""
    kin = [replace(log, card={"lineage": "amazon-beauty"}) for log in (one, two)]
    assert "beauty and days both come from amazon-beauty" in refused(*kin)
    assert lineage(one) == "beauty"
    assert lineage(replace(one, id="beauty[ties=source]")) == "beauty"
    assert "both come from beauty" in refused(one, replace(two, id="beauty[core=5]"))


def test_the_same_data_is_the_same_under_any_name():
    one = make_shop("a", 0)
    assert "a and b are the same data" in refused(one, replace(one, id="b"))


def test_equal_ids_and_texts_are_equal_events():
    one = make_shop("a", 0)
    part = replace(thinned(one, 0.3), id="b", fingerprints=Fingerprints("f" * 16))
    assert shared_events(one, part) == shared_events(part, one) == 1
    assert "100% of the events" in refused(one, part)


def test_the_best_match_is_that_of_counting():
    one = make_shop("a", 0, users=4, items=8)
    walks = {"a": ([1, 2, 3], [4, 5, 6], [1, 5, 7, 7], [2, 8]), "b": ([3, 2, 1], [4, 5], [5], [6])}
    logs = []
    for name, baskets in walks.items():
        lengths = [len(basket) for basket in baskets]
        user = np.repeat(np.arange(4, dtype=np.int32), lengths)
        item, time = np.concatenate(baskets).astype(np.int32), np.zeros(sum(lengths), np.int64)
        logs.append(replace(one, id=name, user=user, item=item, time=time))
    number = {f"thing {item}": item - 1 for item in range(1, 8)}  # of eight things one is unknown
    ours, theirs = (_baskets(log, log.items.fields["title"], number) for log in logs)
    items = _items_each(logs[0])
    assert items.tolist() == [3, 3, 3, 2]
    best = _best_match(ours, theirs, items, alone=False)
    assert best == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])
    # alone: {1, 2, 3}, {4, 5, 6}, {1, 5, 7} and {2}, half of whose items count
    assert _best_match(ours, ours, items, alone=True) == pytest.approx([1 / 3, 1 / 5, 1 / 5, 1 / 3])
    assert _best_match(ours, theirs, items + 4, alone=False).tolist() == [0, 0, 0, 0]


def test_links_of_a_graph_with_equal_users():
    """Where users are told alike within a log, their being in the other too says little."""
    log = without_titles(make_shop("a", 0, users=40, items=2))
    item = np.tile([1, 2], 40).astype(np.int32)
    user = np.repeat(np.arange(40, dtype=np.int32), 2)
    log = replace(log, user=user, item=item, time=np.zeros(80, dtype=np.int64))
    assert shared_links(log, replace(log, id="b")) == 0


@pytest.mark.parametrize("titles", ["thing", "other"])
def test_catalogues_that_are_apart_have_no_history_in_common(titles):
    one, two = make_shop("a", 0), make_shop("b", 1, titles=titles)
    nearly, equal = shared_histories(one, two)
    assert (nearly <= 0.05 and equal <= 0.05) if titles == "thing" else (nearly, equal) == (0, 0)
