"""Results on disk: whole or absent, held by one grid at a time."""

import json
import multiprocessing
import os
import threading

import numpy as np
import pytest

from mmbench import files
from mmbench.results import store
from mmbench.results.cell import Cell

CELL = Cell("recbole:NeuMF", "d", "1.0", {}, "shop", "ff", "loo@1", 0)
RECORD = {"status": {"kind": "done"}, "cell": CELL.to_json()}


def test_a_record_comes_back_with_its_columns(tmp_path):
    ranks = {"query": np.arange(3, dtype=np.int32), "greater_full": np.array([0, 5, 2], np.int32)}
    top = {"top_full": np.array([[1, 2], [3, 0]], np.int32)}
    path = store.write_record(tmp_path, CELL, RECORD, ranks, top)
    assert path == tmp_path / "shop" / "loo@1" / "recbole-NeuMF" / f"{CELL.id}.json"
    assert store.read_record(tmp_path, CELL) == RECORD
    found = store.read_columns(path.with_suffix(".ranks.parquet"))
    assert found["greater_full"].tolist() == [0, 5, 2]
    assert store.read_columns(path.with_suffix(".top.parquet"))["top_full"].tolist() == [
        [1, 2],
        [3, 0],
    ]


def test_a_failure_that_replaces_a_success_leaves_no_old_ranks(tmp_path):
    path = store.write_record(tmp_path, CELL, RECORD, {"query": np.arange(3)})
    store.write_record(tmp_path, CELL, RECORD | {"status": {"kind": "failed"}})
    assert not path.with_suffix(".ranks.parquet").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_record_counts_as_absent(tmp_path, text):
    path = store.write_record(tmp_path, CELL, RECORD)
    path.write_text(text)
    assert store.read_record(tmp_path, CELL) is None


def test_nan_does_not_get_into_a_record(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        store.write_record(tmp_path, CELL, RECORD | {"metrics": float("nan")})
    assert store.read_record(tmp_path, CELL) is None


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomically(path, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_claimed_cell_has_to_be_waited_for(tmp_path):
    stop = threading.Event()
    with store.claim(tmp_path, CELL, stop) as scratch:
        assert scratch.is_dir()
        (scratch / "views").write_text("x")
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(InterruptedError), store.claim(tmp_path, CELL, stop):
            pass
    assert not scratch.exists()
    with store.claim(tmp_path, CELL, threading.Event()) as again:
        assert list(again.iterdir()) == []


def _hold(folder, ready):
    with store.claim(folder, CELL, threading.Event()) as scratch:
        (scratch / "left").write_text("x")
        ready.set()
        threading.Event().wait()


def test_what_a_killed_grid_left_is_swept(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    store.sweep(tmp_path)
    assert (tmp_path / ".work" / CELL.id / "left").exists()  # held: left alone
    place = tmp_path / "shop" / "loo@1" / "pop"
    place.mkdir(parents=True)
    half = place / f".{CELL.id}.json.{holder.pid}.1"
    half.write_text("{")
    own = place / f".{CELL.id}.json.{os.getpid()}.1"
    own.write_text("{")
    holder.kill()
    holder.join()
    store.sweep(tmp_path)
    assert list((tmp_path / ".work").iterdir()) == []
    assert not half.exists()
    assert own.exists()


def test_json_is_readable_by_people(tmp_path):
    path = store.write_record(tmp_path, CELL, RECORD | {"label": "Müller"})
    assert "Müller" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["label"] == "Müller"
