"""A plan in a file: what workers run by key, what they refuse, and what is found of it."""

import json
import os
import re
import signal
import time

import pytest

from mmbench.cluster.plan_file import read_plan
from mmbench.cluster.worker import demand_folder
from mmbench.grid.registry import UsageError

GRID = ["run", "-m", "counts,noise", "-d", "shop"]
FAITHLESS = """
import numpy as np, shelf
from mmbench import hookimpl

class Model(shelf.Noise):
    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        self.weights = self.weights[::-1].copy()
"""


@pytest.fixture
def planned(bench):
    """The keys of a plan of two cells, by label."""
    done = bench.run(*GRID, "--write-plan", "plan.json")
    assert done.code == 0, done.err
    assert "2 cells, 2 to run, in plan.json" in done.out
    plan = read_plan(bench.folder / "plan.json")
    return {cell.label: cell.key for cell in plan.cells}


def work(bench, key, **more):
    return bench.run("cell", key, "--plan", "plan.json", **more)


def test_cells_run_by_key_are_those_that_a_run_here_has(bench, planned):
    assert work(bench, planned["counts"]).code == 0
    assert bench.run(*GRID, "--out", "here").code == 0
    status = bench.run("status", "results", "--plan", "plan.json")
    assert status.out.startswith("plan ") and ": 1 done, 1 waiting" in status.out
    assert "waiting noise on shop, seed 0" in status.out
    again = work(bench, planned["counts"])
    assert again.code == 0 and "done counts on shop, seed 0" in again.out
    assert work(bench, planned["noise"]).code == 0
    ranks = [
        {path.name: path.read_bytes() for path in bench.folder.glob(f"{out}/*/*/*/*.parquet")}
        for out in ("results", "here")
    ]
    assert len(ranks[0]) == 4
    assert ranks[0] == ranks[1]
    assert list((bench.folder / "results" / ".work").iterdir()) == []
    told = json.loads(bench.run("status", "results", "-p", "plan.json", "--json").out)
    assert (told["done"], told["waiting"], told["running"]) == (2, [], [])


def test_other_code_other_data_and_no_model_are_refused_and_nothing_is_stored(bench, planned):
    source = bench.folder / "data" / "shop" / "sequences.txt"
    before = source.read_text()
    source.write_text(before + "u900 i1 i2 i3 i4 i5\n")
    other = work(bench, planned["counts"])
    assert other.code == 2
    assert "counts would be cell " in other.err
    assert "fingerprints.events " in other.err
    source.write_text(before)
    bench.add("faithless", FAITHLESS, faithless="Model")
    assert bench.run("run", "-m", "faithless", "-d", "shop", "--write-plan", "b.json").code == 0
    (entry,) = read_plan(bench.folder / "b.json").cells
    module = bench.folder / "site" / "faithless.py"
    module.write_text(module.read_text().replace("[::-1]", "[::1]"))
    other = bench.run("cell", entry.key, "--plan", "b.json")
    assert other.code == 2 and re.search(r"planned: code \w+, here \w+$", other.err.strip())
    module.unlink()
    for info in bench.folder.glob("site/faithless*.dist-info/*"):
        info.unlink()
    gone = bench.run("cell", entry.key, "--plan", "b.json")
    assert gone.code == 2 and "no model is called 'faithless'" in gone.err
    assert not list(bench.folder.glob("results/*/*/*/*.json"))


def test_what_is_no_plan_is_refused(bench, planned):
    near = work(bench, "123456789abc")
    assert near.code == 2 and "the plan has no cell '123456789abc'" in near.err
    path = bench.folder / "plan.json"
    whole = path.read_text()
    for text, said in [
        (whole.replace('"seed":0', '"seed":1'), "was edited"),
        ("{", "is not a plan"),
        ("[]", "is not a plan"),
        ('{"digest": "", "cells": 3}', "is no plan that mmbench"),
    ]:
        path.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_plan(path)


@pytest.mark.parametrize("place", ["s3://bucket/results", "gs:/bucket", "https://host/x"])
def test_what_is_no_folder_is_refused_with_the_reason(tmp_path, place):
    from pathlib import Path

    with pytest.raises(UsageError, match="an object store has not"):
        demand_folder(Path(place))
    demand_folder(tmp_path)


def test_an_order_to_leave_gives_the_cell_back_and_another_worker_goes_on(bench):
    slow = ["run", "-m", "counts/slow", "-d", "shop", "--set", "counts.epochs=40"]
    assert bench.run(*slow, "--write-plan", "plan.json").code == 0
    (entry,) = read_plan(bench.folder / "plan.json").cells
    worker = bench.start("cell", entry.key, "--plan", "plan.json")
    end = time.monotonic() + 60
    while not list(bench.folder.glob("results/.work/*.progress")) and time.monotonic() < end:
        time.sleep(0.05)
    told = bench.run("status", "results", "--plan", "plan.json")
    assert re.search(r"running counts/slow\S* on shop, seed 0, on \S+:\d+, sign of", told.out)
    assert "of 40 epochs" in told.out
    worker.send_signal(signal.SIGUSR1)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 75, err
    assert "given back" in out
    names = {path.name for path in (bench.folder / "results" / ".work").iterdir()}
    assert names == {f"{entry.key}.lease-1", f"{entry.key}.lease-1.progress"}
    os.utime(bench.folder / "results" / ".work" / f"{entry.key}.lease-1", (0, 0))  # no pause
    told = bench.run("status", "results", "--plan", "plan.json")
    assert "lost counts/slow" in told.out and "was asked to leave" in told.out
    assert work(bench, entry.key).code == 0
    assert list((bench.folder / "results" / ".work").iterdir()) == []
