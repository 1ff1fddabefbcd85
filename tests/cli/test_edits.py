"""The edit loop: a model's code is part of its cells, and an old score is never served for new."""

import re

import pytest

RUN = ["run", "-m", "afterglow", "-d", "shop", "--in-process"]


@pytest.fixture
def module(bench):
    """The file of a scaffolded model that is installed beside the others."""
    assert bench.run("new", "model", "afterglow", "--dir", str(bench.folder)).code == 0
    made = bench.folder / "mmbench-afterglow" / "mmbench_afterglow.py"
    path = made.rename(bench.folder / "site" / made.name)
    bench.install("mmbench_afterglow", "mmbench-afterglow", afterglow=f"{path.stem}:AfterglowModel")
    return path


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def score(outcome):
    """``full`` ndcg@10 of the only record."""
    assert outcome.code == 0, outcome.err
    (record,) = outcome.json
    return record["metrics"]["full"]["ndcg@10"]


def code_of(outcome):
    return outcome.json[0]["cell"]["code"]


def test_a_sign_is_changed_and_the_new_score_is_shown(bench, module):
    first = bench.run(*RUN, "--json")
    assert score(first) > 0.9
    edit(module, "scores += weight", "scores -= weight")
    planned = bench.run(*RUN, "--dry-run")
    assert "to run" in planned.out
    old = code_of(first)
    assert f"afterglow on shop, seed 0: stored 1.0, code {old[:8]}, now 1.0, code " in planned.out
    assert "--keep-stale serves it instead" in planned.out
    second = bench.run(*RUN, "--json")
    assert score(second) < 0.1
    board = bench.run("leaderboard", "results").out
    shown = dict(re.findall(r"^afterglow \[code=(\w+)\].*?(0\.\d{4}|1\.0000)", board, re.M))
    assert shown == {code_of(outcome)[:8]: f"{score(outcome):.4f}" for outcome in (first, second)}
    assert bench.run(*RUN).out.count("0 of 1 cells to run") == 1
    edit(module, "scores -= weight", "scores += weight")  # back again: what is stored is its own
    assert "0 of 1 cells to run" in bench.run(*RUN).out
    assert code_of(bench.run(*RUN, "--json")) == old


def test_a_docstring_is_changed_and_nothing_runs(bench, module):
    first = bench.run(*RUN, "--json")
    edit(module, '"""Transition counts of the last items', '"""What I think it does')
    edit(
        module,
        "        size = train.n_items + 1",
        "        # so many\n        size = train.n_items + 1",
    )
    again = bench.run(*RUN)
    assert "0 of 1 cells to run" in again.out
    assert "other code" not in again.out
    assert score(bench.run(*RUN, "--json")) == score(first)


def test_keep_stale_serves_what_is_stored_and_says_so(bench, module):
    first = bench.run(*RUN, "--json")
    edit(module, "scores += weight", "scores -= weight")
    kept = bench.run(*RUN, "--keep-stale")
    assert kept.code == 0
    assert "done by other code" in kept.out
    assert "0 of 1 cells to run" in kept.out
    assert "made anew" not in kept.out
    assert "Other code: the model's code was changed after this was run." in kept.out
    served = bench.run(*RUN, "--keep-stale", "--json")
    assert (score(served), code_of(served)) == (score(first), code_of(first))
    (row,) = bench.run(*RUN, "--keep-stale", "--dry-run", "--json").json
    assert row["kept"] and row["stale"]["code"] == code_of(first) != row["cell"]["code"]
    new = bench.run(*RUN, "--json")
    assert score(new) != score(first)
    # once its own is there, that is served
    assert score(bench.run(*RUN, "--keep-stale", "--json")) == score(new)


def test_code_of_the_model_that_another_starts_from_counts(bench):
    vectors = (
        "import numpy as np, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Products):\n    {}\n"
    )
    bench.add("base", vectors.format("scale = 1"), base="Model")
    bench.add(
        "heir",
        "from dataclasses import dataclass\nimport shelf\nfrom mmbench import hookimpl\n"
        "@dataclass(frozen=True)\nclass C:\n    k: int = 0\n    init: str = 'base'\n"
        "class Model(shelf.Noise):\n    Config, presets, upstream = C, {'paper': C()}, 'init'\n",
        heir="Model",
    )
    run = ["run", "-m", "heir", "-d", "shop", "--in-process", "--json"]
    first = bench.run(*run)
    assert first.code == 0, first.err
    (bench.folder / "site" / "base.py").write_text(vectors.format("scale = 2"))
    second = bench.run(*run)
    base, heir = second.json
    assert heir["cell"]["upstream"]["code"] == base["cell"]["code"]
    codes = [[record["cell"]["code"] for record in outcome.json] for outcome in (first, second)]
    assert codes[0][0] != codes[1][0] and codes[0][1] == codes[1][1]
    assert heir["cell"]["id"] != first.json[1]["cell"]["id"]
    board = bench.run("leaderboard", "results").out
    assert len(re.findall(r"^heir.* \[upstream's code=\w+\]", board, re.M)) == 2


def test_code_that_changes_while_a_grid_runs_is_not_taken_for_the_planned_one(bench, module):
    edit(
        module,
        "        size = train.n_items + 1",
        "        from pathlib import Path\n"
        "        text = Path(__file__).read_text().replace('scores += w', 'scores -= w')\n"
        "        Path(__file__).write_text(text)\n"
        "        size = train.n_items + 1",
    )
    done = bench.run(*RUN, "--seeds", "2", "--json")
    assert done.code == 1
    first, second = done.json
    assert first["status"]["kind"] == "done"
    assert second["status"]["kind"] == "failed"
    assert "its code was changed after the plan was made" in second["status"]["reason"]
