"""From a recipe to a dataset: which parts, what proves them, and what a person is told."""

import json
import logging
import os

import pytest
from published import (
    beauty_sources,
    films,
    items_table,
    literals,
    publish,
    sequences,
    shipped,
    zipped,
)

from mmbench.data import find, load, places
from mmbench.data.fetch.bring import RECORD, bring, describe, lacking
from mmbench.data.fetch.recipe import parse_recipe, recipes, tables
from mmbench.data.log import DataError
from mmbench.data.published import published

TEXT, TABLE = sequences(), items_table()
SHIPPED = [
    *("amazon2014-beauty", "amazon2014-beauty-days", "amazon2014-sports", "amazon2014-toys"),
    *("amazon2014-clothing", "ml-latest-small", "ml-1m", "amazon2023-video-games", "steam"),
    *("microlens-100k", "pixelrec-50k", "amazon2023-pixrec"),
]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of the test's own recipes."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    monkeypatch.setenv("MMBENCH_RECIPES", str(folder))
    recipe_cache_clear()
    yield folder
    recipe_cache_clear()


def recipe_cache_clear():
    from mmbench.data.fetch import recipe

    recipe._read.cache_clear()


@pytest.fixture
def beauty(host, own):
    """A small amazon2014-beauty on the host: ``{source: path}``."""
    counts = {"users": 60, "items": 24, "events": 600, "titles": 23}
    counts["events"] = sum(len(line.split()) - 1 for line in TEXT.decode().splitlines())
    return publish(host, own, "amazon2014-beauty", beauty_sources(TEXT, TABLE), **counts)


def fetch(name, *parts, **how):
    return bring(lacking(name, parts or ("events", "text")), **how)


def test_every_dataset_that_is_to_be_fetched_has_a_recipe_and_a_description():
    assert set(SHIPPED) <= set(recipes())
    assert set(recipes()) == set(published())
    known = {alias for spec in published().values() for alias in spec.info.aliases}
    assert {"beauty", "beauty-days", "sports", "toys", "clothing", "pixrec"} <= known
    for recipe in recipes().values():
        spec = published()[recipe.id]
        made = {output.file for output in recipe.outputs}
        assert spec.interactions.file in made
        assert {output.part for output in recipe.outputs} >= {"events"}
        assert spec.info.lineage and spec.info.licence
        for source in recipe.sources:
            assert source.licence
            assert all(address.startswith("https://") for address in source.addresses)
            pinned = [a for a in source.addresses if "githubusercontent" in a]
            assert not pinned or source.proof.digest  # a commit's file never changes


def test_a_template_is_a_recipe_a_category():
    game = recipes()["amazon2023-video-games"]
    assert game.sources[0].addresses[0].endswith("5core/rating_only/Video_Games.csv.gz")
    assert game.expected.counts["users"] == (94_750, 94_850)
    assert published()["amazon2023-video-games"].info.name == "Amazon Video Games, 2023, 5-core"
    assert published()["amazon2023-all-beauty"].info.lineage == "amazon-beauty"
    assert sum(name.startswith("amazon2023-") for name in published()) == 34


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[source]]\nname = "a"', "id"),
        ('id = "x"\n[[source]]\nname = "a"\nsize = 3\n[[output]]', "size"),
        (
            'id = "x"\n[[source]]\nname = "a"\naddresses = ["https://b"]\n[[output]]\nfile = "c"\n'
            'part = "events"\nmake = "copy"\nfrom = ["b"]',
            "has no {'b'} before c",
        ),
        (
            'id = "x"\n[[source]]\nname = "a"\n[[output]]\nfile = "c"\npart = "events"\n'
            'make = "copy"\nfrom = ["a"]',
            "does not say how to get",
        ),
        (
            'id = "x"\n[[source]]\nname = "a"\n[[output]]\nfile = "c"\npart = "sound"\n'
            'make = "copy"\nfrom = ["a"]',
            "a part is one of events, text",
        ),
    ],
)
def test_a_broken_recipe_is_told(text, message):
    with pytest.raises((ValueError, KeyError, TypeError), match=message):
        parse_recipe(tables(text)[0], "x.toml")


def test_only_the_parts_that_are_asked_for_are_brought(host, beauty):
    folder = fetch("amazon2014-beauty", "events")
    assert [path for path, _ in host.asked] == [beauty["Beauty.txt"]]
    assert (folder / "sequences.txt").read_bytes() == TEXT
    log = load("beauty")
    assert (log.n_users, log.items.fields, log.items.images) == (60, {}, None)
    assert not any("drawn from title" in remark for remark in log.card["remarks"])
    fetch("amazon2014-beauty")
    assert len(host.asked) == 5  # the sequences are here
    both = load("beauty")
    assert both.fingerprints.events == log.fingerprints.events
    assert both.fingerprints.text != log.fingerprints.text == ""
    assert lacking("amazon2014-beauty", ("events", "text")).outputs == ()


def test_titles_and_attributes_are_joined_by_their_numbers(beauty):
    fetch("amazon2014-beauty")
    log = load("beauty")
    for item, _, title, words in TABLE:
        number = log.item_ids.index(item)
        assert log.items.fields["title"][number] == title
        assert log.items.fields["categories"][number] == " > ".join(words)


def test_what_is_fetched_is_the_log_of_the_same_file_elsewhere(beauty, tmp_path, monkeypatch):
    fetch("amazon2014-beauty", "events")
    fetched = load("beauty")
    other = tmp_path / "mine" / "amazon2014-beauty"
    other.mkdir(parents=True)
    (other / "sequences.txt").write_bytes(TEXT)
    monkeypatch.setenv("MMBENCH_DATA", str(other.parent))
    assert find.resolve("beauty").where == str(other)
    assert load("beauty").fingerprints == fetched.fingerprints


def test_counts_that_differ_are_an_error_and_nothing_is_kept(host, own):
    files = beauty_sources(TEXT, TABLE)
    publish(host, own, "amazon2014-beauty", files, users=61, items=24)
    with pytest.raises(DataError, match="60 users instead of 61; nothing was kept but"):
        fetch("amazon2014-beauty", "events")
    assert not (places.data_home() / "amazon2014-beauty").exists()
    assert list(places.data_home().iterdir()) == []


def test_counts_that_others_say_are_a_warning(host, own, caplog):
    files = beauty_sources(TEXT, TABLE)
    publish(host, own, "amazon2014-beauty", files, users=61, titles=23, seen=False)
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        fetch("amazon2014-beauty")
    assert "60 users instead of 61" in caplog.text and "titles" not in caplog.text


def test_titles_are_counted_too(host, own):
    table = items_table(untitled=(3, 4))
    publish(host, own, "amazon2014-beauty", beauty_sources(TEXT, table), titles=23)
    with pytest.raises(DataError, match="22 titles instead of 23"):
        fetch("amazon2014-beauty")


def test_a_fault_on_the_way_leaves_nothing_half_and_the_next_call_goes_on(host, beauty):
    host.faults[beauty["products_lookup.csv"]] = [("break", 100), *[("break", 0)] * 4]
    with pytest.raises(DataError, match=r"products_lookup.csv cannot be fetched.*100 bytes of it"):
        fetch("amazon2014-beauty")
    assert not (places.data_home() / "amazon2014-beauty").exists()
    asked = len(host.asked)
    fetch("amazon2014-beauty")
    assert len(host.asked) == asked + 2  # the rest of that one, and the next
    assert load("beauty").n_items == 24


def test_what_has_no_known_digest_is_recorded_and_held_to_ever_after(host, own):
    table = shipped("ml-1m")
    files = {"ml-1m.zip": films()}
    publish(host, own, "ml-1m", files)
    assert "md5" in table["source"][0]
    folder = fetch("ml-1m", "events")
    told = json.loads((folder / RECORD).read_text())["ml-1m.zip"]
    assert told["proven"] == "recorded on first use" and told["bytes"] == len(files["ml-1m.zip"])
    (places.cache_home() / "downloads" / "ml-1m" / "ml-1m.zip").unlink()
    other = films(seed=2)
    host.put(table["source"][0]["addresses"][0], other)
    with pytest.raises(DataError, match=r"instead of .*recorded on first use, on 20.*was reissued"):
        fetch("ml-1m")
    host.put(table["source"][0]["addresses"][0], files["ml-1m.zip"])
    fetch("ml-1m")
    assert load("ml-1m").items.fields["title"][1].startswith("Amélie")


def test_films_have_posters_by_their_number(host, own):
    publish(host, own, "ml-1m", {"ml-1m.zip": films()})
    folder = fetch("ml-1m", "events", "text", "pictures")
    rows = (folder / "addresses.tsv").read_text().splitlines()
    assert rows[7].endswith("/1d450572b990db652f22727cf822054c9ff29bf9/images/7.jpg")
    log = load("ml-1m")
    assert log.card["time"] == "timestamps" and log.card["time_ties"] > 0


def test_a_dataset_behind_a_form_says_the_steps_and_takes_the_files(own, tmp_path):
    table = shipped("microlens-100k")
    table["expected"] = {}
    publish(None, own, "microlens-100k", {})
    got = tmp_path / "Downloads" / "deep"
    got.mkdir(parents=True)
    lack = lacking("microlens-100k", ("events", "text"))
    assert "    1. read the terms on" in "\n".join(describe(lack))
    with pytest.raises(
        DataError, match=r"MicroLens-100k_pairs.csv has to be got by hand: 1\. read"
    ):
        bring(lack)
    with pytest.raises(DataError, match=r"Downloads has none"):
        bring(lack, given=got.parent)
    rows = [f"{u},{i},{1_600_000_000_000 + 7 * i}" for u in range(9) for i in range(6)]
    (got / "MicroLens-100k_pairs.csv").write_text("\n".join(["userID,videoID,timestamp", *rows]))
    titles = "\n".join(["item,title", *(f'{i},"a, film {i}"' for i in range(6))])
    (got / "MicroLens-100k_title_en.csv").write_text(titles)
    bring(lack, given=got.parent)
    log = load("microlens-100k")
    assert (log.n_users, log.n_items, log.items.fields["title"][1][:8]) == (9, 6, "a, film ")
    assert log.time[1] - log.time[0] < 1  # milliseconds were told by their size


def test_a_given_file_is_proven_as_a_fetched_one(host, beauty, tmp_path):
    (tmp_path / "Beauty.txt").write_bytes(b"1 2 3\n")
    with pytest.raises(DataError, match="is another file than the recipe's: it has 6 bytes"):
        fetch("amazon2014-beauty", "events", given=tmp_path / "Beauty.txt")
    (tmp_path / "Beauty.txt").write_bytes(TEXT)
    fetch("amazon2014-beauty", "events", given=tmp_path)
    assert host.asked == []


def test_days_are_joined_to_the_numbers_of_the_sequences(host, own):
    files = beauty_sources(TEXT, TABLE)
    reviews = []
    for line in TEXT.decode().splitlines():
        user, *items = line.split()
        for place, item in enumerate(items):
            day = 1_400_000_000 + 86_400 * (place // 2)
            reviews.append({"reviewerID": f"A{user}", "asin": f"B{int(item):09d}"})
            reviews[-1]["unixReviewTime"] = day
    import gzip

    lines = "".join(json.dumps(one) + "\n" for one in reviews)
    files["reviews_Beauty_5.json.gz"] = gzip.compress(lines.encode())
    publish(host, own, "amazon2014-beauty-days", files)
    folder = fetch("amazon2014-beauty-days")
    assert sorted(os.listdir(folder)) == ["events.csv", RECORD, "items.tsv"]
    log = load("beauty-days")
    assert "3" not in log.item_ids and log.n_items == 23  # it has no title
    assert log.card["time_ties"] > 0.3
    source = load("beauty-days[ties=source]")
    order = {item: asin for item, asin, *_ in TABLE}
    same_day = [
        (order[source.item_ids[source.item[k]]], order[source.item_ids[source.item[k + 1]]])
        for k in range(len(source.item) - 1)
        if source.user[k] == source.user[k + 1] and source.time[k] == source.time[k + 1]
    ]
    assert same_day and all(one < other for one, other in same_day)


def test_sports_have_titles_in_a_table_of_their_own(host, own):
    maps = {"id2item": {item: asin for item, asin, *_ in TABLE}}
    meta = [
        {"asin": asin, "title": title, "categories": [["S"], ["S", *words]], "brand": "Acme"}
        for _, asin, title, words in TABLE
    ]
    files = {
        "Sports_and_Outdoors.txt": TEXT,
        "datamaps.json": json.dumps(maps).encode(),
        "meta_Sports_and_Outdoors.json.gz": literals(meta),
    }
    publish(host, own, "amazon2014-sports", files)
    fetch("amazon2014-sports")
    log = load("sports")
    assert list(log.items.fields) == ["title", "categories", "brand"]
    assert log.items.fields["categories"][1].startswith("S > Beauty > ")
    assert log.items.fields["brand"][1] == "Acme"


def test_the_crawl_of_2023_is_read_with_its_milliseconds_and_shops(host, own):
    import gzip

    rows = [f"u{u},B{i},5.0,{1_600_000_000_000 + 2500 * i + u}" for u in range(9) for i in range(7)]
    events = gzip.compress("\n".join(["user_id,parent_asin,rating,timestamp", *rows]).encode())
    picture = {"variant": "PT01", "large": "https://m.media-amazon.com/1.jpg"}
    main = {"variant": "MAIN", "hi_res": None, "large": "https://m.media-amazon.com/0.jpg"}
    meta = [
        {"parent_asin": f"B{i}", "title": f"Game &amp; {i}", "categories": ["Games", "PC"]}
        | {"store": None, "images": [picture, main] if i else []}
        for i in range(8)
    ]
    packed = gzip.compress("".join(json.dumps(one) + "\n" for one in meta).encode())
    game = recipes()["amazon2023-video-games"]
    host.put(game.sources[0].addresses[0], events)
    host.put(game.sources[1].addresses[0], packed)
    folder = fetch("amazon2023-video-games", "events", "text", "pictures")
    log = load("amazon2023-video-games")
    assert (log.n_users, log.n_items, log.card["time"]) == (9, 7, "timestamps")
    number = log.item_ids.index("B3")
    assert [texts[number] for texts in log.items.fields.values()] == ["Game & 3", "Games > PC", ""]
    addresses = (folder / "addresses.tsv").read_text().splitlines()
    assert addresses[1:] == [f"B{i}\thttps://m.media-amazon.com/0.jpg" for i in range(1, 7)]


def test_steam_is_read_from_literals_and_nothing_in_them_is_run(host, own, tmp_path):
    reviews = [
        {"username": f"u{u}", "product_id": str(i), "date": f"2017-12-{1 + i:02d}", "hours": 0.1}
        for u in range(9)
        for i in range(7)
    ]
    games = [{"id": str(i), "app_name": f"Game {i}", "genres": ["Indie", "RPG"]} for i in range(7)]
    files = {"steam_reviews.json.gz": literals(reviews), "steam_games.json.gz": literals(games)}
    publish(host, own, "steam", files)
    fetch("steam")
    log = load("steam")
    assert (log.n_users, log.n_items) == (9, 7)
    assert log.items.fields["genres"][1] == "Indie, RPG"
    import gzip

    trap = f"__import__('pathlib').Path({str(tmp_path / 'run')!r}).touch()\n"
    files["steam_reviews.json.gz"] = gzip.compress(trap.encode())
    recipe_cache_clear()
    publish(host, own, "steam", files)
    for path in (places.data_home() / "steam").iterdir():
        path.unlink()
    for path in (places.cache_home() / "downloads" / "steam").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"steam_reviews.json.gz, line 1: not python"):
        fetch("steam")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zipped(other=b"x"), r"there is no ml-1m/ratings.dat in it"),
        (lambda: films()[:-40], "not a readable zip"),
        (lambda: zipped(**{"ml-1m/ratings.dat": b"0" * 200_000_000}), "would have 200,000,000"),
        (
            lambda: zipped(**{"ml-1m/ratings.dat": b"1::2::3\n"}),
            "line 1: 3 fields for 4 columns",
        ),
    ],
)
def test_an_archive_that_is_not_what_it_should_be_is_told(host, own, make, message):
    publish(host, own, "ml-1m", {"ml-1m.zip": make()})
    with pytest.raises(DataError, match=message):
        fetch("ml-1m", "events")


def test_a_folder_of_sequences_alone_serves(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "amazon2014-toys"
    folder.mkdir(parents=True)
    (folder / "sequences.txt").write_bytes(TEXT)
    monkeypatch.setenv("MMBENCH_DATA", str(folder.parent))
    assert load("toys").n_users == 60
    rows = {row.id: row.status for row in find.list_datasets()}
    assert rows["amazon2014-toys"] == "here, without items.tsv"
    assert rows["amazon2014-clothing"] == "not here; untried: text, pictures"


def test_what_a_recipe_requires_is_not_left_out(host, own):
    lines = ["userId,movieId,rating,timestamp"]
    lines += [f"{u},{i},3.0,{1_000_000_000 + i}" for u in range(9) for i in range(7)]
    movies = ["movieId,title,genres", *(f'{i},"Film, {i}",Drama' for i in range(7))]
    packed = zipped(
        **{
            "ml-latest-small/ratings.csv": "\n".join(lines),
            "ml-latest-small/movies.csv": "\n".join(movies),
        }
    )
    publish(host, own, "ml-latest-small", {"ml-latest-small.zip": packed}, users=9)
    fetch("ml-latest-small")
    with pytest.raises(
        DataError, match=r"posters_64.zip: no such file.*ml-latest-small\[require=\]"
    ):
        load("ml")
    log = load("ml[require=]")
    assert (log.id, log.n_items, log.items.fields["title"][1][:5]) == (
        *("ml-latest-small[require=]", 7, "Film,"),
    )
