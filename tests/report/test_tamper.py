"""Whatever is done to stored results, no board changes without a word, and nothing crashes."""

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmbench.protocol import metrics
from mmbench.report import board_json, make_boards, make_page, read_results, row_json, to_markdown
from mmbench.report.failures import failures
from mmbench.results.store import read_record

NAMES = ("a", "b", "c")


@pytest.fixture
def root(store, make_record):
    """Three rows with ranks of 300 users each."""
    records, tables = [make_record(name, ndcg=0.4) for name in NAMES], {}
    for number, record in enumerate(records):
        rng = np.random.default_rng(number)
        columns = {"query": np.arange(300, dtype=np.int32), "user": [f"u{k}" for k in range(300)]}
        for name in ("full", "unseen", "neg100"):
            columns[f"greater_{name}"] = rng.integers(-1, 20 + 9 * number, 300, dtype=np.int32)
            columns[f"equal_{name}"] = rng.integers(0, 2, 300, dtype=np.int32)
        tables[record["cell"]["id"]] = pa.table(columns)
    return store(records, tables=tables)


def path_of(root, model):
    (path,) = root.glob(f"*/*/{model}/*.json")
    return path


def ranks_of(root, model):
    return path_of(root, model).with_suffix(".ranks.parquet")


def edit(root, model, **fields):
    path = path_of(root, model)
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def faces(root):
    """All that is shown of a folder: boards as text and as data, and each row."""
    reading = read_results(root)
    boards = make_boards(reading.records, ranks=reading.ranks)
    rows = [row_json(board, row, []) for board in boards for row in board.rows]
    return [[to_markdown(make_page(b)) for b in boards], [board_json(b) for b in boards], rows]


@pytest.mark.parametrize("value", [0.5, 0.0, 1.0])
@pytest.mark.parametrize("name", ["metrics", "tie_rate", "unanswered"])
def test_figures_in_a_record_move_no_board(root, name, value):
    before = faces(root)
    told = json.loads(path_of(root, "a").read_text())[name]
    for chosen in told:
        told[chosen] = dict.fromkeys(told[chosen], value) if name == "metrics" else value
    edit(root, "a", **{name: told})
    assert faces(root) == before
    edit(root, "a", **{name: {}})
    assert faces(root) == before
    edit(root, "a", queries=7)
    assert faces(root) == before


def test_figures_are_those_of_the_ranks(root):
    (board,) = make_boards(read_results(root).records)
    for row in board.rows:
        table = pq.read_table(ranks_of(root, row.name))
        for name in ("full", "unseen", "neg100"):
            greater, equal = (table[f"{kind}_{name}"].to_numpy() for kind in ("greater", "equal"))
            wanted = metrics.per_query("ndcg@10", greater, equal).mean()
            assert row.figure(name, "ndcg@10").mean == pytest.approx(wanted, abs=1e-15)
            assert row.tie_rate[name] == (equal > 0).mean()
            assert row.unanswered[name] == (greater < 0).mean()
        assert row.first.queries == 300


def swap(root):
    a, b = (ranks_of(root, model) for model in ("a", "b"))
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def cut(root):
    path = ranks_of(root, "a")
    path.write_bytes(path.read_bytes()[:-100])


def cut_and_resealed(root):
    cut(root)
    edit(root, "a", ranks_sha256=hashlib.sha256(ranks_of(root, "a").read_bytes()).hexdigest())


def of_another_kind(root):
    """A whole table, and its digest in the record: but it holds no ranks."""
    pq.write_table(pa.table({"greater_full": ["x"], "equal_full": ["y"]}), ranks_of(root, "a"))
    edit(root, "a", ranks_sha256=hashlib.sha256(ranks_of(root, "a").read_bytes()).hexdigest())


def empty(root):
    pq.write_table(pa.table({"query": pa.array([], pa.int32())}), ranks_of(root, "a"))
    edit(root, "a", ranks_sha256=hashlib.sha256(ranks_of(root, "a").read_bytes()).hexdigest())


def one_number(root):
    path = ranks_of(root, "a")
    table = pq.read_table(path)
    column = np.array(table["greater_full"].to_pylist(), np.int32)
    column[0] += 1
    at = table.column_names.index("greater_full")
    pq.write_table(table.set_column(at, "greater_full", pa.array(column)), path)


DAMAGE = {
    "swapped": (swap, "not what its record was stored with"),
    "cut": (cut, "not what its record was stored with"),
    "cut, resealed": (cut_and_resealed, "cannot be read"),
    "another table": (of_another_kind, "holds no ranks for full"),
    "no ranks": (empty, "holds no ranks"),
    "one number": (one_number, "not what its record was stored with"),
    "gone": (lambda root: ranks_of(root, "a").unlink(), "cannot be read"),
    "a folder": (
        lambda root: (ranks_of(root, "a").unlink(), ranks_of(root, "a").mkdir()),
        "cannot be read",
    ),
    "seal gone": (lambda root: edit(root, "a", ranks_sha256=""), "no digest of its ranks"),
    "seal waived": (lambda root: edit(root, "a", ranks_sha256="unsealed"), "no digest"),
    "schema up": (lambda root: edit(root, "a", schema=99), "has result schema 99"),
    "schema down": (lambda root: edit(root, "a", schema=1), "bad field `cell.fingerprints`"),
    "no schema": (lambda root: edit(root, "a", schema=None), "has result schema None"),
    "made done": (lambda root: edit(root, "a", status={"kind": "dne"}), "bad field `status.kind`"),
    "label": (lambda root: edit(root, "a", label=7), "bad field `label`"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_makes_a_visible_row(root, damage):
    before = faces(root)
    do, why = DAMAGE[damage]
    do(root)
    reading = read_results(root)
    assert len(reading.records) == 3
    (board,) = make_boards(reading.records, ranks=reading.ranks)
    hit = {"a", "b"} if damage == "swapped" else {"a"}
    told = {failure.row.name: failure.reason for failure in failures(board)}
    assert set(told) == hit
    assert all(why in text for text in told.values())
    assert all(why in problem.reason for problem in reading.problems)
    assert len(reading.problems) == len(hit)
    assert faces(root) != before
    assert why in to_markdown(make_page(board)).replace("\\", "")
    for row in board.rows:
        assert bool(row.metrics) == (row.name not in hit)


@pytest.mark.parametrize("damage", sorted(set(DAMAGE) - {"schema up"}))
def test_a_damaged_cell_counts_as_not_run(root, damage):
    cells = {r.cell.model: r.cell for r in read_results(root).records}
    DAMAGE[damage][0](root)
    assert read_record(root, cells["a"]) is None
    assert read_record(root, cells["c"]).done


def test_a_damaged_copy_does_not_hide_the_whole_one(root):
    shutil.copytree(root / "toy-shop", root / "copy")
    before = faces(root)[0]
    path = next((root / "copy").glob("*/a/*.ranks.parquet"))
    path.write_bytes(b"")
    assert faces(root)[0] == before
    (problem,) = read_results(root).problems
    assert problem.path.startswith("copy/")


def test_text_that_is_no_record_is_told_by_its_path(root):
    path = path_of(root, "a")
    path.write_text(path.read_text()[:-200])
    reading = read_results(root)
    assert [r.cell.model for r in reading.records if r.done] == ["b", "c"]
    (problem,) = reading.problems
    assert problem.path.endswith(path.name)
    assert "not valid JSON" in problem.reason


def test_old_cells_get_a_metric_that_they_were_stored_without(root, monkeypatch):
    monkeypatch.setattr(metrics, "REPORTED", (*metrics.REPORTED, "mrr@20", "half@2"))
    monkeypatch.setitem(metrics.GAINS, "half", lambda rank: np.full_like(rank, 0.5))
    (board,) = make_boards(read_results(root).records)
    for row in board.rows:
        table = pq.read_table(ranks_of(root, row.name))
        greater, equal = (table[f"{kind}_full"].to_numpy() for kind in ("greater", "equal"))
        wanted = metrics.per_query("mrr@20", greater, equal).mean()
        assert row.figure("full", "mrr@20").mean == pytest.approx(wanted, abs=1e-15)
        assert row.figure("full", "half@2").mean > 0
    assert "mrr@20" in board_json(board)["rows"][0]["metrics"]["unseen"]


def test_a_cache_that_is_damaged_or_closed_costs_time_alone(root, monkeypatch, tmp_path):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    before = faces(root)
    kept = sorted((tmp_path / "cache" / "figures").iterdir())
    assert len(kept) == 3
    kept[0].write_text("{")
    kept[1].write_text('{"queries": 3}')
    assert faces(root) == before
    (tmp_path / "shut").write_text("")
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "shut"))
    assert faces(root) == before
