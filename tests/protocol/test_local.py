"""Protocols that a user brings: each split, the files of candidates, and the digest in the name."""

import dataclasses
import re

import numpy as np
import pytest

from mmbench.data.log import DataError
from mmbench.problems import UserError
from mmbench.protocol import (
    PROTOCOLS,
    SplitError,
    evaluate,
    explain_protocol,
    get_protocol,
    split,
)
from mmbench.protocol.candidate_sets import find_set, negatives, set_order
from mmbench.protocol.local_splits import Given, split_by_ratios

DAY = 86_400


@pytest.fixture
def shop(make):
    """30 users with 4 to 8 events, a day apart, from the first of January 2014 on."""
    log = make()
    time = 1_388_534_400 + DAY * (log.time + log.user)
    return dataclasses.replace(log, time=time.astype(np.int64))


@pytest.fixture
def write(tmp_path):
    """``write(text, name=content)``: the path of a protocol's file, with other files beside it."""

    def make(text, **files):
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_text(content)
        path = tmp_path / "mine.toml"
        path.write_text('name = "mine"\n' + text)
        return str(path)

    return make


def marked(log, last=1, skip=()):
    """The events of a log as a table: the last ones of each user test, those before validate."""
    lines = ["user_id,item_id,split"]
    ends = np.append(np.flatnonzero(np.diff(log.user)), len(log.user) - 1)
    for row, (user, item) in enumerate(zip(log.user, log.item, strict=True)):
        left = ends[user] - row
        fold = "test" if left < last else "valid" if left < 2 * last else "train"
        if row not in skip:
            lines.append(f"{log.user_ids[user]},{log.item_ids[item]},{fold}")
    return "\n".join(lines) + "\n"


def same(a, b):
    """Whether two folds ask the same of the same users."""
    order_a, order_b = np.argsort(a.user), np.argsort(b.user)
    return all(
        np.array_equal(getattr(a, name)[order_a], getattr(b, name)[order_b])
        for name in ("user", "target", "frequency", "history_length")
    )


def test_marks_of_leave_one_out_split_as_leave_one_out(shop, write):
    protocol = get_protocol(write('split = "column"\nfile = "e.csv"\n', e__csv=marked(shop)))
    assert re.fullmatch(r"local:mine@[0-9a-f]{16}", protocol.name)
    found, wanted = split(shop, protocol), split(shop, get_protocol("loo@2"))
    assert same(found.test, wanted.test) and same(found.valid, wanted.valid)
    assert np.array_equal(found.train.item, wanted.train.item)


def test_one_file_for_each_fold_as_splits_are_published(shop, write):
    rows = [line.split(",") for line in marked(shop).splitlines()[1:]]
    tables = {
        f"{fold}__inter": "user_id:token\titem_id:token\n"
        + "".join(f"{user}\t{item}\n" for user, item, own in rows if own == fold)
        for fold in ("train", "valid", "test")
    }
    text = 'split = "files"\n[files]\ntrain = "train.inter"\nvalid = "valid.inter"\n'
    protocol = get_protocol(write(text + 'test = "test.inter"\n', **tables))
    assert same(split(shop, protocol).test, split(shop, get_protocol("loo@2")).test)


def test_who_is_asked_for_several_events_is_asked_for_the_first(shop, write):
    protocol = get_protocol(write('split = "column"\nfile = "e.csv"\n', e__csv=marked(shop, 2)))
    found = split(shop, protocol).test
    ends = np.append(np.flatnonzero(np.diff(shop.user)), len(shop.user) - 1)
    assert np.array_equal(found.target, shop.item[ends[found.user] - 1])
    assert len(found) == 30 and len(found.queries.user) == 30


def test_times_tell_events_of_one_item_apart(make, write):
    log = make(users=3, items=2)  # walks around two items: each comes again
    text = 'split = "column"\nfile = "e.csv"\n'
    with pytest.raises(UserError, match="in two folds: name the column of the time"):
        get_protocol(write(text, e__csv=marked(log)))
    table = marked(log).splitlines()
    timed = [table[0] + ",at", *(f"{r},{t}" for r, t in zip(table[1:], log.time, strict=True))]
    protocol = get_protocol(write(text + 'time = "at"\n', e__csv="\n".join(timed) + "\n"))
    assert same(split(log, protocol).test, split(log, get_protocol("loo@2")).test)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "\n".join(text.splitlines()[:-1]) + "\n", "does not say where the event"),
        (lambda text: text.replace(",test", ",train", 1).replace(",train", ",test", 1), "order"),
    ],
)
def test_marks_that_do_not_cover_or_not_in_order_are_refused(shop, write, change, said):
    protocol = get_protocol(
        write('split = "column"\nfile = "e.csv"\n', e__csv=change(marked(shop)))
    )
    with pytest.raises(SplitError, match=said):
        split(shop, protocol)


def test_dates_cut_all_users_at_once(shop, write):
    text = 'split = "date"\ndates = [2014-01-15, "2014-01-25T00:00:00"]\n'
    found = split(shop, get_protocol(write(text)))
    first, second = 1_388_534_400 + 14 * DAY, 1_388_534_400 + 24 * DAY
    assert found.train.time.max() < first
    assert len(found.train.item) == (shop.time < first).sum()
    for fold, low, high in ((found.valid, first, second), (found.test, second, 2**40)):
        assert len(fold)
        for user, target in zip(fold.user, fold.target, strict=True):
            own = shop.user == user
            inside = own & (shop.time >= low) & (shop.time < high)
            assert target == shop.item[inside][0]
    ordered = dataclasses.replace(shop, card={"time": "positions"})
    with pytest.raises(SplitError, match="needs moments"):
        split(ordered, get_protocol(write(text)))


def recbole(n, ratios):
    """RecBole 1.2's ``_calcu_split_ids``."""
    counts = [int(ratios[i] * n) for i in range(3)]
    counts[0] = n - sum(counts[1:])
    for i in range(1, 3):
        if counts[0] <= 1:
            break
        if 0 < ratios[-i] * n < 1:
            counts[-i] += 1
            counts[0] -= 1
    return counts


@pytest.mark.parametrize("ratios", [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.6, 0.3, 0.1)])
def test_ratios_are_recboles(make_log, ratios):
    log = make_log([list(range(1, n + 1)) for n in range(1, 40)])
    protocol = dataclasses.replace(PROTOCOLS["loo@2"], given=Given(ratios=ratios))
    parts = split_by_ratios(log, protocol)
    for user in range(39):
        own = np.flatnonzero(log.user == user)
        counts = recbole(len(own), ratios)
        assert parts.trains[own].sum() == counts[0]
        asked = [row for row in parts.test if row in own]
        assert asked == ([own[counts[0] + counts[1]]] if counts[2] and counts[0] else [])


def test_candidates_of_a_file(shop, write, answering):
    lines = ["user_id,item_id"]
    for user in shop.user_ids:
        lines += [f"{user},i{item}" for item in (3, 7, 11, 11)]
    text = 'split = "loo"\nnegatives = "n.csv"\n'
    protocol = get_protocol(write(text, n__csv="\n".join(lines) + "\n"))
    assert [one.name for one in protocol.candidate_sets] == ["full", "unseen", "file"]
    fold = split(shop, protocol).test
    for row, target in zip(fold.candidates["file"].tolist(), fold.target.tolist(), strict=True):
        assert [item for item in row if item] == sorted({3, 7, 11, target})
    scores = np.tile(np.arange(20, dtype=np.float32), (30, 1))
    ranks = evaluate(fold, 20, answering(scores), protocol)
    above = [sum(item > target for item in {3, 7, 11}) for target in fold.target.tolist()]
    assert ranks.greater["file"].tolist() == above
    short = write(text, n__csv="user_id,item_id\nu0,i3\n")
    with pytest.raises(SplitError, match="no candidate"):
        split(shop, get_protocol(short))
    with pytest.raises(SplitError, match="item 'i999'"):
        split(shop, get_protocol(write(text, n__csv="\n".join(lines).replace("i11", "i999"))))


def test_a_set_of_another_size_is_a_word(shop, write, answering):
    protocol = get_protocol(write('split = "loo"\ncandidates = ["full", "neg1000", "neg5"]\n'))
    assert protocol.candidate_sets == (find_set("full"), negatives(1000), negatives(5))
    fold = split(shop, protocol).test
    assert fold.candidates["neg5"].shape == (30, 6)
    assert set(evaluate(fold, 20, answering(np.zeros((30, 20), np.float32)), protocol).greater) == {
        "full",
        "neg1000",
        "neg5",
    }
    assert sorted(["neg1000", "odd", "neg5", "neg100", "full"], key=set_order) == [
        "full",
        "neg100",
        "odd",
        "neg5",
        "neg1000",
    ]
    assert find_set("neg0") is None and find_set("negative") is None


def test_the_name_changes_with_all_that_the_file_holds(shop, write):
    text = 'split = "column"\nfile = "e.csv"\n'
    first = get_protocol(write(text, e__csv=marked(shop))).name
    assert get_protocol(write(text, e__csv=marked(shop))).name == first
    assert get_protocol(write(text, e__csv=marked(shop, 2))).name != first
    assert get_protocol(write(text + "max_history = 9\n", e__csv=marked(shop))).name != first
    assert "digest" in explain_protocol(first)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("split = 'loo'\nnegative = 'x'\n", "negative: Extra inputs"),
        ("split = 'half'\n", "split: Input should be"),
        ("split = ", "not a TOML file"),
        ("split = 'loo'\ncandidates = ['most']\n", "'most' is no set"),
        ("split = 'date'\ndates = [2014-01-01]\n", "two dates"),
        ("split = 'date'\ndates = [2014-02-01, 2014-01-01]\n", "begins after"),
        ("split = 'ratio'\nratios = [0.8, 0.1]\n", "three shares"),
        ("split = 'ratio'\nratios = [0.8, 0.3, 0.1]\n", "add up to 1"),
        ("split = 'column'\n", "needs a file"),
        ("split = 'files'\nfiles = { train = 'a.csv' }\n", "needs files"),
        ("split = 'column'\nfile = 'odd.csv'\n", "holds 'dev': say train, valid or test"),
    ],
)
def test_a_file_that_says_nothing_is_refused(write, text, said):
    odd = "user_id,item_id,split\nu0,i1,dev\n"
    with pytest.raises(UserError, match=said):
        get_protocol(write(text, odd__csv=odd, a__csv=odd))


def test_files_that_are_not_there_are_named(write):
    with pytest.raises(UserError, match=r"cannot read .*gone\.csv"):
        get_protocol(write("split = 'loo'\nnegatives = 'gone.csv'\n"))
    with pytest.raises(DataError, match="no column 'split'"):
        get_protocol(write("split = 'column'\nfile = 'e.csv'\n", e__csv="user_id,item_id\nu0,i1\n"))
