"""The published files, as the shipped recipes prove and read them; a local host serves them."""

import os
from pathlib import Path

import pytest
from published import beauty_sources, publish

from mmbench.data import load
from mmbench.data.fetch.bring import bring, lacking
from mmbench.data.fetch.recipe import recipes

HERE = os.environ.get("MMBENCH_DATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not HERE, reason="MMBENCH_DATA is not set"),
]


def real(*parts):
    return next(path for home in HERE.split(os.pathsep) if (path := Path(home, *parts)).exists())


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """A machine with nothing on it."""
    monkeypatch.delenv("MMBENCH_DATA")
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "file", "fingerprint"),
    [
        ("amazon2014-beauty", "sequences.txt", "436c3b41ab62159c"),
        ("amazon2014-sports", "sequences.txt", "90989ab93bca4a98"),
        ("amazon2023-pixrec", "Subscription_Boxes.jsonl", None),
    ],
)
def test_what_is_fetched_is_the_log_that_boards_were_made_with(
    host, empty, monkeypatch, name, file, fingerprint
):
    """By the shipped recipe: its digests and counts are those of the published files."""
    recipe = recipes()[name]
    data = real(name, file).read_bytes()
    first, *mirrors = recipe.sources[0].addresses
    host.put(mirrors[0] if mirrors else first, data)  # the first host has it no more
    folder = bring(lacking(name, ("events",)))
    assert (folder / file).read_bytes() == data
    fetched = load(name)
    if fingerprint is None:
        monkeypatch.setenv("MMBENCH_DATA", HERE)
        fingerprint = load(name).fingerprints.events
    assert fetched.fingerprints.events == fingerprint


def real_table():
    rows = (real("amazon2014-beauty") / "items.tsv").read_text("utf-8").splitlines()[1:]
    for item, asin, title, categories in (row.split("\t") for row in rows):
        yield item, asin, title, [f"{item} {asin}"] if not categories else categories.split(" > ")


def test_titles_of_beauty_are_joined_as_they_are_here(host, empty, tmp_path, monkeypatch):
    """The files of the join are made for it; the counts are those of the shipped recipe."""
    table = list(real_table())
    text = real("amazon2014-beauty", "sequences.txt").read_bytes()
    counts = {
        key: list(told) for key, told in recipes()["amazon2014-beauty"].expected.counts.items()
    }
    publish(host, tmp_path / "own", "amazon2014-beauty", beauty_sources(text, table), **counts)
    monkeypatch.setenv("MMBENCH_RECIPES", str(tmp_path / "own"))
    bring(lacking("amazon2014-beauty", ("events", "text")))
    log = load("beauty")
    title = {item: text for item, _, text, _ in table}
    assert log.items.fields["title"][1:] == tuple(title[item] for item in log.item_ids[1:])
    assert log.items.images is None


@pytest.mark.slow
def test_one_command_from_nothing_to_a_board(bench, host, tmp_path):
    """``pop,pixrec,vlm2rec`` on all of beauty, its cards drawn, 300 users asked."""
    pytest.importorskip("mmbench_recbole")
    pytest.importorskip("mmbench_pixrec")
    pytest.importorskip("mmbench_vlm2rec")
    text = real("amazon2014-beauty", "sequences.txt").read_bytes()
    files = beauty_sources(text, list(real_table()))
    counts = {"users": 22_363, "items": 12_101, "events": 198_502, "titles": 12_094}
    publish(host, tmp_path / "own", "amazon2014-beauty", files, **counts)
    del bench.environment["MMBENCH_DATA"]
    bench.environment |= {
        "XDG_DATA_HOME": str(tmp_path / "home"),
        "MMBENCH_MIRROR": host.address,
        "MMBENCH_RECIPES": str(tmp_path / "own"),
    }
    done = bench.run(
        *("run", "--models", "pop,pixrec,vlm2rec", "--data", "beauty", "--draw"),
        *("--preset", "tiny", "--limit", "300", "--yes"),
        timeout=3600,
    )
    assert done.code == 0, done.err
    rows = bench.rows()
    assert len(rows) == 3 and {row["status"]["kind"] for row in rows.values()} == {"done"}
    events = {row["cell"]["fingerprints"]["events"] for row in rows.values()}
    assert events == {"436c3b41ab62159c"}
    assert "pictures are cards drawn by mmbench" in " ".join(done.out.split())
