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
