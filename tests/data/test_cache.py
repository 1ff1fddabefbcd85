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

import numpy as np
import pytest

from mmbench.data import cache, folder, load

SPAWN = """
import os, sys, pathlib
from mmbench.data import cache, load
write = cache._write
def die(log, scratch):
    write(log, scratch)
    (scratch / sys.argv[2]).write_bytes(b"half")
    os.kill(os.getpid(), 9)
cache._write = die
load(sys.argv[1])
"""


@pytest.fixture
def prepared(tmp_path):
    """A function that answers the only entry of the cache."""

    def entry():
        (found,) = (tmp_path / "cache" / "prepared").iterdir()
        return found

    return entry


def same(one, other):
    assert one.fingerprint == other.fingerprint
    for name in cache.ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert (one.id, one.user_ids, one.item_ids) == (other.id, other.user_ids, other.item_ids)
    assert (one.n_users, one.n_items, one.card) == (other.n_users, other.n_items, other.card)
    assert one.items == other.items


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
def test_a_damaged_entry_is_said_and_made_again(shop, prepared, caplog, file, damage):
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
    assert cache.load(prepared()) is not None


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


def test_pictures_that_moved_away_make_an_entry_stale(shop, prepared, tmp_path, caplog):
    load(str(shop))
    entry = prepared()
    shutil.move(shop, tmp_path / "moved")
    assert cache.load(entry) is None
    assert "no longer in" in caplog.text


@pytest.mark.parametrize("file", ["item.npy", "manifest.json"])
def test_a_kill_in_the_middle_leaves_no_entry(shop, prepared, tmp_path, file):
    done = subprocess.run(
        [sys.executable, "-c", SPAWN, str(shop), file], capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr.decode()
    left = prepared()
    assert left.name.startswith(f".tmp-{socket.gethostname()}-")
    log = load(str(shop))
    assert not left.exists()
    same(cache.load(prepared()), log)


def test_the_scratch_of_a_living_process_is_left_alone(shop, tmp_path):
    parent = tmp_path / "cache" / "prepared"
    living = parent / f".tmp-{socket.gethostname()}-{os.getpid()}-other"
    elsewhere = parent / ".tmp-another-machine-1-x"
    living.mkdir(parents=True)
    elsewhere.mkdir()
    load(str(shop))
    assert living.is_dir()
    assert elsewhere.is_dir()


def test_two_processes_may_store_the_same_entry(shop, prepared):
    log = load(str(shop))
    entry = prepared()
    cache.store(log, entry)
    assert prepared() == entry
    same(cache.load(entry), log)


def test_a_failed_write_leaves_nothing(shop, tmp_path, monkeypatch):
    def full(log, scratch):
        (scratch / "item.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        load(str(shop))
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []
