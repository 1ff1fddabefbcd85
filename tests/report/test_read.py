import json
import shutil

import pyarrow as pa
import pytest

from mmbench.report import ResultError, parse, read_results


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_reads_every_result_below_the_folder(store, shop):
    reading = read_results(store(shop))
    assert len(reading.records) == len(shop)
    assert reading.problems == ()
    assert [r.cell.id for r in reading.records] == sorted(r["cell"]["id"] for r in shop)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_results(tmp_path / "nowhere")


def test_damaged_and_foreign_files_are_listed_by_relative_path(store, make_record):
    record = make_record()
    root = store([record])
    whole = json.dumps(make_record(seed=1))
    put(root, "a/truncated.json", whole[: len(whole) // 2])
    put(root, "b/empty.json", "")
    put(root, "c/package.json", '{"name": "left-pad"}')
    put(root, "d/list.json", "[1, 2]")
    put(root, "e/newer.json", json.dumps({**record, "schema": 99}))
    put(root, "f/odd.json", json.dumps({**record, "cell": {**record["cell"], "seed": "zero"}}))
    put(root, "g/.half.json", "{")
    (root / "h.json").write_bytes(b"\xff\xfe\x00")
    (root / "i.json").mkdir()
    reading = read_results(root)
    assert len(reading.records) == 1
    problems = {problem.path: problem.reason for problem in reading.problems}
    assert list(problems) == [
        "a/truncated.json",
        "b/empty.json",
        "c/package.json",
        "d/list.json",
        "e/newer.json",
        "f/odd.json",
        "h.json",
        "i.json",
    ]
    assert "not valid JSON" in problems["a/truncated.json"]
    assert "not a result" in problems["c/package.json"]
    assert "schema 99" in problems["e/newer.json"]
    assert "upgrade" in problems["e/newer.json"]
    assert "cell.seed" in problems["f/odd.json"]


@pytest.mark.parametrize("field", ["label", "status"])
def test_a_missing_field_is_named(make_record, field):
    record = make_record()
    del record[field]
    with pytest.raises(ResultError, match=field):
        parse(record)


def test_a_missing_field_of_the_cell_is_named(make_record):
    record = make_record()
    del record["cell"]["fingerprints"]
    with pytest.raises(ResultError, match=r"cell\.fingerprints"):
        parse(record)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many"])
def test_a_figure_must_be_a_finite_number(make_record, value):
    record = make_record()
    record["metrics"]["full"]["ndcg@10"] = value
    with pytest.raises(ResultError, match=r"metrics\.full\.ndcg@10"):
        parse(record)


@pytest.mark.parametrize("digest", ["", "unsealed", "AB" * 32, None])
def test_done_without_a_digest_of_its_ranks_is_refused(make_record, digest):
    with pytest.raises(ResultError, match="no digest"):
        parse({**make_record(), "ranks_sha256": digest})


def test_an_unknown_status_is_refused(make_record):
    with pytest.raises(ResultError, match=r"status\.kind"):
        parse(make_record(status="sleeping"))


def test_a_record_of_bare_necessities_is_readable(make_record):
    record = make_record()
    kept = ("schema", "cell", "label", "status", "ranks_sha256")
    assert parse({key: record[key] for key in kept}).done


def test_nulls_read_like_absent_fields(make_record):
    record = make_record(status="failed")
    emptied = {**record, "beyond": None, "cost": None, "environment": None, "papers": None}
    assert not parse(emptied).done


def test_the_finished_one_of_two_records_of_a_cell_wins(store, make_record):
    done = make_record(seed=0)
    failed = make_record(seed=0, status="failed", reason="boom", started="2027-01-01")
    root = store([done])
    put(root, "old/copy.json", json.dumps(failed))
    reading = read_results(root)
    assert [record.done for record in reading.records] == [True]
    assert [problem.path for problem in reading.problems] == ["old/copy.json"]


def test_a_copy_that_says_the_same_is_no_problem(store, make_record):
    root = store([make_record()])
    shutil.copytree(root / "toy-shop", root / "backup")
    reading = read_results(root)
    assert len(reading.records) == 1
    assert reading.problems == ()


def test_a_cell_that_was_edited_is_refused(make_record):
    record = make_record()
    record["cell"]["config"]["dim"] = 128
    with pytest.raises(ResultError, match=r"is named .* it was edited"):
        parse(record)


@pytest.mark.parametrize("cell", [5, None, [], {}, {"upstream": 3, "together": "x"}])
@pytest.mark.parametrize("schema", [1, 2])
def test_a_cell_that_is_none_is_refused(cell, schema):
    with pytest.raises(ResultError, match="bad field `cell"):
        parse({"schema": schema, "cell": cell, "label": "m", "status": {"kind": "failed"}})


@pytest.mark.parametrize("schema", [0, 3, -1, "2", 2.5, None, [1], {}])
def test_a_schema_that_nobody_knows_is_named(make_record, schema):
    with pytest.raises(ResultError, match="result schema"):
        parse({**make_record(), "schema": schema})


def test_half_a_character_is_refused(store, make_record):
    """A lone surrogate is legal in JSON, and would break whatever prints or writes it."""
    label, remark = make_record(label="a\ud800"), make_record("pop", data={"remarks": ["\udfff"]})
    whole = make_record("vbpr", label="\U0001f600")
    reading = read_results(store([label, remark, whole]))
    assert [record.label for record in reading.records] == ["\U0001f600"]
    assert all("surrogates" in problem.reason for problem in reading.problems)
    assert len(reading.problems) == 2


def test_ranks_are_read_by_record(store, make_record):
    columns = {"query": [0, 1], "greater_full": [3, -1], "equal_full": [0, 0]}
    whole = make_record()
    root = store([whole], tables={whole["cell"]["id"]: pa.table(columns)})
    reading = read_results(root)
    (record,) = reading.records
    assert reading.ranks(record).to_pydict() == columns
    place = reading.paths[record.cell.id].with_suffix(".ranks.parquet")
    place.write_bytes(b"PAR1 cut short")
    with pytest.raises(ResultError, match="not what its record was stored with"):
        reading.ranks(record)
    place.unlink()
    with pytest.raises(ResultError, match=r"sasrec.*No such file"):
        reading.ranks(record)
