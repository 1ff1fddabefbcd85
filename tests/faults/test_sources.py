"""Damaged and hostile sources through the command line: one line, exit code 2, or a failed row."""

import json
import shutil
import struct
import zipfile
import zlib

import pytest

EVENTS = "".join(
    f"u{user},i{(user + step) % 9},{step}\n" for user in range(20) for step in range(5)
)


@pytest.fixture
def source(bench):
    """A folder with well-formed tables, for a test to damage."""
    folder = bench.folder / "data" / "corner"
    folder.mkdir()
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\n" + EVENTS)
    rows = "".join(f"i{item},thing {item}\n" for item in range(9))
    (folder / "items.csv").write_text("item_id,title\n" + rows)
    return folder


def append(path, text):
    path.write_text(path.read_text() + text)


def item_twice(folder):
    append(folder / "items.csv", "i3,again\n")


def events_of_no_item(folder):
    append(folder / "interactions.csv", "u1,,9\n")


def no_events(folder):
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\n")


def no_files(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def too_short(folder):
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\nu0,i0,1\nu1,i1,1\n")


def zip_that_leads_out(folder):
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for item in range(9):
            archive.writestr(f"i{item}.png", png(1, 1))
        archive.writestr("../../i1.png", png(1, 1))


def zip_cut_short(folder):
    zip_that_leads_out(folder)
    whole = (folder / "images.zip").read_bytes()
    (folder / "images.zip").write_bytes(whole[: len(whole) // 2])


def broken_toml(folder):
    (folder / "dataset.toml").write_text("id = [")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (item_twice, ["items.csv", "'i3' is in rows 4 and 10", "keep one row"]),
        (events_of_no_item, ["interactions.csv, row 101", "item_id", "drop or mend"]),
        (no_events, ["interactions.csv", "no rows"]),
        (no_files, ["corner"]),
        (too_short, ["corner"]),
        (zip_that_leads_out, ["images.zip", "leads out of the archive"]),
        (zip_cut_short, ["images.zip", "not a readable zip", "download it again"]),
        (broken_toml, ["dataset.toml"]),
    ],
)
def test_a_source_that_cannot_be_used_is_one_clear_line(bench, source, damage, words):
    damage(source)
    done = bench.run("run", "-m", "noise", "-d", "corner", "--in-process")
    assert done.code == 2, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err
    assert not (bench.folder / "results").exists()


def test_events_of_an_item_without_a_row_are_used_and_counted(bench, source):
    rows = (source / "items.csv").read_text().splitlines()
    (source / "items.csv").write_text("\n".join(rows[:-1]) + "\n")
    card = json.loads(bench.run("data", "describe", "corner", "--json").out)
    assert card["items"] == 9
    assert card["without_title"] == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    ("name", "damage"), [("item.npy", "cut"), ("names.json", "flip"), ("manifest.json", "cut")]
)
def test_a_damaged_cache_is_said_and_made_again(bench, name, damage):
    first = bench.run("data", "describe", "shop", "--json")
    (path,) = (bench.folder / "cache" / "prepared").glob(f"shop-*/{name}")
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] if damage == "cut" else data[:half] + b"\xff" + data[half + 1 :])
    again = bench.run("data", "describe", "shop", "--json")
    assert again.code == 0
    assert again.out == first.out
    assert "damaged" in again.err and "made again" in again.err
    assert bench.run("data", "describe", "shop", "--json").err == ""


def png(width, height, data=None):
    """A grey picture; ``data`` in place of its pixels makes it a damaged one."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    pixels = zlib.compress((b"\0" + bytes(width)) * height) if data is None else data
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


VIEWER = """
import shelf
from mmbench import hookimpl

class Viewer(shelf.Painter):
    @hookimpl
    def fit(self, train, items, run):
        super().fit(train, run)
        for item in range(1, items.n_items + 1):
            if item in items.images:
                items.images.open(item)
        run.log(1, seen=len(items.images.items()))
"""


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (png(4, 4)[:-30], "i4.png is damaged"),
        (b"GIF89a", "i4.png is damaged"),
        (png(60_000, 60_000, zlib.compress(b"")), "i4.png is damaged: Image size"),
        (png(8_000, 8_000, zlib.compress(b"")), "i4.png has 8000 x 8000 pixels, more than"),
    ],
    ids=["truncated", "no picture", "bomb", "smaller bomb"],
)
def test_a_bad_picture_counts_as_missing_and_stops_no_cell(bench, source, bad, reason):
    bench.add("viewer", VIEWER, viewer="Viewer")
    (source / "images").mkdir()
    for item in range(9):
        (source / "images" / f"i{item}.png").write_bytes(bad if item == 4 else png(4, 4))
    done = bench.run("run", "-m", "viewer,noise", "-d", "corner", "--json")
    assert done.code == 0
    assert [row["status"]["kind"] for row in done.json] == ["done", "done"]
    assert done.json[0]["curves"]["seen"] == [[1, 8]]
    assert "count as missing: 1, such as " + reason in done.err
    card = bench.run("data", "describe", "corner", "--json").json
    assert card["unusable_pictures"] == 1
    assert card["without_image"] == pytest.approx(1 / 9)
