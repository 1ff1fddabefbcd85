"""The checks of datasets: a good one passes all, each bad one is caught by the check named here."""

import functools
import hashlib
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pooch
import pytest
from PIL import Image

from mmbench import DatasetInfo, RawDataset, Recipe, hookimpl
from mmbench.data.checks import CHECKS, examine, records
from mmbench.data.demo import Demo
from mmbench.data.log import DataError

INFO = DatasetInfo("tea", "Tea", (), "CC0-1.0", "made up", text=("title",))
DAY = 86_400


def events(users=6, length=4):
    rows = [
        (f"u{user}", f"i{(user + step) % 5}", 1_600_000_000 + DAY * step + user)
        for user in range(users)
        for step in range(length)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "time"])


def items():
    return pd.DataFrame({"item": [f"i{k}" for k in range(5)], "title": list("abcde")})


class Good:
    info = INFO

    @hookimpl
    def read(self, cache):
        return RawDataset(events(), items())


def answering(info=INFO, **changes):
    """A dataset that answers the good one with some parts changed."""

    class Changed:
        @hookimpl
        def read(self, cache):
            return replace(RawDataset(events(), items()), **changes)

    Changed.info = info
    return Changed


def failing(kind, folder) -> dict[str, str]:
    """The checks that a dataset fails, with what they say."""
    found = examine(kind, folder)
    said = {}
    for check in CHECKS:
        try:
            check(found)
        except AssertionError as error:
            said[check.__name__] = str(error)
    return said


def test_a_good_dataset_passes(tmp_path):
    assert failing(Good, tmp_path) == {}


def test_the_demo_passes_and_its_records_are_where_they_were(tmp_path):
    found = examine(Demo, tmp_path)
    for check in CHECKS:
        check(found)
    assert records(found.raw) == {
        "first": ("user-0000", "item-388", 0),
        "tenth": ("user-0001", "item-409", 0),
        "last": ("user-2499", "item-149", 5),
    }


def test_records_of_a_short_source():
    raw = RawDataset(events(1, 3), items())
    assert records(raw)["tenth"] == records(raw)["last"] == ("u0", "i2", 1_600_000_000 + 2 * DAY)


def with_times(values):
    return answering(events=events().assign(time=values))


def with_items(**columns):
    return answering(items=items().assign(**columns))


MILLISECONDS = events()["time"] * 1000
BAD = {
    "no licence": (answering(replace(INFO, licence=" ")), "info_is_complete", "licence is empty"),
    "odd id": (answering(replace(INFO, id="a b")), "info_is_complete", "cannot be a dataset's id"),
    "odd alias": (answering(replace(INFO, aliases=("a/b",))), "info_is_complete", "'a/b'"),
    "unknown": (
        answering(events=events().replace({"item": {"i3": "i9"}})),
        "events_name_known_items",
        "1 items without a row: 'i9'",
    ),
    "fractions": (with_times(events()["time"] + 0.5), "times_are_sane", "float64, not whole"),
    "one time": (with_times(1_600_000_000), "times_are_sane", "all times are 1600000000"),
    "before": (with_times(events()["time"] - 2_000_000_000), "times_are_sane", "before 1970"),
    "milliseconds": (with_times(MILLISECONDS), "times_are_sane", "looks like milliseconds"),
    "future": (with_times(events()["time"] * 9), "times_are_sane", "in the future"),
    "nanoseconds": (
        answering(events=events().assign(nanosecond=10**9)),
        "times_are_sane",
        "nanosecond is not",
    ),
    "counts": (
        answering(
            replace(INFO, text=("title", "rating_number")),
            items=items().assign(rating_number=list("12345")),
        ),
        "texts_are_for_models",
        "rating_number counts events, by its name and its numbers",
    ),
    "strict recipe": (
        answering(replace(INFO, recipe=Recipe(core=50))),
        "recipe_leaves_something",
        "leaves no event",
    ),
    "short users": (
        answering(replace(INFO, recipe=Recipe(min_length=0)), events=events(6, 2)),
        "recipe_leaves_something",
        "2 events at most",
    ),
    "lost pictures": (
        answering(images={"i1": "i1.png"}),
        "pictures_open",
        "images_root is None",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_dataset_is_caught_by_its_check_alone(bad, tmp_path):
    kind, check, message = BAD[bad]
    said = failing(kind, tmp_path)
    assert list(said) == [check]
    assert message in said[check]


@pytest.mark.parametrize("titles", [range(5), ["a", None, "c", "d", "e"]])
def test_a_text_that_is_no_string_is_caught(titles, tmp_path):
    said = failing(with_items(title=titles), tmp_path)
    told = {"texts_are_strings", "texts_are_for_models", "recipe_leaves_something"}
    assert set(said) == told
    assert said["texts_are_strings"].startswith("items: title holds")
    assert "a missing text is an empty string" in said["recipe_leaves_something"]


def test_an_item_with_two_rows_is_caught(tmp_path):
    said = failing(answering(items=pd.concat([items(), items()[:1]])), tmp_path)
    assert set(said) == {"item_ids_are_unique", "recipe_leaves_something"}
    assert "more than one row of 'i0'" in said["item_ids_are_unique"]


def test_an_empty_or_missing_id_is_caught(tmp_path):
    first = events().replace({"user": {"u0": ""}})
    assert set(failing(answering(events=first), tmp_path / "1")) == {"texts_are_strings"}
    second = events().replace({"user": {"u0": None}})
    assert "texts_are_strings" in failing(answering(events=second), tmp_path / "2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": events().drop(columns="time")}, "events has no column 'time'"),
        ({"items": items().rename(columns={"title": "name"})}, "items has no column 'title'"),
        ({"events": events()[:0]}, "there is no event"),
    ],
)
def test_missing_columns_are_named(changes, message, tmp_path):
    found = examine(answering(**changes), tmp_path)
    check = next(check for check in CHECKS if check.__name__ == "tables_have_their_columns")
    with pytest.raises(AssertionError, match=message):
        check(found)


def test_positions_are_no_odd_times(tmp_path):
    frame = events()
    frame["time"] = frame.groupby("user").cumcount().astype("int64")
    assert failing(answering(events=frame), tmp_path) == {}


def test_pictures_must_be_there_and_open(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    Image.new("RGB", (4, 4)).save(root / "i1.png")
    good = answering(images_root=root, images={"i1": "i1.png"})
    assert failing(good, tmp_path / "1") == {}
    absent = answering(images_root=root, images={"i1": "i1.png", "i2": "i2.png"})
    assert "has no picture 'i2.png'" in failing(absent, tmp_path / "2")["pictures_open"]
    unknown = answering(images_root=root, images={"x": "i1.png"})
    assert "unknown items 'x'" in failing(unknown, tmp_path / "3")["pictures_open"]
    (root / "i1.png").write_bytes((root / "i1.png").read_bytes()[:40])
    assert "is damaged" in failing(good, tmp_path / "4")["pictures_open"]


class Remembers(Good):
    turns: list[int] = []

    @hookimpl
    def read(self, cache):
        self.turns.append(1)
        return RawDataset(events(6 + len(self.turns)), items(), ceilings={"x": len(self.turns)})


def test_a_reading_that_changes_is_caught(tmp_path):
    said = failing(Remembers, tmp_path)
    assert said == {"reading_is_repeatable": "a second reading has other events"}


@pytest.mark.parametrize("deed", ["write", "append", "mkdir", "rename", "remove"])
def test_a_reading_that_changes_files_elsewhere_is_caught(deed, tmp_path):
    class Meddles(Good):
        @hookimpl
        def read(self, cache):
            place = cache.parent / "elsewhere"
            (cache / "own").write_text("this is allowed")
            if deed in ("write", "append"):
                with place.open(deed[0]) as file:
                    file.write("x")
            elif deed == "mkdir":
                place.mkdir(exist_ok=True)
            elif deed == "rename":
                (cache / "own").rename(place)
            else:
                place.unlink(missing_ok=True)
            return RawDataset(events(), items())

    said = failing(Meddles, tmp_path / "cache")
    assert list(said) == ["reading_touches_nothing_else"]
    assert str(tmp_path / "elsewhere") in said["reading_touches_nothing_else"]


def test_a_reading_through_the_network_is_caught(tmp_path):
    import socket

    class Calls(Good):
        @hookimpl
        def read(self, cache):
            with socket.socket() as line:
                line.connect_ex(("127.0.0.1", 9))
            return RawDataset(events(), items())

    assert "network" in failing(Calls, tmp_path)["reading_touches_nothing_else"]


@pytest.fixture
def web(tmp_path):
    """A folder on a server of this machine: its address and what was asked for."""
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            asked.append(self.path)

    root = tmp_path / "web"
    root.mkdir()
    events().to_csv(root / "events.csv", index=False)
    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/events.csv", asked, root
        server.shutdown()


def fetching(url, known_hash):
    class Fetches:
        info = INFO

        @hookimpl
        def fetch(self, cache: Path):
            pooch.retrieve(url, known_hash=known_hash, path=cache, fname="events.csv")

        @hookimpl
        def read(self, cache: Path):
            return RawDataset(pd.read_csv(cache / "events.csv"), items())

    return Fetches


def test_a_checksummed_download_passes_and_is_made_once(web, tmp_path):
    url, asked, root = web
    digest = hashlib.sha256((root / "events.csv").read_bytes()).hexdigest()
    found = examine(fetching(url, f"sha256:{digest}"), tmp_path / "cache")
    assert found.fetched == {"events.csv": digest}
    assert len(asked) == 1
    assert failing(fetching(url, f"sha256:{digest}"), tmp_path / "again") == {}


def test_a_download_without_a_checksum_is_caught(web, tmp_path):
    url, _, _ = web
    said = failing(fetching(url, None), tmp_path / "cache")
    assert list(said) == ["damage_is_noticed"]
    assert "'events.csv' was not noticed" in said["damage_is_noticed"]


def test_a_source_that_changed_upstream_is_an_error(web, tmp_path):
    url, _, _ = web
    with pytest.raises(ValueError, match="hash"):
        examine(fetching(url, "sha256:" + "0" * 64), tmp_path / "cache")


@pytest.mark.parametrize("info", [None, "tea"])
def test_a_class_without_info_is_refused(info, tmp_path):
    with pytest.raises(DataError, match=r"info"):
        examine(answering(info=info), tmp_path)


def test_a_bundled_table_is_part_of_the_source(tmp_path, monkeypatch):
    from mmbench.data.plugin import Plugin

    package = tmp_path / "tea_bundle"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from mmbench import DatasetInfo, hookimpl\nclass Tea:\n    info = DatasetInfo('tea')\n"
        "    @hookimpl\n    def read(self, cache): ...\n"
    )
    (package / "events.csv").write_text("user,item\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import tea_bundle

    plugin = Plugin("tea", "tea 1.0", lambda: tea_bundle.Tea)
    before = plugin.stamp()
    assert plugin.stamp() == before
    (package / "events.csv").write_text("user,item\nu,i\n")
    assert plugin.stamp() != before


def test_what_is_beside_the_text_may_count(tmp_path):
    """Other columns of the items table are nobody's business; no model sees them."""
    table = items().assign(rating_number=list("12345"))
    assert failing(answering(items=table), tmp_path) == {}
