"""Boards as files, and published tables against arithmetic."""

import json
import os
from pathlib import Path

import pytest

RUN = ["run", "-m", "counts,noise", "-d", "shop"]


def test_boards_are_written_compared_and_written_again(bench):
    assert bench.run(*RUN, "--in-process").code == 0
    written = bench.run("leaderboard", "results", "-o", "boards")
    assert written.code == 0
    board = bench.folder / "boards" / "loo@2" / "shop.md"
    assert f"wrote {board.relative_to(bench.folder)}" in written.err
    check = ["leaderboard", "results", "-o", "boards", "--check"]
    fresh = bench.run(*check)
    assert (fresh.code, fresh.out, fresh.err) == (0, "", "")
    text = board.read_text()
    board.write_text(text.replace("noise", "voice"))
    stale = bench.run(*check)
    assert (stale.code, stale.err) == (1, "stale: boards/loo@2/shop.md\n")
    assert bench.run("leaderboard", "results", "-o", "boards").code == 0
    assert board.read_text() == text
    assert bench.run("leaderboard", "results", "--check").code == 2


def test_audit_of_a_small_table(bench):
    head = "paper,table,dataset,protocol,model,metric,value\n"
    rows = [("sane", "0.2", "0.1"), ("odd", "0.2", "0.3")]
    lines = [
        f"P,1,shop,full,{model},{metric}@10,{value}\n"
        for model, hit, ndcg in rows
        for metric, value in (("hit", hit), ("ndcg", ndcg))
    ]
    (bench.folder / "table.csv").write_text(head + "".join(lines))
    found = json.loads(bench.run("audit", "table.csv", "--json").out)
    assert [(one["kind"], one["model"]) for one in found["findings"]] == [("gate", "odd")]
    shown = bench.run("audit", "table.csv")
    assert "P, table 1, shop: odd" in shown.out
    assert "2 rows, 2 of them with figures that bind each other" in shown.out


@pytest.mark.realdata
def test_audit_of_the_published_figures(bench):
    data = os.environ.get("MMBENCH_DATA")
    table = Path(data).parent / "published.csv" if data else Path()
    if not table.is_file():
        pytest.skip("needs published.csv beside MMBENCH_DATA")
    found = json.loads(bench.run("audit", str(table), "--json").out)["findings"]
    gate = [one["paper"] for one in found if one["kind"] == "gate"]
    assert {paper: gate.count(paper) for paper in gate} == {"VLM2Rec": 28, "PRIME": 3}
    assert any(one["paper"] == "MM-GPT2Rec" and one["kind"] == "outside" for one in found)
    assert "outside the one-target assumption" in bench.run("audit", str(table)).out


def test_boards_are_written_in_each_format_and_printed_in_part(bench):
    assert bench.run(*RUN, "--in-process").code == 0
    boards = bench.folder / "boards"
    asked = ["leaderboard", "results", "-o", "boards", "-f", "html, csv,latex"]
    assert bench.run(*asked).code == 0
    assert {path.suffix for path in boards.rglob("*") if path.is_file()} == {
        *(".html", ".csv", ".tex")
    }
    assert bench.run(*asked, "--check").code == 0
    (boards / "loo@2" / "shop.html").unlink()
    stale = bench.run(*asked, "--check")
    assert (stale.code, stale.err) == (1, "stale: boards/loo@2/shop.html\n")
    part = ["--set", "full", "--metrics", "mrr,hit@5", "--models", "noise"]
    text = bench.run("leaderboard", "results", *part).out
    head = " ".join(text.splitlines()[:3])  # below are caveats
    assert "mrr" in head and "hit@5" in head and "noise" in text
    assert (
        not any(word in head for word in ("unseen", "neg100", "ndcg@10")) and "counts" not in text
    )
    (board,) = bench.run("leaderboard", "results", "--json", *part).json["boards"]
    assert [row["name"] for row in board["rows"]] == ["noise"]
    assert set(board["rows"][0]["metrics"]) == {"full"}
    by_name = bench.run("leaderboard", "results", "--sort", "model", "--json").json["boards"][0]
    assert [row["name"] for row in by_name["rows"]] == ["counts", "noise"]


MISTAKES = [
    (["--format", "htlm", "-o", "boards"], "no format is called htlm. Did you mean html?"),
    (["--format", ",", "-o", "boards"], "name a format: markdown, html, csv, latex"),
    (["--format", "html"], "say where with --out"),
    (["--json", "-o", "boards"], "--json prints"),
    (["--metrics", "recall@10"], "no metric is called recall@10"),
    (["--set", "unsen"], "no candidate set is called unsen. Did you mean unseen?"),
    (["--sort", "fitt"], "no order is called fitt. Did you mean fit?"),
    (["--models", "nois"], "no row is called nois. Did you mean noise?"),
]


def test_mistakes_are_told_with_what_is_near(bench):
    assert bench.run(*RUN, "--in-process").code == 0
    for words, said in MISTAKES:
        done = bench.run("leaderboard", "results", *words)
        assert done.code == 2 and said in " ".join(done.err.replace("│", " ").split()), words
    assert not (bench.folder / "boards").exists()
