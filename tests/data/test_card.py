"""The card's figures, worked out by hand."""

import json

import pandas as pd
import pytest
from rich.console import Console

from mmbench.data import load
from mmbench.data.card import render
from mmbench.data.log import sample_users
from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe


@pytest.fixture
def card():
    rows = [("a", "x", 1), ("a", "y", 1), ("a", "x", 2), ("b", "y", 5), ("b", "z", 9)]
    items = pd.DataFrame({"item": ["x", "y", "z"], "title": ["ex", "", "zed"], "brand": ""})
    info = DatasetInfo("toy", "A toy", (), "CC0", "made up", ("tiny",), recipe=Recipe(min_length=0))
    events = pd.DataFrame(rows, columns=["user", "item", "time"])
    return prepare(RawDataset(events, items, ceilings={"ndcg@10": 0.5}), info).card


def test_the_figures(card):
    assert (card["users"], card["items"], card["events"]) == (2, 3, 5)
    assert card["density"] == pytest.approx(5 / 6)
    assert card["length"] == {
        "min": 2, "25%": 2.25, "median": 2.5, "75%": 2.75, "95%": 2.95, "max": 3, "mean": 2.5
    }  # fmt: skip
    assert card["time"] == "timestamps"
    assert card["time_ties"] == pytest.approx(1 / 3)
    assert card["repeating_users"] == 0.5
    assert card["repeated_events"] == pytest.approx(1 / 5)
    assert card["repeated_targets"] == 0.5
    assert (
        card["cold_targets"] == 0.5
    )  # of a only the first event trains, and of b none: x is known
    assert card["scripts"] == {"latin": 1.0}
    assert card["pictures"] == {"named": 0, "decoded": 0}
    assert card["without_title"] == pytest.approx(1 / 3)
    assert card["without_image"] == 1
    assert card["text"] == ["title", "brand"]
    assert card["steps"] == [{"step": "source", "users": 2, "items": 3, "events": 5}]
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_the_rendered_card_shows_them(card):
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render(card))
    text = captured.get()
    for part in (
        "toy (A toy)",
        card["fingerprints"]["events"],
        "33.33% of items",
        "CC0",
        "tiny",
        "source",
    ):
        assert part in text
    assert "ndcg@10: 0.5000" in text
    assert "50.00% of users have an item twice" in text


def test_titles_without_spaces_are_warned_of(prepare_rows):
    items = {"item": ["x", "y", "z"], "title": ["冰淇淋蛋糕", "新鲜水果 A", "Tea"]}
    rows = [(user, item, time) for user in "ab" for time, item in enumerate("xyz", 5)]
    log = prepare_rows(rows, items)
    assert log.card["scripts"] == {"han": pytest.approx(2 / 3), "latin": pytest.approx(1 / 3)}
    console = Console(width=300)
    with console.capture() as captured:
        console.print(render(log.card))
    assert "67% have no spaces between words, where models that count words" in captured.get()


def test_a_sample_says_so(shop):
    card = sample_users(load(str(shop)), 4).card
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render(card))
    assert "4 of 12 users" in captured.get()


@pytest.mark.parametrize(
    ("times", "recipe", "said"),
    [
        ((1, 1, 2), {}, "33.3% of users"),
        ((1, 1, 2), {}, "in an order that a hash draws"),
        ((1, 1, 2), {"ties": "source"}, "in the order of the source's rows, an artefact"),
        ((0, 1, 2), {}, "positions: the source tells no moments, only an order, which is kept"),
    ],
)
def test_a_plain_sentence_says_what_orders_events_at_one_time(prepare_rows, times, recipe, said):
    rows = [(user, item, time) for user in "ab" for item, time in zip("xyz", times, strict=True)]
    rows += [("c", "x", 3), ("c", "y", 3)] if times[0] else []
    console = Console(width=300)
    with console.capture() as captured:
        console.print(render(prepare_rows(rows, **recipe).card))
    assert said in captured.get()
