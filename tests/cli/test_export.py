"""``mmbench export`` and ``mmbench recommend``: stored lists in the dataset's own ids."""

import csv
import json
import subprocess
import sys
from importlib.util import find_spec

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

RANX = """
import json, mmbench, ranx
told = {}
for candidates in ("full", "unseen"):
    qrels, (run,) = mmbench.read_results("results").to_ranx("noise", candidates=candidates)
    found = ranx.evaluate(qrels, run, ["ndcg@10", "hit_rate@10", "mrr@10"])
    told[candidates] = {name: float(value) for name, value in found.items()}
print(json.dumps(told))
"""


@pytest.fixture
def stored(bench):
    assert bench.run("run", "-m", "counts,noise", "-d", "shop").code == 0
    return bench


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("candidates", ["full", "unseen"])
def test_another_tool_finds_the_same_figures_in_a_run(stored, candidates):
    """``noise`` has no ties, so that its lists say all up to 20."""
    done = stored.run("export", "trec", "noise", "--set", candidates, "-o", "runs")
    assert done.code == 0, done.err
    folder = stored.folder / "runs" / "shop" / "loo@2"
    (run,) = folder.glob(f"noise-*.{candidates}.run")
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.txt")))
    assert len(qrels) == 60
    found = ir_measures.calc_aggregate(
        [nDCG @ 10, R @ 10, RR @ 10], qrels, ir_measures.read_trec_run(str(run))
    )
    board = stored.run("leaderboard", "results", "--json").json["boards"][0]
    (row,) = (row for row in board["rows"] if row["name"] == "noise")
    figures = row["metrics"][candidates]
    assert row["tie_rate"][candidates] == 0 and figures["hit@10"]["mean"] > 0
    for measure, name in ((nDCG @ 10, "ndcg@10"), (R @ 10, "hit@10"), (RR @ 10, "mrr@10")):
        assert found[measure] == pytest.approx(figures[name]["mean"], abs=1e-9)


@pytest.mark.skipif(find_spec("ranx") is None, reason="ranx is not installed")
def test_ranx_finds_the_same_figures(stored):
    done = subprocess.run(
        [sys.executable, "-c", RANX],
        cwd=stored.folder,
        env=stored.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    board = stored.run("leaderboard", "results", "--json").json["boards"][0]
    (row,) = (row for row in board["rows"] if row["name"] == "noise")
    for candidates in ("full", "unseen"):
        figures = row["metrics"][candidates]
        for measure, name in (("ndcg@10", "ndcg@10"), ("hit_rate@10", "hit@10"), ("mrr@10",) * 2):
            assert told[candidates][measure] == pytest.approx(figures[name]["mean"], abs=1e-9)


def test_users_and_lists_as_csv(stored):
    assert stored.run("export", "users", "counts").code == 0
    (path,) = (stored.folder / "export" / "shop" / "loo@2").glob("counts-*.users.csv")
    users = rows(path)
    board = stored.run("leaderboard", "results", "--json").json["boards"][0]
    (row,) = (row for row in board["rows"] if row["name"] == "counts")
    mean = sum(float(user["unseen ndcg@10"]) for user in users) / 60
    assert mean == pytest.approx(row["metrics"]["unseen"]["ndcg@10"]["mean"])
    assert {user["user"] for user in users} == {f"u{number}" for number in range(60)}
    assert stored.run("export", "lists", "counts", "--set", "full", "-o", "e").code == 0
    (path,) = (stored.folder / "e" / "shop" / "loo@2").glob("counts-*.full.csv")
    told = rows(path)
    assert {line["item"] for line in told} <= {f"i{number}" for number in range(40)}
    assert all(line["title"] == f"Thing number {line['item'][1:]}" for line in told)
    # every user walks on by one: what came next is known from the source
    for line in told:
        if line["target"] == "1":
            number = int(line["user"][1:])
            assert line["item"] == f"i{((7 * number) % 40 + 4 + number % 4) % 40}"


def test_recommend_fits_once_and_names_items(stored):
    words = ["recommend", "counts", "-d", "shop", "--users", "u3,u41", "-k", "4"]
    shown = stored.run(*words)
    assert shown.code == 0, shown.err
    assert "running" not in shown.err  # it was stored
    assert shown.out.count("Thing number") == 8
    told = stored.run(*words, "--json").json
    assert [one["user"] for one in told] == ["u3", "u41"]
    assert [len(one["items"]) for one in told] == [4, 4]
    assert told[0]["next"] == "i28"
    fresh = stored.run(*words, "--seed", "5", "--out", "elsewhere", "--json")
    assert fresh.code == 0 and [one["user"] for one in fresh.json] == ["u3", "u41"]
    assert len(list((stored.folder / "elsewhere").glob("*/*/*/*.json"))) == 1


def test_what_cannot_be_exported_is_said(stored):
    for words, told in (
        (["export", "trec", "noise", "--set", "neg100"], "no lists are stored for neg100"),
        (["export", "trec", "nobody"], "no row is called 'nobody'"),
        (["export", "run", "noise"], "say one of: trec, users, lists"),
        (["recommend", "counts", "-d", "shop", "--users", "u99"], "user 'u99' has no test query"),
    ):
        done = stored.run(*words)
        assert done.code == 2 and told in done.err.replace("\n", " "), done.err
        assert "Traceback" not in done.err
    top = next((stored.folder / "results").glob("*/*/noise/*.top.parquet"))
    top.write_bytes(top.read_bytes() + b"x")
    done = stored.run("export", "trec", "noise")
    assert done.code == 2 and "not what its record was stored with" in done.err
    top.unlink()
    done = stored.run("export", "trec", "noise")
    assert done.code == 2 and "cannot be read" in done.err


def test_lists_of_another_dataset_are_refused(stored):
    path = stored.folder / "data" / "shop" / "sequences.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[1:], "u0 i1 i2 i3 i4 i5"]) + "\n")
    done = stored.run("export", "trec", "noise")
    assert done.code == 2 and "another fingerprint" in done.err


def test_a_smoke_run_has_judgements_of_its_own(stored):
    assert stored.run("run", "-m", "noise", "-d", "shop", "--limit", "20").code == 0
    cells = {
        r["cell"].get("limit"): r["cell"]["id"] for r in stored.stored() if r["label"] == "noise"
    }
    assert stored.run("export", "trec", cells[20]).code == 0
    (qrels,) = stored.folder.glob("export/shop/loo@2/qrels*")
    assert qrels.name == "qrels-limit-20.txt"
    assert len(qrels.read_text().splitlines()) == 20
