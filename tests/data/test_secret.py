"""The secret of a log: one for the same events, another for others, and shown nowhere."""

import json
from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmbench.data import load
from mmbench.data.fingerprint import ranks, spell
from mmbench.data.log import sample_users
from mmbench.data.secret import keyed, make_secret, secret_order

ids = st.text(max_size=4)  # any character, surrogates but
read = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
rows = st.lists(st.tuples(ids, ids, st.integers(-(2**40), 2**40)), min_size=1, max_size=12)


def secret_of(events):
    users, items = (sorted({event[k] for event in events}) for k in (0, 1))
    columns = [[users.index(u) for u, _, _ in events], [items.index(i) for _, i, _ in events]]
    times = np.array([time for _, _, time in events], dtype=np.int64)
    return make_secret(users, items, *map(np.array, columns), times)


@settings(max_examples=200, deadline=None)
@given(rows, rows)
def test_events_that_differ_have_other_secrets_whatever_characters_ids_hold(one, other):
    assert (secret_of(one) == secret_of(other)) == (sorted(one) == sorted(other))


@settings(max_examples=60, deadline=None)
@given(rows, st.randoms())
def test_neither_order_nor_numbers_of_the_events_matter(one, random):
    users, items = (random.sample(found, len(found)) for found in map(list, ids_of(one)))
    shuffled = random.sample(one, len(one))
    columns = zip(*((users.index(u), items.index(i), t) for u, i, t in shuffled), strict=True)
    columns = [np.array(column, dtype=np.int64) for column in columns]
    assert make_secret(users, items, *columns) == secret_of(one)


def ids_of(events):
    return {user for user, _, _ in events}, {item for _, item, _ in events}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=3), max_size=5), st.lists(st.text(max_size=3), max_size=5))
def test_two_lists_of_texts_are_spelt_alike_only_where_they_are_one(one, other):
    assert (spell(one) == spell(other)) == (one == other)


def test_a_lone_surrogate_can_be_spelt_too():
    assert secret_of([("\ud800", "x", 1)]) != secret_of([("\ud801", "x", 1)])


@given(st.lists(st.text(), unique=True))
def test_ranks_are_places_among_the_sorted(names):
    order = ranks(names)
    assert [names[k] for k in np.argsort(order)] == sorted(names)


def test_each_kind_and_each_secret_has_an_order_of_its_own():
    names = [f"{n:03d}" for n in range(200)]
    orders = {
        tuple(secret_order(secret, kind, names))
        for secret in (bytes(32), bytes(31) + b"\1")
        for kind in ("users", "items")
    }
    assert len(orders) == 4
    assert all(sorted(order) == list(range(200)) for order in orders)


def test_the_order_is_pinned():
    """Results made with other numbers do not compare, so a change must be meant."""
    assert secret_order(bytes(32), "items", list("abcdefgh")).tolist() == [0, 6, 5, 3, 4, 7, 2, 1]
    assert keyed(bytes(32), "items")(b"a").hex() == "0aa36c956c6c52deca880723cdf4db68"
    assert secret_of([("u", "a", 1), ("u", "b", 2)]).hex() == (
        "144f6fe3c6d2affd69e35e9df58dda9e2f3f1d007ef6717abe6acc2f7c6e8c1b"
    )


def test_one_other_target_numbers_everything_anew(prepare_rows):
    walk = [(f"u{n // 10:02d}", f"i{(3 * n + n // 10) % 50:02d}", n) for n in range(400)]
    other = [*walk[:-1], ("u39", "i01" if walk[-1][1] != "i01" else "i02", 399)]
    one, two = prepare_rows(walk), prepare_rows(other)
    assert one.secret != two.secret
    places = np.array([[log.item_ids.index(i) for i in one.item_ids[1:]] for log in (one, two)])
    assert abs(np.corrcoef(places)[0, 1]) < 0.5  # about 3.5 standard errors for 50 items
    assert one.user_ids != two.user_ids


@settings(max_examples=40, deadline=None)
@given(one=st.lists(st.tuples(read, read, st.integers(0, 9)), min_size=1, max_size=20))
def test_the_secret_is_of_what_filtering_leaves(prepare_rows, one):
    kept = [(user, item, time) for user, item, time in one if len(user) < 4]
    assume(kept)
    assert prepare_rows(kept).secret == secret_of(kept)
    rated = [(*event, 5.0 if event in kept else 1.0) for event in one]
    assert prepare_rows(rated, min_rating=2).secret == secret_of(kept)


def test_nothing_shows_the_secret(shop):
    log = load(str(shop))
    assert len(log.secret) == 32
    shown = [repr(log), str(log), json.dumps(log.card), repr(replace(log, id="other"))]
    shown.append(repr(sample_users(log, 3)))
    for form in (log.secret.hex(), repr(log.secret), repr(log.secret)[2:-1]):
        assert not any(form in text for text in shown)
    assert log.secret.hex()[:16] not in (log.fingerprints.events, log.fingerprints.text)


def test_a_sample_keeps_the_secret_and_the_numbers(shop):
    log = load(str(shop))
    some = sample_users(log, 5)
    assert (some.secret, some.fingerprints) == (log.secret, log.fingerprints)
    assert some.user_ids == log.user_ids[:5]
    assert np.array_equal(some.item, log.item[: len(some.item)])
