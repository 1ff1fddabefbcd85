"""Which stored record is one of other code: the same question, by another code or version."""

import json

import numpy as np
import pytest

from mmbench.grid.shelf import Shelf
from mmbench.results.cell import Cell
from mmbench.results.record import Record, Status
from mmbench.results.store import read_record, record_path

BEFORE = Cell(
    model="first",
    distribution="d",
    version="1.0",
    code="1" * 16,
    config={},
    dataset="shop",
    fingerprints={"events": "f"},
    protocol="loo@2",
    seed=0,
)
RANKS = {f"{kind}_full": np.array([3, 0], np.int32) for kind in ("greater", "equal")}
CELL = Cell(**{**dict(BEFORE), "id": "", "model": "m", "config": {"dim": 8}})


def other(cell=CELL, **fields):
    return cell.model_validate({**dict(cell), "id": "", **fields})


@pytest.fixture
def store(store_result):
    """``store(folder, cell, kind)``: the record as it is read back."""

    def store(folder, cell, kind="done", started="2026-01-01T00:00:00+00:00"):
        record = Record(cell=cell, label="m", status=Status(kind=kind), started=started)
        store_result(folder, record, *([RANKS] if kind == "done" else []))
        return read_record(folder, cell)

    return store


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "2" * 16},
        {"code": ""},
        {"version": "2.0"},
        {"code": "2" * 16, "version": "2.0"},
    ],
)
def test_other_code_is_found(tmp_path, fields, store):
    stored = store(tmp_path, other(**fields))
    assert Shelf(tmp_path).find(CELL) is None
    assert Shelf(tmp_path).find_stale(CELL) == stored


@pytest.mark.parametrize(
    "fields",
    [
        {"config": {"dim": 9}},
        {"seed": 1},
        {"limit": 9},
        {"distribution": "other"},
        {"fingerprints": {"events": "g"}},
        {"upstream": BEFORE},
        {"fit_on": {"dataset": "kiosk", "fingerprints": {"events": "g"}}},
    ],
)
def test_another_question_is_not_the_same_by_other_code(tmp_path, fields, store):
    store(tmp_path, other(code="2" * 16, **fields))
    assert Shelf(tmp_path).find_stale(CELL) is None


def test_the_code_of_the_cell_that_it_starts_from_is_its_own(tmp_path, store):
    now = other(upstream=BEFORE)
    stored = store(tmp_path, other(upstream=other(BEFORE, code="2" * 16)))
    assert stored.cell.id != now.id
    assert Shelf(tmp_path).find_stale(now) == stored
    store(tmp_path, other(upstream=other(BEFORE, code="2" * 16, seed=1)), started="2027")
    assert Shelf(tmp_path).find_stale(now) == stored


def test_its_own_record_and_failed_ones_are_not_stale(tmp_path, store):
    store(tmp_path, CELL)
    store(tmp_path, other(code="2" * 16), "failed")
    shelf = Shelf(tmp_path)
    assert shelf.find(CELL).cell == CELL
    assert shelf.find_stale(CELL) is None


def test_the_last_one_is_taken(tmp_path, store):
    for year, code in ((2027, "3" * 16), (2028, "2" * 16), (2026, "4" * 16)):
        store(tmp_path, other(code=code), started=f"{year}-01-01T00:00:00+00:00")
    assert Shelf(tmp_path).find_stale(CELL).cell.code == "2" * 16


def test_a_record_of_schema_1_is_of_other_code(tmp_path, store):
    path = record_path(tmp_path, other(code="")).with_name("0123456789ab.json")
    path.parent.mkdir(parents=True)
    cell = {name: value for name, value in CELL.to_json().items() if name != "code"}
    cell |= {"id": "0123456789ab", "fingerprint": cell.pop("fingerprints")["events"]}
    record = {"schema": 1, "cell": cell, "label": "m", "status": {"kind": "done", "reason": ""}}
    path.write_text(json.dumps(record))
    assert Shelf(tmp_path).find_stale(CELL) is None  # there are no ranks
    store(tmp_path / "other", CELL)
    ranks = record_path(tmp_path / "other", CELL).with_suffix(".ranks.parquet")
    ranks.rename(path.with_suffix(".ranks.parquet"))
    assert Shelf(tmp_path).find_stale(CELL).cell.id == "0123456789ab"


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path, store):
    stored = store(tmp_path, other(code="2" * 16))
    record_path(tmp_path, CELL).with_name("x.json").write_text("{")
    assert Shelf(tmp_path).find_stale(CELL) == stored
