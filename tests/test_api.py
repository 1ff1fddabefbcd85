"""``mmbench.run`` and ``mmbench.read_results``: the command line's results, as pandas tables."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import mmbench
from mmbench.problems import UserError
from mmbench.protocol.metrics import per_query
from mmbench.results.cell import Cell
from mmbench.results.record import Record, Status

RUN = """
import json, mmbench
told = []
found = mmbench.run(
    models=["counts", "noise", "absent-pictures"][:2], data="shop", seeds=2,
    settings={"counts.smoothing": 0.5}, say=told.append,
)
table = found.table()
print(json.dumps({
    "models": list(table["model"]), "seeds": [int(n) for n in table["seeds"]],
    "full": list(table["full ndcg@10"]), "told": told,
    "users": len(found.users), "columns": list(found.ranks("noise").columns),
    "p": found.compare("noise", "counts", candidates="full").difference.p,
    "again": mmbench.read_results("results").table().equals(table),
}))
"""


def python(bench, code):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=bench.folder,
        env=bench.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_run_in_python_is_that_of_the_command_line(bench):
    done = python(bench, RUN)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sorted(told["models"]) == ["counts[smoothing=0.5]", "noise"]
    assert told["seeds"] == [2, 2]
    assert "running noise on shop, seed 1" in told["told"]
    assert told["users"] == 4 * 60
    assert {"seed", "user", "greater_full", "equal_neg100"} <= set(told["columns"])
    assert 0 <= told["p"] <= 1 and told["again"]
    words = ["-m", "counts,noise", "-d", "shop", "--seeds", "2", "--set", "counts.smoothing=0.5"]
    same = bench.run("run", *words)
    assert same.code == 0 and "0 of 4 cells to run" in same.out
    board = bench.run("leaderboard", "results", "--json").json["boards"][0]
    shown = [row["metrics"]["full"]["ndcg@10"]["mean"] for row in board["rows"]]
    assert shown == told["full"]


def test_what_cannot_be_is_an_error_of_the_users(bench):
    done = python(bench, "import mmbench; mmbench.run(models='cuonts', data='shop')")
    assert "Did you mean counts" in done.stderr
    done = python(bench, "import mmbench; mmbench.run(models=[], data='shop')")
    assert "say which models" in done.stderr


@pytest.fixture
def results(tmp_path, monkeypatch, store_result):
    """Two models of two seeds, one of which failed, on 40 users."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for model in ("a", "b"):
        for seed in (0, 1):
            cell = Cell(
                model=model,
                distribution="d",
                version="1",
                config={},
                dataset="shop",
                fingerprints={"events": "f"},
                protocol="loo@2",
                seed=seed,
            )
            record = Record(cell=cell, label=model, status=Status(kind="done"))
            columns = {
                "query": np.arange(40, dtype=np.int32),
                "user": np.array([f"u{k}" for k in rng.permutation(40)], dtype=object),
                "greater_full": rng.integers(-1, 30, 40, dtype=np.int32),
                "equal_full": rng.integers(0, 2, 40, dtype=np.int32),
                "frequency": np.ones(40, np.int32),
            }
            if (model, seed) == ("b", 1):
                store_result(tmp_path / "r", record.failed("timeout", "too slow"))
            else:
                store_result(tmp_path / "r", record, columns)
    return mmbench.read_results(tmp_path / "r")


def test_the_table_has_a_line_a_row(results):
    table = results.table().set_index("model")
    assert list(table["seeds"]) == [table.loc[m, "seeds"] for m in table.index]
    assert (table.loc["a", "seeds"], table.loc["b", "failed"]) == (2, 1)
    assert np.isnan(table.loc["b", "full mrr sd"]) and table.loc["a", "full mrr sd"] > 0
    means = results.users.groupby(["model", "seed"])["full mrr"].mean()
    assert table.loc["a", "full mrr"] == pytest.approx(means["a"].mean())


def test_ranks_and_figures_of_users(results):
    ranks, users = results.ranks("a"), results.users
    assert list(ranks.columns[:5]) == ["dataset", "protocol", "model", "seed", "cell"]
    assert len(ranks) == 80 and len(users) == 120
    own = users[(users["model"] == "a")].reset_index(drop=True)
    wanted = per_query("ndcg@10", *(ranks[f"{k}_full"].to_numpy() for k in ("greater", "equal")))
    assert np.array_equal(own["full ndcg@10"], wanted)
    assert list(own["user"]) == list(ranks["user"])
    some = results.user_figures("b", ["hit@3"])
    assert list(some.columns)[-1] == "full hit@3" and len(some) == 40
    with pytest.raises(UserError, match="no row is called 'c'"):
        results.ranks("c")
    with pytest.raises(ValueError, match="unknown metric"):
        results.user_figures("b", ["auc@3"])


def test_a_comparison_is_that_of_the_report(results):
    found = results.compare("a", "b", candidates="full", metric="mrr")
    table = results.table().set_index("model")
    assert found.difference.a == pytest.approx(table.loc["a", "full mrr"])
    assert found.pairs == "user"
    with pytest.raises(UserError, match="no ranks against unseen"):
        results.compare("a", "b")


def test_no_results_make_empty_tables(tmp_path):
    found = mmbench.read_results(tmp_path)
    assert found.table().empty and found.users.empty and found.problems == ()
    assert isinstance(found.users, pd.DataFrame)


def test_damage_is_a_row_without_figures(results, tmp_path):
    (path,) = (p for p in (tmp_path / "r").glob("*/*/b/*.ranks.parquet"))
    path.write_bytes(hashlib.sha256(b"").digest())
    again = mmbench.read_results(tmp_path / "r")
    assert again.table().set_index("model").loc["b", "failed"] == 2
    assert len(again.problems) == 1
