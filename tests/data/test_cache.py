"""Prepared logs on disk: whole or absent, checked, never read through pickle."""

import hashlib
import io
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmbench.data import cache, digests, folder, load
from mmbench.hookspecs import DatasetInfo

SPAWN = """
import os, sys, pathlib
from mmbench.data import cache, load
write = cache._write
def die(log, scratch, pictures):
    write(log, scratch, pictures)
    (scratch / sys.argv[2]).write_bytes(b"half")
    os.kill(os.getpid(), 9)
cache._write = die
load(sys.argv[1])
"""


@pytest.fixture
def memory(tmp_path):
    """Where the digests of files are remembered."""
    return tmp_path / "cache" / "digests"


@pytest.fixture
def prepared(tmp_path):
    """A function that answers the only entry of the cache."""

    def entry():
        (found,) = (tmp_path / "cache" / "prepared").iterdir()
        return found

    return entry


def same(one, other):
    assert one.fingerprints == other.fingerprints
    for name in cache.ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert (one.id, one.user_ids, one.item_ids) == (other.id, other.user_ids, other.item_ids)
    assert (one.n_users, one.n_items, one.card) == (other.n_users, other.n_items, other.card)
    assert one.items == other.items
    assert one.secret == other.secret


def test_a_second_load_does_not_read_the_source(shop, monkeypatch):
    first = load(str(shop))
    monkeypatch.setattr(folder, "read", None)
    second = load(str(shop))
    same(first, second)
    assert isinstance(second.item.base, np.memmap)
    assert second.items.images.open(1 + second.item_ids[1:].index("3")).size == (8, 8)
    with pytest.raises(ValueError, match="read-only"):
        second.item[0] = 1


def test_a_changed_file_or_recipe_is_prepared_anew(shop):
    first = load(str(shop))
    with (shop / "ratings.csv").open("a") as file:
        file.write("u0,7,5,1500000000\n")
    second = load(str(shop))
    assert len(second.item) == len(first.item) + 1
    text = '[interactions]\nfile = "ratings.csv"\nuser = "userId"\nitem = "movieId"\n'
    (shop / "dataset.toml").write_text(f'id = "s"\n{text}\n[recipe]\nmin_length = 5\n')
    assert load(str(shop)).n_users < first.n_users


@pytest.mark.parametrize("file", [*cache.FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone"])
def test_a_damaged_entry_is_said_and_made_again(shop, prepared, memory, caplog, file, damage):
    first = load(str(shop))
    path = prepared() / file
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        half = len(data) // 2
        path.write_bytes(data[:half] + (b"" if damage == "truncated" else b"\0" + data[half + 1 :]))
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        same(load(str(shop)), first)
    assert "is damaged" in caplog.text
    caplog.clear()
    same(load(str(shop)), first)
    assert caplog.text == ""
    assert cache.load(prepared(), memory) is not None


@pytest.mark.parametrize("file", ["ratings.csv", "movies.tsv", "pictures.zip"])
@pytest.mark.parametrize("settled", [True, False])
def test_other_content_of_the_same_size_and_time_is_noticed(shop, monkeypatch, file, settled):
    if settled:
        monkeypatch.setattr(digests, "SETTLED", -(10**12))
    first = load(str(shop))
    path = shop / file
    before, data = path.stat(), bytearray(path.read_bytes())
    if file == "ratings.csv":
        data = data.replace(b",4,14", b",3,14", 1)
    elif file == "movies.tsv":
        data = data.replace(b'"a"', b'"A"')
    else:
        data[60] ^= 1  # in the first picture
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    read, source = [], folder.read
    monkeypatch.setattr(folder, "read", lambda spec: read.append(spec) or source(spec))
    second = load(str(shop))
    assert len(read) == 1
    if file == "movies.tsv":
        assert second.fingerprints.text != first.fingerprints.text
    load(str(shop))
    assert len(read) == 1


def test_a_changed_picture_in_a_folder_is_noticed(shop, monkeypatch):
    shutil.unpack_archive(shop / "pictures.zip", shop / "pictures")
    (shop / "pictures.zip").unlink()
    load(str(shop))
    path = shop / "pictures" / "3.jpg"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    read, source = [], folder.read
    monkeypatch.setattr(folder, "read", lambda spec: read.append(spec) or source(spec))
    load(str(shop))
    assert len(read) == 1


def test_a_plugins_changed_pictures_are_noticed(tmp_path, prepared, caplog):
    """The demo's pictures lie in the cache, and its stamp is that of its code alone."""
    first = load("demo")
    (pictures,) = (tmp_path / "cache").rglob("pictures.zip")
    data = bytearray(pictures.read_bytes())
    data[len(data) // 2] ^= 1
    pictures.write_bytes(data)
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        same(load("demo"), first)
    assert f"its pictures in {pictures} are others now" in caplog.text
    caplog.clear()
    same(load("demo"), first)
    assert caplog.text == ""


def test_every_module_that_may_move_a_log_is_part_of_the_key(monkeypatch, tmp_path):
    here = Path(cache.__file__).parent
    copy = tmp_path / "data"
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "__file__", str(copy / "cache.py"))
    keys = set()
    for module in ("", "rows.py", "columns.py", "secret.py", "formats.py", "folder.py"):
        if module:
            with (copy / module).open("a") as file:
                file.write("# changed\n")
        cache._code.cache_clear()
        keys.add(cache.entry_key(DatasetInfo("x"), {}))
    cache._code.cache_clear()
    assert len(keys) == 6


def test_a_pickle_in_an_entry_is_not_loaded(shop, prepared, tmp_path):
    load(str(shop))

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    out = io.BytesIO()
    np.save(out, np.array([Trap()], dtype=object), allow_pickle=True)
    assert b"sprung" in out.getvalue()
    (prepared() / "item.npy").write_bytes(out.getvalue())
    manifest = prepared() / "manifest.json"
    sums = json.loads(manifest.read_text())
    sums["item.npy"] = hashlib.sha256(out.getvalue()).hexdigest()
    manifest.write_text(json.dumps(sums))
    assert len(load(str(shop)).item) > 0
    assert not (tmp_path / "sprung").exists()


def rewrite(entry, name, content):
    """Put another file into an entry, and its checksum into the manifest."""
    (entry / name).write_bytes(content)
    sums = json.loads((entry / "manifest.json").read_text())
    sums[name] = hashlib.sha256(content).hexdigest()
    (entry / "manifest.json").write_text(json.dumps(sums))


def as_npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def swap(array, *places):
    swapped = array.copy()
    swapped[list(places)] = array[list(places[::-1])]
    return swapped


def as_json(entry, name, change):
    held = json.loads((entry / name).read_text())
    change(held)
    return json.dumps(held).encode()


REWRITTEN = {
    "another order": ("item.npy", lambda log, _: as_npy(swap(log.item, 0, 1)), "secret"),
    "another target": ("item.npy", lambda log, _: as_npy(log.item[::-1].copy()), "secret"),
    "other times": ("time.npy", lambda log, _: as_npy(log.time + 1), "secret"),
    "an item left out": (
        "item.npy",
        lambda log, _: as_npy(np.where(log.item == 1, 2, log.item).astype(np.int32)),
        "secret",
    ),
    "other texts": (
        "names.json",
        lambda _, entry: as_json(
            entry, "names.json", lambda held: held["fields"][0][1].__setitem__(1, "a word more")
        ),
        "other texts",
    ),
    "another user": (
        "names.json",
        lambda _, entry: as_json(
            entry, "names.json", lambda held: held["user_ids"].__setitem__(0, "somebody")
        ),
        "secret",
    ),
    "another secret": (
        "meta.json",
        lambda log, entry: as_json(
            entry, "meta.json", lambda held: held.update(secret="00" * 32)
        ),
        "secret",
    ),
    "another fingerprint": (
        "meta.json",
        lambda log, entry: as_json(
            entry, "meta.json", lambda held: held["fingerprints"].update(events="0" * 16)
        ),
        "fingerprint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REWRITTEN)
def test_what_is_rewritten_is_noticed_manifest_and_all(shop, prepared, caplog, what):
    first = load(str(shop))
    entry = prepared()
    name, content, said = REWRITTEN[what]
    rewrite(entry, name, content(first, entry))
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        same(load(str(shop)), first)
    assert said in caplog.text


def test_other_numbers_for_the_same_events_are_noticed(shop, prepared, caplog):
    """Fingerprint and secret are those of the raw events: numbers in the source's order pass."""
    first = load(str(shop))
    entry = prepared()
    order = sorted(range(1, first.n_items + 1), key=first.item_ids.__getitem__)
    number = np.argsort([0, *order]).astype(np.int32)

    def renumber(held):
        held["item_ids"] = ["", *(first.item_ids[k] for k in order)]
        held["fields"] = [[n, ["", *(texts[k] for k in order)]] for n, texts in held["fields"]]

    rewrite(entry, "item.npy", as_npy(number[first.item]))
    rewrite(entry, "names.json", as_json(entry, "names.json", renumber))
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        same(load(str(shop)), first)
    assert "its items are not in the order of their secret" in caplog.text


def test_pictures_that_moved_away_make_an_entry_stale(shop, prepared, memory, tmp_path, caplog):
    load(str(shop))
    entry = prepared()
    shutil.move(shop, tmp_path / "moved")
    assert cache.load(entry, memory) is None
    assert "no longer in" in caplog.text


@pytest.mark.parametrize("file", ["item.npy", "manifest.json"])
def test_a_kill_in_the_middle_leaves_no_entry(shop, prepared, memory, file):
    done = subprocess.run(
        [sys.executable, "-c", SPAWN, str(shop), file], capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr.decode()
    left = prepared()
    assert left.name.startswith(f".tmp-{socket.gethostname()}-")
    log = load(str(shop))
    assert not left.exists()
    same(cache.load(prepared(), memory), log)


def test_the_scratch_of_a_living_process_is_left_alone(shop, tmp_path):
    parent = tmp_path / "cache" / "prepared"
    living = parent / f".tmp-{socket.gethostname()}-{os.getpid()}-other"
    elsewhere = parent / ".tmp-another-machine-1-x"
    living.mkdir(parents=True)
    elsewhere.mkdir()
    load(str(shop))
    assert living.is_dir()
    assert elsewhere.is_dir()


def test_two_processes_may_store_the_same_entry(shop, prepared, memory):
    log = load(str(shop))
    entry = prepared()
    cache.store(log, entry, memory)
    assert prepared() == entry
    same(cache.load(entry, memory), log)


def test_a_failed_write_leaves_nothing(shop, tmp_path, monkeypatch):
    def full(log, scratch, pictures):
        (scratch / "item.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        load(str(shop))
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []
