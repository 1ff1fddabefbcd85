"""Folders of a small shop, and homes that touch nothing of the machine's own."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmbench.data import importer, places
from mmbench.data.account import lines
from mmbench.data.prepare import prepare
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    """A cache for the tests on real data together, so that each set is prepared once."""
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch, request, shared_cache):
    """An empty cache and data home; ``MMBENCH_DATA`` only for tests on real data."""
    real = request.node.get_closest_marker("realdata") is not None
    monkeypatch.setenv("MMBENCH_CACHE", str(shared_cache if real else tmp_path / "cache"))
    monkeypatch.setattr(
        places.platformdirs, "user_data_path", lambda *_: tmp_path / "home" / "mmbench"
    )
    if not real:
        monkeypatch.delenv("MMBENCH_DATA", raising=False)


@pytest.fixture(scope="session")
def prepare_rows():
    """``prepare_rows(rows, items, **recipe)``: the log of (user, item, time[, rating]) rows."""

    def prepared(rows, items=None, **recipe):
        columns = ["user", "item", "time", "rating"][: len(rows[0])]
        events = pd.DataFrame(rows, columns=columns).astype({"time": np.int64})
        table = pd.DataFrame(items or {"item": []}, dtype=object)
        recipe = Recipe(**{"min_length": 0, **recipe})
        return prepare(RawDataset(events, table), DatasetInfo("toy", recipe=recipe))

    return prepared


@pytest.fixture
def shop(tmp_path):
    """A folder with 12 users, 8 items, ratings, timestamps out of order, and pictures."""
    folder = tmp_path / "little-shop"
    folder.mkdir()
    rng = np.random.default_rng(3)
    lines = ["userId,movieId,rating,timestamp"]
    for user in range(12):
        items = rng.permutation(8)[: 4 + user % 4]
        stamps = rng.permutation(1000)[: len(items)]
        lines += [
            f"u{user},{item},{1 + (user + item) % 5},{1_400_000_000 + stamp}"
            for item, stamp in zip(items, stamps, strict=True)
        ]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    titles = ["", *(f'The "{word}" film' for word in "abcdefg")]
    rows = [f"{i}\t{title}\tDrama|Comedy" for i, title in enumerate(titles)]
    (folder / "movies.tsv").write_text("\n".join(["item_id\ttitle\tgenres", *rows]) + "\n")
    draw_zip(folder / "pictures.zip", [f"{i}.jpg" for i in range(7)])
    return folder


def draw_zip(path: Path, names: list[str]) -> None:
    picture = path.with_suffix(".jpg")
    Image.new("RGB", (8, 8), (200, 30, 30)).save(picture)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(picture, name)
    picture.unlink()


@pytest.fixture
def visits():
    """(user, item, seconds) of 30 events, of 6 users and 7 items, an hour apart."""
    return [(f"u{n % 6}", f"i{(n * 5 + n // 6) % 7}", 1_400_000_000 + 3600 * n) for n in range(30)]


@pytest.fixture
def write_events(visits):
    """``write_events(path, head, rows)``: a csv of them, by default the visits."""

    def write(path, head="user_id,item_id,timestamp", rows=visits):
        text = "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"
        path.write_text(text, "utf-8")

    return write


@pytest.fixture
def write_items():
    """``write_items(path, ids)``: a csv of their titles, by default of the visits' items."""

    def write(path, ids=None):
        rows = [f"{i},Thing number {k}" for k, i in enumerate(ids or [f"i{k}" for k in range(7)])]
        path.write_text("\n".join(["item_id,title", *rows]) + "\n", "utf-8")

    return write


@pytest.fixture
def imported():
    """``imported(folder, **flags)``: what an import of all events answers, and all that it says."""

    def run(folder, **flags):
        done = importer.import_folder(folder, min_length=0, **flags)
        return done, "\n".join(lines(done.files, done.notes))

    return run
