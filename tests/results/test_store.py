"""Results on disk: whole or absent, held by one grid at a time."""

import hashlib
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmbench import files
from mmbench.results import store
from mmbench.results.cell import Cell
from mmbench.results.ranks import read_ranks, read_top
from mmbench.results.read import read_results
from mmbench.results.record import UNSEALED, Record, ResultError, SchemaError

CELL = Cell(
    model="recbole:NeuMF",
    distribution="d",
    version="1.0",
    config={},
    dataset="shop",
    fingerprints={"events": "ff"},
    protocol="loo@2",
    seed=0,
)
RANKS = {
    "greater_full": np.array([0, 5, 2], np.int32),
    "equal_full": np.array([0, 0, 1], np.int32),
}
FIGURES = ("metrics", "tie_rate", "unanswered", "queries")  # what is made of ranks
RECORD = Record(
    cell=CELL, label="NeuMF", status={"kind": "done"}, metrics={"full": {"ndcg@10": 0.25}}
)


def test_a_record_comes_back_with_its_columns(tmp_path, store_result):
    ranks = {"query": np.arange(3, dtype=np.int32), **RANKS}
    top = {"top_full": np.array([[1, 2], [3, 0]], np.int32)}
    stored = store_result(tmp_path, RECORD, ranks, top)
    path = store.record_path(tmp_path, CELL)
    assert path == tmp_path / "shop" / "loo@2" / "recbole-NeuMF" / f"{CELL.id}.json"
    read = store.read_record(tmp_path, CELL)
    assert read.metrics["full"]["hit@1"] == 1 / 3
    assert read.changed(**{name: getattr(stored, name) for name in FIGURES}) == stored
    data = path.with_suffix(".ranks.parquet").read_bytes()
    told = hashlib.sha256(path.with_suffix(".top.parquet").read_bytes()).hexdigest()
    digest = hashlib.sha256(data).hexdigest()
    sealed = {"ranks_sha256": digest, "top_sha256": told, "seal": stored.seal}
    assert stored == RECORD.changed(**sealed) and len(stored.seal) == 64
    assert read_ranks(path, stored)["greater_full"].to_pylist() == [0, 5, 2]
    assert read_top(path, stored)["top_full"].to_pylist() == [[1, 2], [3, 0]]
    path.with_suffix(".top.parquet").write_bytes(data)
    with pytest.raises(ResultError, match=r"top\.parquet is not what its record was stored with"):
        read_top(path, stored)


def test_other_ranks_than_those_of_the_record_are_refused(tmp_path, store_result):
    """They were changed or damaged, or stand beside another run's record."""
    stored = store_result(tmp_path, RECORD, RANKS)
    path = store.record_path(tmp_path, CELL)
    pq.write_table(pa.table({"greater_full": [0, 0, 0]}), path.with_suffix(".ranks.parquet"))
    with pytest.raises(ResultError, match="not what its record was stored with"):
        read_ranks(path, stored)
    unsealed = RECORD.changed(ranks_sha256=UNSEALED)  # as those of schema 1
    assert read_ranks(path, unsealed)["greater_full"].to_pylist() == [0, 0, 0]


def test_a_failure_that_replaces_a_success_leaves_no_old_ranks(tmp_path, store_result):
    store_result(tmp_path, RECORD, {"query": np.arange(3)})
    path = store.record_path(tmp_path, CELL)
    assert path.with_suffix(".ranks.parquet").exists()
    assert store_result(tmp_path, RECORD.failed("failed", "no")).ranks_sha256 == ""
    assert not path.with_suffix(".ranks.parquet").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_record_counts_as_absent(tmp_path, text, store_result):
    store_result(tmp_path, RECORD)
    store.record_path(tmp_path, CELL).write_text(text)
    assert store.read_record(tmp_path, CELL) is None


def test_a_newer_record_is_no_absent_one(tmp_path, store_result):
    store_result(tmp_path, RECORD)
    path = store.record_path(tmp_path, CELL)
    path.write_text(json.dumps(RECORD.to_json() | {"schema": 3}))
    with pytest.raises(SchemaError, match=rf"{path.name} has result schema 3.*upgrade"):
        store.read_record(tmp_path, CELL)


def test_nan_does_not_get_into_a_record(tmp_path):
    with pytest.raises(ValueError, match="finite number"):
        RECORD.changed(metrics={"full": {"ndcg@10": float("nan")}})


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


def test_json_is_readable_by_people(tmp_path, store_result):
    store_result(tmp_path, RECORD.changed(label="Müller"))
    text = store.record_path(tmp_path, CELL).read_text(encoding="utf-8")
    assert "Müller" in text
    assert json.loads(text)["label"] == "Müller"


@pytest.mark.parametrize(
    "edit",
    [
        {"beyond": {"full": {"coverage@10": 0.9}}},
        {"spaces": {"geometry": {}, "modalities": {"t2f": {"full": {"ndcg@10": 0.5}}}}},
        {"cost": {"fit_seconds": 0.1}},
        {"wall": "landlock:7"},
        {"top_sha256": ""},
        {"seal": "0" * 64},
    ],
)
def test_a_record_that_was_edited_counts_as_absent(tmp_path, edit, store_result):
    top = {"top_full": np.array([[1], [2], [3]], np.int32)}
    store_result(tmp_path, RECORD, RANKS, top)
    path = store.record_path(tmp_path, CELL)
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored, indent=7))  # as data it is the same
    assert store.read_record(tmp_path, CELL) is not None
    path.write_text(json.dumps(stored | edit))
    assert store.read_record(tmp_path, CELL) is None
    (problem,) = read_results(tmp_path).problems
    assert "was edited" in problem.reason
    path.write_text(json.dumps(stored | {"metrics": {}, "queries": 9}))  # read from ranks anyway
    assert store.read_record(tmp_path, CELL).queries == 3
    del stored["seal"]  # as older ones are
    path.write_text(json.dumps(stored))
    assert store.read_record(tmp_path, CELL) is not None
