"""What a plugin is shown is drawn from a secret of the log, which its targets are part of."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset
from mmbench.protocol import candidates_hash, get_protocol, split

LOO = get_protocol("loo@2")
USERS, ITEMS = 300, 400


def source(change=None):
    """A source whose ids count; ``change`` gives one user another last item."""
    rng = np.random.default_rng(0)
    sequences = [rng.permutation(ITEMS)[:6] for _ in range(USERS)]
    sequences[0] = np.arange(ITEMS)  # so that no change adds or removes an item
    if change is not None:
        sequences[change][-1] = (sequences[change][-1] + 1) % ITEMS
    rows = [(u, str(item), t) for u, items in enumerate(sequences) for t, item in enumerate(items)]
    events = pd.DataFrame(rows, columns=["user", "item", "time"])
    events["user"] = events["user"].map("{:03d}".format)
    return RawDataset(events, pd.DataFrame({"item": [str(item) for item in range(ITEMS)]}))


@pytest.fixture(scope="module")
def logs():
    """Two logs that differ in one target."""
    return [prepare(source(change), DatasetInfo("made-up")) for change in (None, 7)]


def numbers(ids):
    """The number of each raw id, in the order of sorted raw ids."""
    return np.argsort(np.argsort(np.array(ids)))


def related(one, other):
    return abs(np.corrcoef(one, other)[0, 1]) > 0.2


def test_one_other_target_makes_another_secret_and_unrelated_numbers(logs):
    one, other = logs
    assert one.secret != other.secret
    assert (one.item_ids != other.item_ids) and sorted(one.item_ids) == sorted(other.item_ids)
    assert not related(numbers(one.item_ids[1:]), numbers(other.item_ids[1:]))
    assert not related(numbers(one.user_ids), numbers(other.user_ids))
    for log in logs:
        assert not related(numbers(log.item_ids[1:]), np.arange(ITEMS))
        assert not related(numbers(log.user_ids), np.arange(USERS))


def by_raw_id(log, fold):
    """Users in the order asked, and each user's candidates, in raw ids."""
    users = [log.user_ids[user] for user in fold.user]
    shown = [{log.item_ids[item] for item in row} for row in fold.candidates["neg100"]]
    return users, dict(zip(users, shown, strict=True))


def test_one_other_target_makes_another_order_of_queries_and_other_negatives(logs):
    folds = [split(log, LOO).test for log in logs]
    (users, shown), (other_users, other_shown) = map(by_raw_id, logs, folds)
    assert sorted(users) == sorted(other_users)
    place = {user: k for k, user in enumerate(other_users)}
    assert not related([place[user] for user in users], np.arange(USERS))
    usual = [user for user in users if user != "000"]
    assert np.mean([len(shown[user] & other_shown[user]) for user in usual]) < 35  # 26 by chance
    hashes = [candidates_hash(fold, log.secret) for fold, log in zip(folds, logs, strict=True)]
    assert hashes[0] != hashes[1]


def test_the_same_events_are_asked_the_same_whatever_the_order_of_rows(logs):
    raw = source()
    shuffled = raw.events.sample(frac=1, random_state=1)
    again = prepare(dataclasses.replace(raw, events=shuffled), DatasetInfo("made-up"))
    ours, theirs = split(logs[0], LOO), split(again, LOO)
    for fold in ("valid", "test"):
        one, other = getattr(ours, fold), getattr(theirs, fold)
        assert np.array_equal(one.queries.history, other.queries.history)
        assert np.array_equal(one.user, other.user)
        assert np.array_equal(one.candidates["neg100"], other.candidates["neg100"])


def test_no_chance_of_numpy_s_is_asked(logs, monkeypatch):
    """Its streams may change with its version."""
    raw, test = source(), split(logs[0], LOO).test

    def refuse(*args, **settings):
        raise AssertionError("numpy was asked for chance")

    for name in ("default_rng", "Generator", "RandomState", "Philox", "PCG64", "SeedSequence"):
        monkeypatch.setattr(np.random, name, refuse)
    log = prepare(raw, DatasetInfo("made-up"))
    assert log.item_ids == logs[0].item_ids
    parts = split(log, LOO)
    assert np.array_equal(parts.test.target, test.target)
