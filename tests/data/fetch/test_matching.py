"""Two numberings of one log are matched by their sequences, and toys and clothing have titles."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import clothing_sources, items_table, publish, sequences, toys_sources

from mmbench.data import load
from mmbench.data.fetch.bring import bring, lacking
from mmbench.data.fetch.matching import match_items
from mmbench.data.log import DataError

TEXT, TABLE = sequences(), items_table()
NAMES = ("one.txt", "other.txt")
logs = st.lists(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6), min_size=1, max_size=9
)


@settings(max_examples=150, deadline=None)
@given(log=logs, seed=st.integers(0, 99))
def test_what_is_matched_is_the_same_item_up_to_twins(log, seed):
    """Where a wrong pair is possible, it makes the same log: then nothing tells them apart."""
    chance = random.Random(seed)
    items = sorted({item for row in log for item in row})
    new = dict(zip(items, chance.sample(range(100), len(items)), strict=True))
    other = [[str(new[item]) for item in row] for row in log]
    chance.shuffle(other)
    found = match_items(log, other, NAMES)
    assert all(found[item] == str(new[item]) for item in found)
    left = set(items) - set(found)
    assert len(left) != 1  # a twin is never alone


def test_items_that_nothing_tells_apart_are_left_out():
    assert match_items([["a", "x"], ["b", "x"]], [["1", "3"], ["2", "3"]], NAMES) == {"x": "3"}
    # the order of two tells them apart
    assert match_items([["a", "b"]], [["2", "1"]], NAMES) == {"a": "2", "b": "1"}


@pytest.mark.parametrize(
    "other",
    [[["1", "2"]], [["1", "2"], ["1", "2"], ["1"]], [["1", "2"], ["2", "2"]]],
)
def test_logs_that_differ_are_no_one_log(other):
    with pytest.raises(DataError, match=r"one\.txt and other\.txt are not the same log"):
        match_items([["a", "b"], ["b", "a"]], other, NAMES)


@pytest.mark.parametrize(
    ("name", "sources"),
    [("amazon2014-toys", toys_sources), ("amazon2014-clothing", clothing_sources)],
)
def test_toys_and_clothing_have_titles_by_matching(host, tmp_path, monkeypatch, name, sources):
    monkeypatch.setenv("MMBENCH_RECIPES", str(tmp_path / "recipes"))
    publish(host, tmp_path / "recipes", name, sources(TEXT, TABLE), users=60, items=24, titles=23)
    folder = bring(lacking(name, ("events", "text", "pictures")))
    log = load(name)
    title = {item: text for item, _, text, _ in TABLE}
    words = {item: " > ".join(found) for item, *_, found in TABLE}
    assert log.items.fields["title"][1:] == tuple(title[item] for item in log.item_ids[1:])
    assert log.items.fields["categories"][1:] == tuple(words[item] for item in log.item_ids[1:])
    addresses = (folder / "addresses.tsv").read_text().splitlines()
    assert len(addresses) == 25
    assert "7\thttps://images-na.ssl-images-amazon.com/images/I/7.jpg" in addresses
    assert not (folder / "asins.tsv").exists()


def test_reviews_of_another_log_are_refused(host, tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_RECIPES", str(tmp_path / "recipes"))
    files = clothing_sources(TEXT, TABLE)
    files["Clothing.txt"] = sequences(seed=5)
    publish(host, tmp_path / "recipes", "amazon2014-clothing", files, users=60, items=24)
    with pytest.raises(DataError, match="are not the same log"):
        bring(lacking("amazon2014-clothing", ("events", "text")))
    assert bring(lacking("amazon2014-clothing", ("events",))).is_dir()  # the events stand alone
