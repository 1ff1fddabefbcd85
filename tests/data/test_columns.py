"""Columns that no model may read: what counts events, and what names items."""

import json
import math
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.data import importer, load
from mmbench.data.columns import why_not, why_not_by_name
from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe


def words(text):
    return text.split()


COUNTING = words(
    """average_rating avgRating rating_number numRatings n_ratings ratings-count review_count
    text_reviews_count salesRank sales_rank vote_average vote_count popularity playcount num_likes
    helpful_votes weighted_rating best_sellers_rank num_users total_sales Votes rating"""
)
BESIDE = words(
    """also_buy also_bought alsoViewed buyAfterViewing bought_together related similar_item
    people_also_like"""
)
NAMING = words("asin parent_asin isbn13 item_id id imUrl image_url images productid slug")
TELLING = words(
    """title name categories brand price year release_year genres description num_pages page_count
    country sale_price keywords actors review_text style features content_rating age_rating
    film_rating number_of_players strength generating grating soviet sports"""
)


@pytest.mark.parametrize("name", [*COUNTING, *BESIDE, *NAMING])
def test_names_that_speak_against_a_column(name):
    assert why_not_by_name(name)


@pytest.mark.parametrize("name", TELLING)
def test_names_that_do_not(name):
    assert why_not_by_name(name) == ""


def items(n=60):
    return [f"B{k * 7919 % 100_000:05d}" for k in range(n)]


def counts_of(ids):
    return {item: 5 + k * k % 97 for k, item in enumerate(ids)}


@pytest.mark.parametrize("name", [*COUNTING, "stars", "score", "rank", "overall", "likes", "count"])
@pytest.mark.parametrize("form", ["{}", "#{:,} in Beauty", "{{'Beauty': {}}}", "({})", "{}.5"])
def test_a_counting_name_with_numbers_is_refused_whatever_the_numbers(name, form):
    rng = np.random.default_rng(0)
    texts = {item: form.format(n) for item, n in zip(items(), rng.permutation(60), strict=True)}
    assert why_not(name, texts, counts_of(items()), {})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("stars", ["Tom Hanks, Meg Ryan", "Bill Murray"]),
        ("comments", ["made of tin", "a gift"]),
        ("rating", ["PG-13", "R"]),
        ("content_rating", ["13+", "18+"]),
        ("view", ["front", "back"]),
        ("title", ["1984", "300", "21 Grams", "Se7en"]),
        ("price", ["12.99", "8.00", "100.50", "$3"]),
        ("year", ["1994", "2001", "2010"]),
        ("num_pages", ["320", "96"]),
        ("image_caption", ["a red ball", "two cats in a row"]),
        ("link_text", ["read on", "more of it"]),
        ("description", ["the best seller of 1999", "rank and file"]),
    ],
)
def test_what_only_sounds_so_is_kept(name, values):
    texts = {item: values[k % len(values)] for k, item in enumerate(items())}
    assert why_not(name, texts, counts_of(items()), {}) == ""


@pytest.mark.parametrize("name", BESIDE)
def test_what_was_bought_together_is_refused(name):
    assert "together" in why_not(name, {"B1": "B2, B3"}, {"B1": 5}, {})


MONOTONE = {
    "as it is": lambda n: n,
    "negative": lambda n: -n,
    "larger": lambda n: 1_000 + 17 * n,
    "logarithm": lambda n: round(math.log(n), 6),
    "rank": lambda n: 1_000_000 // n,
    "with commas": lambda n: f"{1000 * n:,}",
}


@settings(max_examples=80, deadline=None)
@given(
    counts=st.lists(st.integers(1, 10**6), min_size=40, max_size=80).filter(
        lambda found: len(set(found)) > 20
    ),
    how=st.sampled_from(sorted(MONOTONE)),
    name=st.sampled_from(["weight", "q7", "field", "price"]),
)
def test_counts_under_another_name_are_told_by_what_they_hold(counts, how, name):
    known = {f"i{k}": n for k, n in enumerate(counts)}
    texts = {item: str(MONOTONE[how](n)) for item, n in known.items()}
    assert "rank correlation" in why_not(name, texts, known, {})
    assert "mean rating" in why_not(name, texts, dict.fromkeys(known, 5), known)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(["price", "year", "pages"]))
def test_numbers_that_have_little_to_do_with_counts_stay(seed, name):
    """A rank correlation of .5, as of a film's year with its ratings, is no count."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(300)
    ids = items(300)
    known = dict(zip(ids, np.exp(4 + shared + 1.3 * rng.standard_normal(300)), strict=True))
    numbers = 1990 + 8 * shared + 10.4 * rng.standard_normal(300)
    texts = {item: f"{number:.0f}" for item, number in zip(ids, numbers, strict=True)}
    assert why_not(name, texts, known, {}) == ""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (lambda ids: ids, "own ids"),
        (lambda ids: [f"{a}, {b}" for a, b in zip(ids, ids[::-1], strict=True)], "lists the ids"),
        (lambda ids: [f"['{a}']" for a in ids[::-1]], "lists the ids"),
        (lambda ids: [f"https://shop/{k}" for k in range(len(ids))], "files or links"),
        (lambda ids: [f"pictures/{k}.jpg" for k in range(len(ids))], "files or links"),
        (lambda ids: [f"['a{k}.png', 'b.png']" for k in range(len(ids))], "files or links"),
        (lambda ids: [f"X{k:04d}Q" for k in range(len(ids))], "code of its own"),
        (lambda ids: [str(90_000 + k) for k in range(len(ids))], "code of its own"),
    ],
)
def test_codes_are_told_by_what_they_hold(values, reason):
    ids = items(150)
    texts = dict(zip(ids, values(ids), strict=True))
    rng = np.random.default_rng(0)
    counts = dict(zip(ids, rng.integers(5, 99, 150).tolist(), strict=True))
    assert reason in why_not("field", texts, counts, {})


def test_where_ids_are_plain_numbers_other_numbers_are_no_ids():
    ids = [str(k) for k in range(2200)]
    counts = {item: 5 + int(item) * 31 % 50 for item in ids}
    years = {item: str(1950 + int(item) % 70) for item in ids}
    assert why_not("year", years, counts, {}) == ""
    lists = {item: f"{int(item) * 3 % 2200}, {int(item) * 7 % 2200}" for item in ids}
    assert "lists the ids" in why_not("near", lists, counts, {})


def test_sales_ranks_inside_other_text_are_found():
    texts = {i: json.dumps({"Brand": "OPI", "Best Sellers Rank": {"Beauty": 12}}) for i in items()}
    assert "sales ranks" in why_not("details", texts, counts_of(items()), {})


ROWS = [(f"u{n % 9}", f"i{n * 7 % 23}", 86_400 * n) for n in range(200)]
TABLE = pd.DataFrame(
    {
        "item": [f"i{k}" for k in range(23)],
        "title": [f"Thing of kind {k}" for k in range(23)],
        "average_rating": [f"{1 + k % 5}.0" for k in range(23)],
        "also_bought": ["i1, i2"] * 23,
        "price": [f"{3 * k % 7}.99" for k in range(23)],
    }
)


@pytest.mark.parametrize("text", [(), ("average_rating", "title", "also_bought", "price")])
def test_no_dataset_brings_them_back(text):
    """However a plugin or a dataset.toml names its columns: both are prepared here."""
    events = pd.DataFrame(ROWS, columns=["user", "item", "time"])
    info = DatasetInfo("toy", text=text, recipe=Recipe(require=("text",)))
    log = prepare(RawDataset(events, TABLE), info)
    assert list(log.items.fields) == log.card["text"] == ["title", "price"]
    assert set(log.card["left_out"]) == {"average_rating", "also_bought"}
    assert log.card["without_title"] == 0


def with_columns(shop, **columns):
    path = shop / "movies.tsv"
    head, *rows = path.read_text().splitlines()
    rows = ["\t".join([row, *(str(column[k]) for column in columns.values())])
            for k, row in enumerate(rows)]  # fmt: skip
    path.write_text("\n".join(["\t".join([head, *columns]), *rows]) + "\n")


def test_an_import_says_which_and_why_and_does_not_write_them(shop):
    with_columns(shop, vote_count=range(8), stars=[4, 5, 3, 2, 4, 1, 2, 3], asin=range(8))
    done = importer.import_folder(shop)
    spec, path = done.spec, done.path
    assert spec.items.text == ("title", "genres")
    assert tomllib.loads(path.read_text())["items"]["text"] == ["title", "genres"]
    said = done.left_out
    assert said == {
        "vote_count": "counts events, by its name",
        "asin": "names items or files, by its name",
        "stars": "counts events, by its name and its numbers",
    }
    assert load(str(shop)).card["text"] == ["title", "genres"]


def test_a_toml_that_names_them_does_not_bring_them_back(shop):
    with_columns(shop, vote_count=range(8))
    path = importer.import_folder(shop).path
    path.write_text(path.read_text().replace('"title"', '"vote_count", "title"'))
    log = load(str(shop))
    assert list(log.items.fields) == ["title", "genres"]
    assert log.card["left_out"] == {"vote_count": "counts events, by its name and its numbers"}
