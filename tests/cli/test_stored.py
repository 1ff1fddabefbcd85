"""Commands on stored results: rows held against each other, and files that cannot be used."""

import json

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def stored(bench):
    """Two models with two seeds each, one of them deterministic."""
    assert bench.run("run", "-m", "counts,noise", "-d", "shop", "--seeds", "2").code == 0
    return bench


def test_two_rows_are_compared(stored):
    done = stored.run("compare", "counts", "noise")
    assert done.code == 0, done.err
    assert done.out.startswith("counts against noise: ndcg@10, unseen")
    assert "60 users, each held against themselves" in done.out
    assert "counts is better than noise: for other users and other seeds" in done.out
    told = stored.run("compare", "counts", "noise", "--json", "--set", "full", "-d", "shop").json
    shown = stored.run("show", "counts", "noise", "--json").json["rows"]
    means = [row["metrics"]["full"]["ndcg@10"]["mean"] for row in shown]
    assert [told["difference"][side] for side in "ab"] == pytest.approx(means)
    assert told["left_out"] == []
    other = stored.run("compare", "counts", "noise", "--json", "--metric", "hit@1").json
    assert other["difference"]["absolute"] != told["difference"]["absolute"]


def test_rows_are_compared_with_a_baseline_and_over_datasets(stored):
    assert stored.run("run", "-m", "noise/topk", "-d", "shop").code == 0
    done = stored.run("compare", "noise", "--baseline", "counts", "--margin", "2%")
    assert done.code == 0, done.err
    assert done.out.startswith("noise, counts: ndcg@10, unseen")
    assert "within 2%" in done.out and "counts is better than noise" in done.out
    told = stored.run("compare", "noise", "noise/topk", "--baseline", "counts", "--json").json
    assert [(pair["a"], pair["b"]) for pair in told["pairs"]] == [
        (row["name"], "counts") for row in told["rows"][:2]
    ]
    assert told["left_out"] == []
    three = stored.run("compare", "noise", "noise/topk", "counts")
    assert three.code == 0 and "Of 3 pairs" in three.out
    over = stored.run("compare", "counts", "noise", "--over")
    assert over.code == 0, over.err
    assert "1 dataset" in over.out and "log ratio to noise" in over.out
    told = stored.run("compare", "counts", "--over", "--baseline", "noise", "--json").json
    assert told["baseline"] == "noise" and told["datasets"] == ["shop"]


REFUSED = [
    (["counts"], "name two rows, or one and --baseline"),
    (["counts", "noise", "--across", "--over"], "it holds two rows against each other"),
    (["counts", "noise", "--across", "--baseline", "noise"], "it holds two rows"),
    (["counts", "nobody", "--over"], "no row is called 'nobody'"),
    (["counts", "nobody", "--baseline", "noise"], "no board has all of counts, nobody, noise"),
    (["counts", "nobody"], "no row is called 'nobody'. Known: counts, noise"),
    (["counts", "counts"], "counts and counts are one row"),
    (["counts", "noise", "-d", "books"], "no results on books; there are: shop loo@"),
    (["counts", "noise", "--protocol", "time@9"], "no results on time@9"),
    (["counts", "noise", "--set", "neg7"], "no ranks against neg7, but against full, unseen"),
    (["counts", "noise", "--metric", "auc"], "unknown metric 'auc'"),
    (["counts", "noise", "--margin", "much"], "'much' is no share"),
    (["counts", "noise", "--margin", "0"], "'0' is no share"),
    (["counts", "noise", "--across", "-d", "a,b,c"], "one word, or A's and B's"),
    (["counts", "noise", "-r", "nowhere"], "nowhere is not a folder of results"),
]


def test_what_cannot_be_compared_is_said_in_a_line(stored):
    for words, said in REFUSED:
        done = stored.run("compare", *words)
        assert (done.code, done.out) == (2, ""), words
        assert said in " ".join(done.err.split())
        assert "Traceback" not in done.err


def spoil(folder):
    """A newer record, a damaged one, and one without its ranks; the folder's whole cells stay."""
    first, second = sorted((folder / "results").glob("*/*/noise/*.json"))
    newer = json.loads(first.read_text()) | {"schema": 99}
    first.write_text(json.dumps(newer))
    second.write_text(second.read_text()[:100])
    return first.name, second.name


def test_files_that_cannot_be_used_are_told_wherever_results_are_shown(stored):
    newer, damaged = spoil(stored.folder)
    for words in (["leaderboard", "results"], ["show", "counts"]):
        done = stored.run(*words)
        assert done.code == 0, done.err
        lines = [line for line in done.out.splitlines() if line.startswith("left out:")]
        assert len(lines) == 2
        assert newer in lines[0] + lines[1] and damaged in lines[0] + lines[1]
        assert "has result schema 99" in done.out and "is not valid JSON" in done.out
        told = stored.run(*words, "--json").json
        assert sorted(one["path"].split("/")[-1] for one in told["left_out"]) == [newer, damaged]
    done = stored.run("compare", "counts", "noise")
    assert done.code == 2 and "noise on shop, loo@2 has no finished cell" in done.err


def test_a_run_says_what_it_could_not_read_and_runs_the_rest(stored):
    newer, damaged = spoil(stored.folder)
    text = next((stored.folder / "results").glob(f"*/*/*/{newer}")).read_text()
    done = stored.run("run", "-m", "counts,noise", "-d", "shop", "--seeds", "2")
    assert done.code == 1 and "Traceback" not in done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("left out: noise"))
    assert "has result schema 99" in line and newer in line
    assert next((stored.folder / "results").glob(f"*/*/*/{newer}")).read_text() == text
    mended = next((stored.folder / "results").glob(f"*/*/*/{damaged}"))
    assert json.loads(mended.read_text())["status"]["kind"] == "done"
    rows = stored.run("run", "-m", "noise", "-d", "shop", "--seeds", "2", "--json").json
    assert {row.get("state") for row in rows} == {None, "broken"}


def test_cells_whose_ranks_are_gone_or_changed_have_no_figure_and_are_run_again(stored):
    first, second = sorted((stored.folder / "results").glob("*/*/counts/*.ranks.parquet"))
    first.unlink()
    ranks = pq.read_table(second)
    pq.write_table(ranks.slice(0, 10), second)
    done = stored.run("show", "counts")
    assert done.code == 0, done.err
    assert "ndcg@10" not in done.out
    assert done.out.count("left out: shop/loo@2/counts/") == 2
    board = stored.run("leaderboard", "results")
    assert board.code == 0 and "seed 0: failed" in board.out and "seed 1: failed" in board.out
    compared = stored.run("compare", "counts", "noise")
    assert compared.code == 2 and "has no finished cell" in compared.err
    again = stored.run("run", "-m", "counts", "-d", "shop", "--seeds", "2", "--overwrite", "never")
    assert again.code == 0 and "2 of 2 cells to run" in again.out
    assert pq.read_table(second) == ranks


def test_figures_in_a_record_are_read_nowhere(stored):
    """Not by boards, shows, comparisons, exports, nor by a run that finds the cell done."""
    ways = [
        ["leaderboard", "results", "--json"],
        ["show", "counts", "--json"],
        ["compare", "counts", "noise", "--json"],
        ["run", "-m", "counts,noise", "-d", "shop", "--seeds", "2"],
    ]
    before = [stored.run(*words).out for words in ways]
    for path in (stored.folder / "results").glob("*/*/counts/*.json"):
        record = json.loads(path.read_text())
        for name in ("metrics", "tie_rate", "unanswered"):
            assert record[name]
            for chosen, told in record[name].items():
                record[name][chosen] = dict.fromkeys(told, 0.5) if name == "metrics" else 0.5
        path.write_text(json.dumps(record))
    assert [stored.run(*words).out for words in ways] == before


def test_a_published_board_is_asked_for_wherever_it_goes(stored):
    assert stored.run("run", "-m", "counts", "-d", "shop", "--limit", "20").code == 0
    for way in ([], ["-o", "boards"], ["-o", "boards", "--check"]):
        done = stored.run("leaderboard", "results", "--published", *way)
        assert done.code == 2
        assert "a smoke run (--limit 20)" in done.err
    assert not (stored.folder / "boards").exists()
