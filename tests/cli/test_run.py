"""``mmbench run`` from outside: what it plans, prints and stores, and how it ends."""

import json

import pyarrow.parquet as pq

from mmbench.grid import landlock

RUN = ["run", "-m", "counts,noise", "-d", "shop"]


def cells(outcome):
    """Identity of each planned cell, from ``--dry-run --json``."""
    assert outcome.code == 0, outcome.err
    return [row["cell"] for row in outcome.json]


def ranks(folder):
    """Path inside a folder of results to the columns there."""
    found = folder.rglob("*.ranks.parquet")
    return {str(path.relative_to(folder)): pq.read_table(path).to_pydict() for path in found}


def test_a_grid_file_and_flags_mean_the_same(bench):
    (bench.folder / "grid.toml").write_text(
        'models = ["counts", "noise/topk"]\ndata = ["shop"]\nprotocol = "loo@2"\nseeds = [0, 1]\n'
        'preset = "paper"\nlimit = 20\n[set.counts]\nsmoothing = 0.5\n'
    )
    flags = ["-m", "counts,noise/topk", "-d", "shop", "--protocol", "loo@2", "--seeds", "2"]
    flags += ["--preset", "paper", "--limit", "20", "--set", "counts.smoothing=0.5"]
    plan = ["--dry-run", "--json"]
    from_file = cells(bench.run("run", "grid.toml", *plan))
    assert len(from_file) == 4
    assert from_file == cells(bench.run("run", *flags, *plan))
    assert from_file[0]["config"]["smoothing"] == 0.5
    # a flag wins over the file, and settings add up
    words = ["run", "grid.toml", "--seeds", "0,1", "-m", "counts", "--set", "counts.epochs=3"]
    assert [(cell["seed"], cell["config"]) for cell in cells(bench.run(*words, *plan))] == [
        (seed, {"smoothing": 0.5, "sleep": 0.0, "epochs": 3}) for seed in (0, 1)
    ]
    assert not (bench.folder / "results").exists()


def test_a_dry_run_shows_the_plan_in_plain_lines(bench):
    shown = bench.run(*RUN, "--seeds", "2", "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["model", "preset", "dataset", "seeds", "state"],
        ["counts", "paper", "shop", "0,1", "2", "to", "run"],
        ["noise", "paper", "shop", "0,1", "2", "to", "run"],
    ]


def test_json_is_all_that_is_on_stdout(bench):
    done = bench.run(*RUN, "--limit", "30", "--json")
    assert done.code == 0
    assert [record["label"] for record in done.json] == ["counts", "noise"]
    assert all(record["cell"]["limit"] == 30 for record in done.json)
    assert "done counts on shop" in done.err
    board = bench.run("leaderboard", "results")
    assert "Smoke run" in board.out
    assert json.loads(bench.run("leaderboard", "results", "--json").out)


def test_neither_jobs_nor_the_process_change_a_rank(bench):
    words = [*RUN, "--seeds", "2"]
    whole = {}
    for name, way in {"alone": [], "jobs": ["--jobs", "2"], "thread": ["--in-process"]}.items():
        done = bench.run(*words, *way, "--out", name, "--json")
        assert done.code == 0, done.err
        process = f"landlock:{landlock.abi()}" if landlock.abi() else "process"
        wall = "none" if name == "thread" else process
        assert {record["wall"] for record in done.json} == {wall}
        whole[name] = ranks(bench.folder / name)
        assert len(whole[name]) == 4
    assert whole["alone"] == whole["jobs"] == whole["thread"]
    assert "process" in bench.run("leaderboard", "thread").out  # a note says so


def test_limits(bench):
    bench.add(
        "eater",
        "import time, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        self.kept = b'x' * 2**30\n"
        "        time.sleep(60)\n",
        eater="Model",
    )
    slow = ["run", "-m", "counts", "-d", "shop", "--set", "counts.sleep=60", "--json"]
    late = bench.run(*slow, "--timeout", "3s")
    assert late.code == 1
    (record,) = late.json
    assert record["status"]["kind"] == "timeout"
    assert record["status"]["reason"] == "not done after the limit of 3 s"
    big = bench.run("run", "-m", "eater,noise", "-d", "shop", "--memory", "600M", "--json")
    assert big.code == 1
    eater, noise = big.json
    assert eater["status"]["kind"] == "out-of-memory"
    assert eater["status"]["reason"] == "used more than the limit of 600 MiB"
    assert noise["status"]["kind"] == "done"
    assert noise["cost"]["peak_memory_mb"] < 600


def test_what_is_stored_is_run_again_only_when_asked(bench):
    bench.add(
        "moody",
        "import os, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        super().fit(train, run)\n"
        "        if 'GOOD' not in os.environ:\n"
        "            raise ValueError('not [today]')\n",
        moody="Model",
    )
    run = ["run", "-m", "moody,noise", "-d", "shop", "--in-process"]
    first = bench.run(*run)
    assert first.code == 1
    assert "failed moody on shop, seed 0: ValueError: not [today]" in first.out
    assert "ValueError: not [today]" in first.out.rpartition("Model")[2]  # and where it came from
    bench.environment["GOOD"] = "1"
    for overwrite, count, code in (("never", 0, 1), ("failed", 1, 0), ("failed", 0, 0)):
        again = bench.run(*run, "--overwrite", overwrite)
        assert f"{count} of 2 cells to run" in again.out
        assert again.code == code
    assert "2 of 2 cells to run" in bench.run(*run, "--overwrite", "always").out
