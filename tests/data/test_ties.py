"""Events at the same time: their order is drawn by the log, and rows of a file tell nothing."""

import itertools
import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmbench.data import load
from mmbench.data.log import DataError
from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe

rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyzw"), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)
POLICIES = st.sampled_from(("keep", "first", "last"))


def told(log):
    """(raw user, raw item, time) in the log's order."""
    columns = zip(log.user, log.item, log.time, strict=True)
    return [(log.user_ids[u], log.item_ids[i], int(t)) for u, i, t in columns]


def by_user(log):
    return sorted(told(log), key=lambda event: event[0])


def same(one, other):
    assert (one.fingerprints, one.secret) == (other.fingerprints, other.secret)
    assert told(one) == told(other)
    assert (one.card, one.item_ids, one.user_ids) == (other.card, other.item_ids, other.user_ids)


def knows_times(events):
    """Whether a source is told by its times: not all users go in steps of one."""
    ordered = sorted(events, key=lambda event: (event[0], event[2]))
    steps = [b[2] - a[2] for a, b in itertools.pairwise(ordered) if a[0] == b[0]]
    return any(step != 1 for step in steps)


@settings(max_examples=150, deadline=None)
@given(events=rows, shuffler=st.randoms(use_true_random=False), policy=POLICIES)
def test_the_order_of_rows_does_not_matter(prepare_rows, events, shuffler, policy):
    shuffled = shuffler.sample(events, len(events))
    recipe = {"duplicates": policy, "min_length": 2}
    try:
        one = prepare_rows(events, **recipe)
    except DataError:
        with pytest.raises(DataError):
            prepare_rows(shuffled, **recipe)
        return
    same(one, prepare_rows(shuffled, **recipe))


@settings(max_examples=100, deadline=None)
@given(events=rows, policy=POLICIES)
def test_time_orders_first_and_nothing_is_lost(prepare_rows, events, policy):
    log = prepare_rows(events, duplicates=policy)
    times = {}
    for user, _, time in told(log):
        times.setdefault(user, []).append(time)
    assert all(own == sorted(own) for own in times.values())
    wanted = Counter(events)
    if policy != "keep":
        chosen = {}
        for user, item, time in sorted(events, key=lambda e: e[2], reverse=policy == "first"):
            chosen[user, item] = time  # the last that is told: earliest, or latest
        wanted = Counter((user, item, time) for (user, item), time in chosen.items())
    assert Counter(told(log)) == wanted


@settings(max_examples=100, deadline=None)
@given(events=rows)
def test_the_sources_order_is_kept_where_it_is_asked_for(prepare_rows, events):
    assume(knows_times(events))
    log = prepare_rows(events, ties="source")
    # Python's sort is stable, so this is (user, time, row).
    assert by_user(log) == sorted(events, key=lambda event: (event[0], event[2]))


@settings(max_examples=60, deadline=None)
@given(lists=st.lists(st.lists(st.sampled_from("xyzw"), min_size=1, max_size=6), min_size=1))
def test_an_order_alone_is_kept(prepare_rows, lists):
    events = [(f"u{u:03d}", item, t) for u, own in enumerate(lists) for t, item in enumerate(own)]
    log = prepare_rows(events)
    assert by_user(log) == events
    assert (log.card["time"], log.card["ties"], log.card["tied_targets"]) == (
        *("positions", None, None),
    )


def test_an_order_alone_cannot_be_asked_for_the_sources_ties(prepare_rows):
    with pytest.raises(DataError, match="no times but only an order, which is kept; leave out"):
        prepare_rows([("a", "x", 0), ("a", "y", 1)], ties="source")


def days(users=400, a_day=2):
    """Users with two days of events each; the items of a day ascend in the source, as by ASIN."""
    rng = np.random.default_rng(5)
    return [
        (f"u{user:03d}", f"i{item:02d}", 86_400 * day)
        for user in range(users)
        for day in range(0, 4, 2)
        for item in sorted(rng.choice(40, a_day, replace=False))
    ]


def ascends(log):
    """The share of users whose last item has a higher raw id than the one before."""
    last = np.flatnonzero(np.diff(log.user, append=-1))
    pairs = [(log.item_ids[log.item[row - 1]], log.item_ids[log.item[row]]) for row in last]
    return np.mean([before < after for before, after in pairs])


def test_a_tied_target_cannot_be_told_from_the_event_before(prepare_rows):
    source, hashed = prepare_rows(days(), ties="source"), prepare_rows(days())
    assert ascends(source) == 1
    assert abs(ascends(hashed) - 0.5) < 0.075  # three standard errors for 400 users
    assert source.fingerprints.events != hashed.fingerprints.events
    assert source.secret == hashed.secret  # of the same events
    assert source.card["ties"] == "source" and hashed.card["ties"] == "hash"


def test_another_target_draws_all_ties_anew(prepare_rows):
    walk = days()
    other = [*walk[:-1], (walk[-1][0], "i99", walk[-1][2])]
    one, two = prepare_rows(walk), prepare_rows(other)
    places = [{event: k for k, event in enumerate(by_user(log))} for log in (one, two)]
    pairs = zip(walk[:-2:2], walk[1:-2:2], strict=True)
    orders = [[place[a] < place[b] for place in places] for a, b in pairs]
    assert abs(np.mean([one == two for one, two in orders]) - 0.5) < 0.06  # for 798 pairs


def test_what_comes_together_again_and_again_is_ordered_anew_each_time(prepare_rows):
    """A bigram of a user's daily basket would be an artefact of the order, too."""
    log = prepare_rows([("u", item, 86_400 * day) for day in range(0, 800, 2) for item in "xy"])
    firsts = [event[1] for event in told(log)[::2]]
    assert abs(firsts.count("x") - 200) < 30  # three standard errors for 400 days


def test_repeats_at_one_time_are_all_there_and_need_not_be_neighbours(prepare_rows):
    events = [(f"u{n}", item, 7) for n in range(30) for item in ("x", "x", "y", "z")]
    log = prepare_rows(events)
    assert Counter(told(log)) == Counter(events)
    walks = {"".join(e[1] for e in by_user(log)[k : k + 4]) for k in range(0, 120, 4)}
    assert {walk.index("y") for walk in walks} == {0, 1, 2, 3}
    assert any("xyx" in walk or "xzx" in walk or "xyzx" in walk for walk in walks)


def test_moments_finer_than_a_second_stay_in_their_order():
    walk = [("u", item, 5, 1000 - n) for n, item in enumerate("abcdefgh")]
    walk += [("u", "tie", 6, 7), ("u", "tied", 6, 7)]
    frame = pd.DataFrame(walk, columns=["user", "item", "time", "nanosecond"])
    info = DatasetInfo("toy", recipe=Recipe(min_length=0))
    for seed in range(5):
        shuffled = frame.sample(frac=1, random_state=seed)
        log = prepare(RawDataset(shuffled, pd.DataFrame({"item": []})), info)
        assert [item for _, item, _ in told(log)][:8] == list("hgfedcba")


def test_the_tied_targets_are_counted_by_hand(prepare_rows):
    events = [("a", "x", 1), ("a", "y", 1), ("a", "z", 9)]  # tied, but not at the end
    events += [("b", "x", 2), ("b", "y", 5), ("b", "z", 5), ("c", "x", 3), ("d", "y", 4)]
    card = prepare_rows(events).card
    assert card["tied_targets"] == 0.25  # b, of four users
    assert card["time_ties"] == 0.5  # two of four neighbouring events


def test_a_shuffled_file_is_the_same_dataset(shop):
    """The shop's rows, with ties among them, in another order, on the disk."""
    path = shop / "ratings.csv"
    head, *lines = path.read_text().splitlines()
    tied = [line.rpartition(",")[0] + f",{1_400_000_000 + 86_400 * (n % 3)}"
            for n, line in enumerate(lines)]  # fmt: skip
    path.write_text("\n".join([head, *tied]) + "\n")
    first = load(str(shop))
    assert first.card["tied_targets"] > 0.2
    for seed in range(3):
        shuffled = random.Random(seed).sample(tied, len(tied))
        path.write_text("\n".join([head, *shuffled]) + "\n")
        same(load(str(shop)), first)
    own = load(f"{shop}[ties=source]")
    assert own.fingerprints.events != first.fingerprints.events
