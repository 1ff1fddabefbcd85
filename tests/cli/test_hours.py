"""What is known of how long a run takes is said before it starts, and hours want a word."""

import json

LONG = ["run", "-m", "counts,noise", "-d", "shop", "--set", "counts.sleep=5000"]


def test_hours_are_said_and_start_only_with_yes(bench):
    refused = bench.run(*LONG)
    assert refused.code == 2
    assert "2 of 2 cells to run, about 2h 47m" in refused.out
    assert "this takes about 2h 47m: add --yes to start it" in " ".join(refused.err.split())
    assert not (bench.folder / "results").exists()
    shorter = bench.run(*LONG, "--jobs", "2", "--seeds", "2", "--dry-run")
    assert shorter.code == 0
    lines = [line.split() for line in shorter.out.splitlines()]
    assert lines[0][-1] == "about"
    assert lines[1][-2:] == ["5h", "33m"]  # two seeds
    assert lines[2][-2:] == ["to", "run"]  # nothing is known of noise


def test_yes_starts_it_and_what_is_stored_tells_better(bench):
    # a class that declares hours and takes a moment
    bench.run(*LONG[:-2], "--set", "counts.sleep=0.01", "--seeds", "1")
    stored = [json.loads(path.read_text()) for path in bench.folder.glob("results/**/*.json")]
    took = {record["label"].split("[")[0]: record["seconds"] for record in stored}
    plan = bench.run(
        *LONG[:-2], "--set", "counts.sleep=0.01", "--seeds", "2", "--dry-run", "--json"
    ).json
    told = {(row["label"].split("[")[0], row["seed"]): row["seconds"] for row in plan}
    assert told["counts", 1] == took["counts"]
    assert told["noise", 1] == took["noise"]
    other = bench.run(*LONG[:-2], "--set", "counts.sleep=0.25", "--dry-run", "--json").json
    assert round(other[0]["seconds"], 2) == 0.50
    assert other[1]["seconds"] == took["noise"]


def test_yes_is_taken(bench, tmp_path):
    started = bench.run(*LONG, "--yes", "--timeout", "3s")
    assert started.code == 1
    assert "about 2h 47m" in started.out
    (record,) = [
        json.loads(path.read_text())
        for path in bench.folder.glob("results/**/*.json")
        if "counts" in path.as_posix()
    ]
    assert record["status"]["kind"] == "timeout"
