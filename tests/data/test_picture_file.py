"""The one file of pictures: in item order, whole or absent, and nothing in it but pixels."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmbench import ImageError, ImageStore, views
from mmbench.data import load, pictures
from mmbench.data.fingerprint import pictures_fingerprint
from mmbench.data.log import DataError
from mmbench.data.picture_file import is_whole, make_once, read_seal, write_pictures
from mmbench.data.pictures import hand_over

COLOURS = ["red", "lime", "blue", "black"]


def draw(folder, names, size=(6, 4), **options):
    """PNG files of these names, each in the next colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, colour in zip(names, COLOURS, strict=False):
        Image.new("RGB", size, colour).save(folder / name, "PNG", **options)
    return folder


def colours(store):
    """The colour of each item from 1 on; None where it has no picture."""
    names = {Image.new("RGB", (1, 1), name).getpixel((0, 0)): name for name in COLOURS}
    return [
        names[store.open(item).getpixel((0, 0))] if item in store else None
        for item in range(1, len(store.offsets) - 1)
    ]


def test_pictures_stand_in_item_order_and_the_rest_is_empty(tmp_path):
    root = draw(tmp_path / "own", ["b.png", "a.png", "c.png"])
    found = hand_over(root, (None, "a.png", None, "c.png", "b.png", None), tmp_path / "file")
    assert colours(found.images) == ["lime", None, "blue", "red", None]
    assert found.images.items().tolist() == [1, 3, 4]
    assert found.unusable == 0
    assert 0 not in found.images
    assert found.source.root == root
    for item in (0, 2, 5):
        with pytest.raises(ImageError, match=f"item {item} has no picture"):
            found.images.open(item)
    with pytest.raises(IndexError):
        _ = 6 in found.images


def test_a_store_is_its_file_and_its_offsets(tmp_path):
    root = draw(tmp_path / "own", ["4711.png", "4712.png"])
    store = hand_over(root, (None, "4712.png", "4711.png"), tmp_path / "file").images
    fields = {name: getattr(store, name) for name in ("path", "offsets")}
    assert set(store.__slots__) == set(fields)
    assert not hasattr(store, "__dict__")
    assert fields["path"].parent == tmp_path / "file"
    data = store.path.read_bytes()
    for told in ("4711", "4712", "own"):
        assert told not in str(store.path.name)
        assert told.encode() not in data
    offsets = store.offsets.tolist()
    assert offsets[0] == len(views.PICTURES) + views.SEAL + 8 * (1 + 4)
    assert offsets[-1] == len(data)
    assert not store.offsets.flags.writeable


def test_the_same_pictures_in_the_same_order_are_the_same_file(tmp_path):
    """Whatever they are called, whenever they were written, in a folder or a zip."""
    one = draw(tmp_path / "one", ["4711.png", "4712.png", "x.png"])
    other = draw(tmp_path / "other", ["z.png", "y.png", "a.png"])
    for path in other.iterdir():
        os.utime(path, (10**9, 10**9))
    with zipfile.ZipFile(tmp_path / "third.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, name in enumerate(["z.png", "y.png", "a.png"]):
            archive.write(other / name, f"deep/in/{number}.png")
    ways = [
        hand_over(one, (None, "4711.png", None, "4712.png", "x.png"), tmp_path / "1"),
        hand_over(other, (None, "z.png", None, "y.png", "a.png"), tmp_path / "2"),
        hand_over(
            tmp_path / "third.zip",
            (None, "deep/in/0.png", None, "deep/in/1.png", "deep/in/2.png"),
            tmp_path / "3",
        ),
    ]
    assert len({way.images.path.name for way in ways}) == 1
    assert len({way.images.path.read_bytes() for way in ways}) == 1
    assert len({pictures_fingerprint(way.source.digests) for way in ways}) == 1


def test_files_of_other_bytes_and_the_same_pixels_are_seen_alike(tmp_path):
    """The fingerprint is of the dataset's own bytes; no plugin can tell them apart."""
    small = draw(tmp_path / "small", ["1.png", "2.png"])
    large = draw(tmp_path / "large", ["1.png", "2.png"], compress_level=0)
    assert (small / "1.png").stat().st_size != (large / "1.png").stat().st_size
    one, other = (hand_over(x, (None, "1.png", "2.png"), tmp_path / "f") for x in (small, large))
    assert one.images.path != other.images.path
    assert one.images.path.read_bytes() == other.images.path.read_bytes()
    prints = [pictures_fingerprint(way.source.digests) for way in (one, other)]
    assert prints[0] != prints[1]


def test_the_fingerprint_is_of_contents_and_places():
    digests = [hashlib.sha256(name).hexdigest() for name in (b"a", b"b")]
    base = pictures_fingerprint(("", *digests, ""))
    assert base == "60b9f9ebaa5f27db"  # on every machine
    others = [("", *digests[::-1], ""), ("", *digests), ("", "", *digests), ("", digests[0], "")]
    assert len({base, *map(pictures_fingerprint, others)}) == 5
    assert pictures_fingerprint(()) == pictures_fingerprint(("", "")) == ""


@pytest.mark.parametrize("packed", [True, False])
def test_what_cannot_be_used_is_counted_and_told(tmp_path, monkeypatch, caplog, packed):
    monkeypatch.setattr(pictures, "MAX_BYTES", 3000)
    monkeypatch.setattr("mmbench.data.pixels.MAX_PIXELS", 1000)
    root = draw(tmp_path / "own", ["good.png", "cut.png"])
    (root / "cut.png").write_bytes((root / "cut.png").read_bytes()[:40])
    (root / "long.png").write_bytes(b"x" * 3001)
    Image.new("L", (1001, 1)).save(root / "wide.png")
    names = (None, "cut.png", "good.png", "long.png", "wide.png", None)
    if packed:
        with zipfile.ZipFile(tmp_path / "own.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names[1:-1]:
                archive.write(root / name, name)
        root = tmp_path / "own.zip"
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        found = hand_over(root, names, tmp_path / "file")
    assert colours(found.images) == [None, "red", None, None, None]
    assert found.unusable == 3
    assert f"{root} that cannot be used and count as missing: 3, such as long.png has 3,001" in (
        caplog.text
    )
    assert [bool(digest) for digest in found.source.digests] == [
        *(False, True, True, False, True, False)  # what is damaged has contents all the same
    ]
    caplog.clear()
    again = hand_over(root, names, tmp_path / "file")
    assert (again.unusable, again.images) == (3, found.images)
    assert "count as missing: 3" in caplog.text


def test_a_damaged_member_of_a_zip_is_one_picture_less(tmp_path):
    root = draw(tmp_path / "own", ["1.png", "2.png"])
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.write(root / "1.png", "1.png")
        archive.write(root / "2.png", "2.png")
    data = bytearray((tmp_path / "own.zip").read_bytes())
    data[60] ^= 1
    (tmp_path / "own.zip").write_bytes(data)
    found = hand_over(tmp_path / "own.zip", (None, "1.png", "2.png"), tmp_path / "file")
    assert colours(found.images) == [None, "lime"]
    assert found.source.digests[1] == ""


def test_a_file_that_vanishes_or_changes_meanwhile_is_an_error(tmp_path, monkeypatch):
    root = draw(tmp_path / "own", ["1.png", "2.png"])
    digest = pictures._digest

    def then_change(read, name, problems):
        found = digest(read, name, problems)
        (root / name).write_bytes(b"another")
        return found

    monkeypatch.setattr(pictures, "_digest", then_change)
    with pytest.raises(DataError, match=r"the picture 1\.png has changed while it was read"):
        hand_over(root, (None, "1.png", "2.png"), tmp_path / "file")
    assert list((tmp_path / "file").iterdir()) == []


def test_progress_goes_up_to_the_number_of_items(tmp_path):
    told = []
    root = draw(tmp_path / "own", ["1.png"])
    names = (None, *["1.png"] * 50)
    hand_over(root, names, tmp_path / "file", lambda *args: told.append(args))
    assert told[-1] == (50, 50, "pictures")
    assert told == sorted(set(told))


@pytest.mark.parametrize("damage", ["flipped", "truncated", "longer", "empty", "other"])
def test_a_damaged_file_is_made_again(tmp_path, caplog, damage):
    root = draw(tmp_path / "own", ["1.png", "2.png"])
    names = (None, "1.png", "2.png")
    path = hand_over(root, names, tmp_path / "file").images.path
    good = path.read_bytes()
    flipped = good[:-9] + bytes([good[-9] ^ 1]) + good[-8:]
    bad = {"truncated": good[:-1], "longer": good + b"\0", "empty": b"", "other": b"x" * 500}
    path.write_bytes({"flipped": flipped, **bad}[damage])
    assert not is_whole(path)
    if damage != "flipped":
        with pytest.raises(ImageError, match="no whole file of pictures"):
            ImageStore(path)
    assert hand_over(root, names, tmp_path / "file").images.path.read_bytes() == good
    assert "is damaged; the pictures are encoded again" in caplog.text
    assert is_whole(path)


def test_a_file_that_is_cut_short_later_is_an_image_error(tmp_path):
    store = write_pictures(tmp_path / "file", 2, [b"a" * 100, b"b" * 100])
    with store.path.open("r+b") as file:
        file.truncate(store.path.stat().st_size - 50)
    assert store.read(1) == b"a" * 100
    with pytest.raises(ImageError, match=r"item 2: .*was cut short"):
        store.read(2)
    with pytest.raises(ImageError, match="item 1: its picture is damaged"):
        store.open(1)


def test_pictures_that_overlap_are_refused(tmp_path):
    store = write_pictures(tmp_path / "file", 3, [b"a" * 100, b"b" * 100, b"c" * 100])
    place = len(views.PICTURES) + views.SEAL + 8 * 3
    with store.path.open("r+b") as file:
        file.seek(place)
        file.write(int(store.offsets[4] + 1).to_bytes(8, "little"))
    with pytest.raises(ImageError, match="its pictures overlap"):
        ImageStore(store.path)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_pictures_as_items_are_asked_for(tmp_path, count):
    with pytest.raises(ValueError, match=f"{count} pictures for 2 items"):
        write_pictures(tmp_path / "file", 2, [b"x"] * count)
    assert list(tmp_path.iterdir()) == []


def test_the_seal_tells_pictures_and_places(tmp_path):
    ways = [[b"ab", b"c"], [b"a", b"bc"], [b"", b"abc"], [b"abc", b""], [b"ab", b"d"]]
    stores = [write_pictures(tmp_path / str(k), 2, way) for k, way in enumerate(ways)]
    assert len({read_seal(store.path) for store in stores}) == 5
    assert all(is_whole(store.path) for store in stores)


def test_a_file_that_is_there_is_not_made_again(tmp_path):
    first = make_once(tmp_path / "file", 2, [b"a", b"b"])
    assert make_once(tmp_path / "file", 2, iter(())) == first
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_picture_is_read_and_no_more_of_the_file(tmp_path):
    size = 2**20
    write_pictures(tmp_path / "file", 64, (bytes([k]) * size for k in range(64)))
    tracemalloc.start()
    store = ImageStore(tmp_path / "file")
    for item in store.items().tolist():
        assert store.read(item)[0] == item - 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * size


WRITER = """
import os, sys, pathlib, time
from mmbench.data import pictures

folder = pathlib.Path(sys.argv[1])
encode_anew = pictures.encode_anew

def slow(name, data):
    with open(folder / "encoded.txt", "a") as file:
        file.write(f"{os.getpid()} {name}\\n")
    if sys.argv[2] == "killed" and name == "2.png":
        os.kill(os.getpid(), 9)
    while len(list(folder.glob("*.ready"))) < int(sys.argv[3]):
        time.sleep(0.01)
    return encode_anew(name, data)

pictures.encode_anew = slow
(folder / f"{os.getpid()}.ready").touch()
names = (None, "1.png", "2.png", None, "3.png")
print(pictures.hand_over(folder / "own", names, folder / "file").images.path)
"""


def start(folder, kind, ready):
    words = [sys.executable, "-c", WRITER, str(folder), kind, str(ready)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_of_three_processes_one_makes_the_file(tmp_path):
    draw(tmp_path / "own", ["1.png", "2.png", "3.png"])
    started = [start(tmp_path, "all", 3) for _ in range(3)]
    printed = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(printed) == 1
    encoded = (tmp_path / "encoded.txt").read_text().split()
    assert sorted(encoded[1::2]) == ["1.png", "2.png", "3.png"]
    assert len(set(encoded[::2])) == 1
    assert len(list((tmp_path / "file").iterdir())) == 1


def test_a_kill_in_the_middle_leaves_no_file(tmp_path):
    root = draw(tmp_path / "own", ["1.png", "2.png", "3.png"])
    process = start(tmp_path, "killed", 1)
    process.communicate(timeout=60)
    assert process.returncode == -9
    left = sorted(path.name for path in (tmp_path / "file").iterdir())
    assert len(left) == 2
    assert left[0].startswith(".") and left[0].endswith(".lock")
    assert left[1].startswith(".tmp-")
    names = (None, "1.png", "2.png", None, "3.png")
    found = hand_over(root, names, tmp_path / "file")
    assert colours(found.images) == ["red", "lime", None, "blue"]
    assert [*(tmp_path / "file").iterdir()] == [found.images.path]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    root = draw(tmp_path / "own", ["1.png"])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mmbench.data.picture_file._write", full)
    with pytest.raises(OSError, match="No space left") as raised:
        hand_over(root, (None, "1.png"), tmp_path / "file")
    assert "file" in str(raised.value.filename)
    assert list((tmp_path / "file").iterdir()) == []


@pytest.fixture
def shop_of_pictures(tmp_path, monkeypatch):
    """``make(rename)``: a dataset folder whose four items are called by ``rename``."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))

    def make(name, rename):
        folder = tmp_path / name
        draw(folder / "pictures", [f"{rename(k)}.png" for k in range(4)])
        lines = [f"u{u} " + " ".join(rename((u + k) % 4) for k in range(4)) for u in range(8)]
        (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
        rows = "".join(f"{rename(k)}\t{COLOURS[k]}\n" for k in range(4))
        (folder / "items.tsv").write_text("item_id\ttitle\n" + rows)
        return folder

    return make


def test_each_item_has_its_own_picture_whatever_the_source_calls_it(shop_of_pictures):
    logs = [
        load(str(shop_of_pictures(*one))) for one in [("a", lambda k: f"{k}"), ("b", "z{}y".format)]
    ]
    for log in logs:
        assert colours(log.items.images) == list(log.items.fields["title"][1:])
    by_title = [
        {
            title: log.items.images.read(item)
            for item, title in enumerate(log.items.fields["title"])
            if item
        }
        for log in logs
    ]
    assert by_title[0] == by_title[1]


def test_a_log_keeps_nothing_that_names_a_picture_where_a_plugin_looks(shop_of_pictures, tmp_path):
    log = load(str(shop_of_pictures("named", "4711-{}".format)))
    (handed,) = (tmp_path / "cache" / "pictures").iterdir()
    assert log.items.images.path == handed
    assert b"4711" not in handed.read_bytes()
    (entry,) = (tmp_path / "cache" / "prepared").iterdir()
    assert "4711-0.png" not in (entry / "names.json").read_text()  # nor anywhere else
    assert len(json.loads((entry / "names.json").read_text())["pictures"]) == 5


@pytest.mark.parametrize("how", ["gone", "flipped", "truncated"])
def test_a_prepared_log_notices_what_becomes_of_its_pictures(
    shop_of_pictures, tmp_path, caplog, how
):
    folder = shop_of_pictures("shop", str)
    first = load(str(folder))
    path = first.items.images.path
    good = path.read_bytes()
    bad = {"flipped": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:], "truncated": good[:-9]}
    path.unlink() if how == "gone" else path.write_bytes(bad[how])
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        second = load(str(folder))
    assert "is damaged" in caplog.text
    assert path.read_bytes() == good
    assert second.items == first.items
    caplog.clear()
    load(str(folder))
    assert caplog.text == ""


def test_where_nothing_has_changed_no_picture_is_read(shop_of_pictures, monkeypatch):
    monkeypatch.setattr("mmbench.data.digests.SETTLED", -(10**12))
    folder = shop_of_pictures("shop", str)
    first = load(str(folder))
    load(str(folder))  # by now all digests are remembered
    opened, source = [], "open"
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == source else None)
    second = load(str(folder))
    source = ""
    assert second.fingerprints == first.fingerprints
    assert not [path for path in opened if path.endswith(".png")]
    assert np.array_equal(second.items.images.offsets, first.items.images.offsets)
