"""Results that third parties send: what is checked, and what a board says of them."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest

from mmbench.results.cell import Cell
from mmbench.results.read import contributor_of, read_results
from mmbench.results.record import seal_of
from mmbench.vet import hold


def findings(done):
    return {(one["check"], one["of"].split(" on ")[0]): one for one in json.loads(done.out)}


@pytest.fixture
def sent(bench):
    """Results of two models in a folder that came from elsewhere."""
    done = bench.run("run", "-m", "counts,noise", "-d", "shop", "-o", "sent")
    assert done.code == 0, done.err
    return bench.folder / "sent"


def record_of(sent, model):
    (path,) = sent.glob(f"*/*/{model}/*.json")
    return path


def edit(path, change, *, sealed):
    stored = json.loads(path.read_text())
    change(stored)
    if sealed:
        stored["seal"] = seal_of(stored)
    path.write_text(json.dumps(stored))


def clean(sent):
    """As if run from committed code: in these tests the checkout may be an edited one."""
    for model in ("counts", "noise"):
        edit(
            record_of(sent, model),
            lambda stored: stored["environment"].update(dirty=False),
            sealed=True,
        )


def test_what_was_made_alike_passes_and_is_made_again(bench, sent):
    clean(sent)
    done = bench.run("vet", "sent", "--again", "2", "--json")
    found = findings(done)
    walled = json.loads(record_of(sent, "counts").read_text())["wall"].startswith("landlock")
    for model in ("counts", "noise"):
        assert found["possible", model]["state"] == "passed"
        assert found["same cell", model]["state"] == "passed"
        assert found["again", model]["told"] == "every rank is equal"
        assert (found["publishable", model]["state"] == "passed") == walled
    assert done.code == int(not walled)
    assert not list(sent.rglob("*.lock"))  # nothing is written where they lie


def test_what_is_not_so_fails_and_says_why(bench, sent):
    clean(sent)
    path = record_of(sent, "counts")
    edit(path, lambda stored: stored["environment"].update(dirty=True), sealed=True)
    done = bench.run("vet", "sent", "--again", "0", "--json")
    assert done.code == 1
    assert "dirty checkout" in findings(done)["publishable", "counts"]["told"]
    edit(path, lambda stored: stored.update(wall="process"), sealed=True)
    told = findings(bench.run("vet", "sent", "--again", "0", "--json"))
    assert "its wall was process, not Landlock" in told["publishable", "counts"]["told"]
    edit(path, lambda stored: stored.update(label="better"), sealed=False)
    done = bench.run("vet", "sent", "--again", "0")
    assert done.code == 1
    assert f"failed reads: {path.relative_to(sent).as_posix()}" in done.out
    assert "was edited" in done.out


def test_only_some_datasets_are_looked_at(bench, sent):
    bench.shop("stall", 60, 30)
    assert bench.run("run", "-m", "counts", "-d", "stall", "-o", "sent").code == 0
    told = json.loads(bench.run("vet", "sent", "-d", "stall", "--again", "0", "--json").out)
    assert {one["of"] for one in told} == {"counts on stall, seed 0"}
    done = bench.run("vet", "sent", "-d", "stall,stable")
    assert done.code == 2
    assert "no results on stable; there are: shop, stall" in done.err
    assert bench.run("vet", "sent", "-d", "").code == 2


def test_each_plugin_is_made_again_or_named(bench, sent):
    clean(sent)

    def gone(stored):
        cell = Cell.model_validate(stored["cell"] | {"id": "", "distribution": "mmbench-gone"})
        stored["cell"] = cell.to_json()

    edit(record_of(sent, "noise"), gone, sealed=True)
    told = json.loads(bench.run("vet", "sent", "--each-plugin", "--json").out)
    again = {one["of"]: one for one in told if one["check"] == "again"}
    assert again["counts on shop, seed 0"]["state"] == "passed"
    assert again["mmbench-gone"]["state"] == "skipped"
    assert len(again) == 2
    told = json.loads(bench.run("vet", "sent", "--each-plugin", "--within", "0.001s", "--json").out)
    again = {one["of"]: one["told"] for one in told if one["check"] == "again"}
    assert len(again) == 2 and "counts on shop, seed 0" not in again
    assert again["mmbench-gone"] == "none of its cells can be made here within 0 s"


def test_ranks_of_another_model_are_found_out_when_made_again(bench, sent):
    clean(sent)
    counts, noise = record_of(sent, "counts"), record_of(sent, "noise")
    shutil.copy(counts.with_suffix(".ranks.parquet"), noise.with_suffix(".ranks.parquet"))
    digest = json.loads(counts.read_text())["ranks_sha256"]
    edit(noise, lambda stored: stored.update(ranks_sha256=digest), sealed=True)
    done = bench.run("vet", "sent", "--again", "2", "--json")
    found = findings(done)
    assert done.code == 1
    assert found["again", "counts"]["state"] == "passed"
    assert found["again", "noise"]["state"] == "failed"


def test_other_data_is_another_cell_and_what_is_not_here_is_skipped(bench, sent):
    clean(sent)
    shutil.rmtree(bench.folder / "data" / "shop")
    bench.shop("shop", 61, 30)
    found = findings(bench.run("vet", "sent", "--json"))
    assert found["same cell", "counts"]["state"] == "failed"
    assert "another cell: fingerprints.events is" in found["same cell", "counts"]["told"]
    shutil.rmtree(bench.folder / "data" / "shop")
    done = bench.run("vet", "sent", "--json")
    assert {one["state"] for (check, _), one in findings(done).items() if check == "same cell"} == {
        "skipped"
    }


def test_a_contributed_row_says_whose_it_is_and_gives_way_to_one_made_here(bench, sent):
    clean(sent)
    place = bench.folder / "results" / "contributed" / "ann"
    shutil.copytree(sent, place, ignore=shutil.ignore_patterns(".work"))
    board = bench.run("leaderboard", "results")
    assert board.code == 0, board.err
    assert "Contributed by ann: run on another machine" in " ".join(board.out.split())
    assert bench.run("run", "-m", "counts", "-d", "shop").code == 0  # the cell, made here
    reading = read_results(bench.folder / "results")
    assert {one.label: one.contributor for one in reading.records} == {"counts": "", "noise": "ann"}
    assert "contributor" not in record_of(sent, "counts").read_text()


def test_only_a_folder_below_contributed_names_a_contributor():
    assert contributor_of("contributed/ann/shop/loo@2/pop/1.json") == "ann"
    assert contributor_of("shop/loo@2/contributed/1.json") == ""
    assert contributor_of("contributed/1.json") == ""


def ranks(greater):
    greater = np.asarray(greater, np.int32)
    users = [f"u{number}" for number in range(len(greater))]
    columns = {"user": users, "greater_full": greater, "equal_full": np.zeros_like(greater)}
    return pa.table(columns)


def test_ranks_that_differ_by_chance_pass_and_better_ones_do_not():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 50, 400)
    near = np.clip(base + rng.integers(-2, 3, 400), 0, None)
    assert hold(ranks(base), ranks(base)) == ("passed", "every rank is equal")
    assert hold(ranks(near), ranks(base))[0] == "passed"
    assert hold(ranks(base // 3), ranks(base))[0] == "failed"  # sent better than it is
    assert hold(ranks(base)[:-1], ranks(base)) == ("failed", "it asked other queries")
