"""The command line from outside: every command, what it prints where, and how it ends."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmbench.grid import landlock

RUN = ["run", "-m", "counts,noise", "-d", "shop"]
ESCAPE = "\x1b"


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-m", "cunts", "-d", "shop"], "no model is called 'cunts'. Did you mean counts?"),
        (["run", "-m", "counts", "-d", "shp"], "no dataset 'shp'; did you mean 'shop'?"),
        ([*RUN, "--protocol", "lo@1"], "unknown protocol 'lo@1'; did you mean 'loo@2'?"),
        ([*RUN, "--set", "counts.epoch=1"], "no setting 'epoch'. Did you mean epochs?"),
        ([*RUN, "--set", "count.epochs=1"], "count is not run. Did you mean counts?"),
        ([*RUN, "--set", "counts.epochs=x"], "counts: epochs: Input should be a valid integer"),
        (["run", "-m", "noise/topj", "-d", "shop"], "no variant 'topj'. Did you mean topk?"),
        ([*RUN, "--preset", "papr"], "--preset is auto, paper or tiny, not papr"),
        ([*RUN, "--overwrite", "no"], "--overwrite is one of never, failed, always, not no"),
        ([*RUN, "--timeout", "soon"], "--timeout takes 90s, 30m or 2h, not 'soon'"),
        ([*RUN, "--memory", "0"], "--memory takes 800M or 8G, not '0'"),
        ([*RUN, "--seeds", "many"], "seeds is a count or a list"),
        ([*RUN, "--in-proces"], "--in-process"),
        ([*RUN, "--observer", "spy"], "no observer is called 'spy'"),
        (["run", "-m", "noise"], "say which data"),
        (["run", "absent.toml"], "cannot read absent.toml: No such file"),
        (["run", "-m", "noise", "-d", "toys"], "How to get it:"),
        (["data", "describe", "toys"], "is known, but not on this machine"),
        (["ls", "model"], "say one of: models, data, protocols"),
        (["leaderboard", "nowhere"], "nowhere is not a folder of results"),
        (["audit", "nothing.csv"], "does not exist"),
        (["rum"], "Did you mean 'run'"),
    ],
)
def test_a_mistake_ends_with_code_2_and_a_hint(bench, words, message):
    done = bench.run(*words, *(["--in-process"] if words[0] == "run" else []))
    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_broken_plugins_are_rows_that_name_the_package_and_others_run(bench):
    bench.add("absent", "import nothing_of_this_name\n", absent="Model")
    bench.add("leaver", "raise SystemExit(3)\n", leaver="Model")
    bench.add("crasher", "import os\nos._exit(7)\n", crasher="Model")
    bench.add("shapeless", "class Model: ...\n", shapeless="Model")
    words = ["run", "-m", "absent,leaver,crasher,shapeless,noise", "-d", "shop"]
    done = bench.run(*words)
    assert done.code == 1
    for line in (
        "broken absent: absent 1.0: ModuleNotFoundError: No module named 'nothing_of_this_name'",
        "broken leaver: leaver 1.0: SystemExit: 3",
        "broken crasher: crasher 1.0: the process ended with exit code 7",
        "broken shapeless: shapeless 1.0: ContractError: shapeless:Model (shapeless 1.0) has no "
        "hook fit and no score",
    ):
        assert line in done.out
    assert "done noise on shop, seed 0" in done.out
    listed = bench.run(*words, "--json").json
    assert [row.get("state", "done") for row in listed] == ["broken"] * 4 + ["done"]


def test_a_name_that_two_packages_claim(bench):
    bench.install("rival", "mmbench-rival", noise="shelf:Counts")
    done = bench.run("run", "-m", "noise", "-d", "shop")
    assert done.code == 2
    assert "mmbench-rival (shelf:Counts) and mmbench-shelf (shelf:Noise)" in done.err
    listed = bench.run("ls", "models", "--json")
    assert listed.code == 0
    twice = [row["package"] for row in listed.json if row["problem"] == "name declared twice"]
    assert twice == ["mmbench-rival", "mmbench-shelf"]


def test_listing_imports_no_plugin(bench):
    trace = bench.folder / "imported"
    source = (
        f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nimport shelf\nM = shelf.Noise\n"
    )
    bench.add("loud", source, loud="M")
    bench.add("loud_data", source, group="mmbench.datasets", shouting="M")
    for what, name in (("models", "loud"), ("data", "shouting"), ("protocols", "loo@2")):
        shown = bench.run("ls", what)
        assert shown.code == 0
        assert name in shown.out
        assert name in bench.run("ls", what, "--json").out
    assert not trace.exists()
    assert bench.run("run", "-m", "loud", "-d", "shop", "--dry-run", "--in-process").code == 0
    assert trace.exists()


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


def test_describe_prints_a_card(bench):
    shown = bench.run("data", "describe", "shop")
    assert shown.code == 0
    assert "60" in shown.out
    card = json.loads(bench.run("data", "describe", "shop", "--json").out)
    assert (card["users"], card["items"]) == (60, 40)


def test_help_and_version(bench):
    for words in (["--help"], ["run", "-h"], ["data", "-h"], ["audit", "-h"], ["demo", "-h"]):
        shown = bench.run(*words)
        assert shown.code == 0
        assert ESCAPE not in shown.out
    shown = " ".join(bench.run("run", "-h").out.split())
    assert "Examples: mmbench run --models" in shown
    assert bench.run("--version").out.startswith("mmbench ")


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


WATCHERS = """
import os
from mmbench import hookimpl

class Notes:
    def write(self, *words):
        with open(os.environ["NOTES"], "a") as file:
            print(*words, file=file)

    @hookimpl
    def cell_started(self, cell):
        self.write("started", cell["model"])

    @hookimpl
    def cell_logged(self, cell, step, values):
        self.write("logged", cell["model"], step, *values)

    @hookimpl
    def cell_finished(self, cell, result):
        self.write("finished", cell["model"], result["status"]["kind"])

class Forger:
    @hookimpl
    def cell_started(self, cell):
        cell["seed"] = 7

    @hookimpl
    def cell_logged(self, values):
        values.clear()

    @hookimpl
    def cell_finished(self, result):
        for figures in result["metrics"].values():
            figures.update({name: 9.0 for name in figures})

class Leaver:
    @hookimpl
    def cell_finished(self, result):
        raise SystemExit(3)

class Thrower:
    @hookimpl
    def cell_started(self, cell):
        raise RuntimeError("no time")

class Wrong:
    @hookimpl
    def cell_stopped(self, cell): ...
"""


def test_an_observer_cannot_change_what_is_printed_or_told_to_others(bench):
    names = {"forger": "Forger", "leaver": "Leaver", "notes": "Notes"}
    bench.add("watchers", WATCHERS, group="mmbench.observers", **names)
    bench.environment["NOTES"] = str(bench.folder / "notes")
    run = [*RUN, "--in-process", "--out", "told", "--json"]
    told = bench.run(*run, *(word for name in names for word in ("--observer", name)))
    assert told.code == 0, told.err
    for hook in ("cell_started", "cell_logged", "cell_finished"):
        assert f"observer forger failed in {hook}: TypeError: an observer is told" in told.err
    assert "observer leaver failed in cell_finished: SystemExit: 3" in told.err
    alone = bench.run(*RUN, "--in-process", "--out", "alone", "--json")
    for ours, theirs in zip(told.json, alone.json, strict=True):
        assert (ours["cell"], ours["metrics"]) == (theirs["cell"], theirs["metrics"])
    assert "logged counts 0 valid" in (bench.folder / "notes").read_text()


def test_observers_are_told_and_stop_nothing(bench):
    bench.add(
        "watchers",
        WATCHERS,
        group="mmbench.observers",
        notes="Notes",
        thrower="Thrower",
        wrong="Wrong",
    )
    bench.environment["NOTES"] = str(bench.folder / "notes")
    run = [*RUN, "--in-process"]
    done = bench.run(*run, "--observer", "thrower", "--observer", "notes", "--observer", "thrower")
    assert done.code == 0, done.err
    assert "observer thrower failed in cell_started: RuntimeError: no time" in done.err
    assert "Traceback" not in done.err
    assert (bench.folder / "notes").read_text().splitlines() == [
        "started counts",
        "logged counts 0 valid",
        "logged counts 1 valid",
        "finished counts done",
        "started noise",
        "finished noise done",
    ]
    wrong = bench.run(*run, "--observer", "wrong")
    assert wrong.code == 2
    assert "observer 'wrong' of watchers 1.0 cannot be used" in wrong.err
    assert "there is no hook 'cell_stopped'. Did you mean cell_started" in wrong.err


def test_what_cannot_apply_is_planned_so_and_recorded(bench):
    bench.install("painter", "mmbench-painter", painter="shelf:Painter")
    run = ["run", "-m", "painter,noise", "-d", "shop", "--seeds", "2", "--in-process"]
    why = "not applicable: needs images, which the data has not"
    planned = bench.run(*run, "--dry-run")
    assert f"2 {why}" in " ".join(planned.out.split())
    row = bench.run(*run, "--dry-run", "--json").json[0]
    assert (row["state"], row["inapplicable"]) == ("not-applicable", why.partition(": ")[2])
    done = bench.run(*run)
    assert done.code == 0  # beside rows that are done
    assert "2 of 4 cells to run" in done.out
    assert "not-applicable painter on shop, seed 0: needs images" in done.out
    again = bench.run(*run)
    assert "0 of 4 cells to run" in again.out
    assert "not-applicable painter" not in again.out  # it is recorded, and not once more
    assert len(list(bench.folder.glob("results/shop/*/painter/*.json"))) == 2
    alone = bench.run("run", "-m", "painter", "-d", "shop", "--in-process", "--json")
    assert alone.code == 1  # nothing could be run
    assert alone.json[0]["status"]["kind"] == "not-applicable"


def test_what_starts_from_what_cannot_apply_does_not_either(bench):
    bench.add(
        "vain",
        "from dataclasses import dataclass\nimport shelf\nfrom mmbench import hookimpl\n"
        "@dataclass(frozen=True)\nclass C:\n    k: int = 0\n    init: str = 'blind'\n"
        "class Blind(shelf.Products):\n    needs = frozenset({'image'})\n"
        "class Model(shelf.Noise):\n    Config, presets, upstream = C, {'paper': C()}, 'init'\n",
        vain="Model",
        blind="Blind",
    )
    run = ["run", "-m", "vain,noise", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert done.code == 0
    assert "1 of 2 cells to run" in done.out
    reason = "starts from blind, which needs images, which the data has not"
    assert f"not-applicable vain[init=blind] on shop, seed 0: {reason}" in done.out


def test_a_stand_in_is_told_marked_and_never_the_paper_s_rival(bench):
    bench.install("feigned", "mmbench-feigned", feigned="shelf:Feigned", quick="shelf:Quick")
    bench.environment["CUDA_VISIBLE_DEVICES"] = ""
    run = ["run", "-m", "feigned,quick", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert "no CUDA GPU: stand-ins run for feigned (--preset paper runs the real ones)" in done.out
    feigned, quick = bench.run(*run, "--json").json
    assert (feigned["label"], feigned["stand_in"]) == ("feigned (tiny)", True)
    assert (quick["label"], quick["stand_in"]) == ("quick", False)
    (board,) = bench.run("leaderboard", "results", "--json").json["boards"]
    marked = {row["name"]: "stand-in" in " ".join(row["notes"]) for row in board["rows"]}
    assert marked == {"feigned (tiny)": True, "quick": False}
    asked = bench.run(*run, "--preset", "tiny", "--dry-run").out
    assert "no CUDA GPU" not in asked  # it was asked for
    assert "quick/tiny" in asked


@pytest.mark.parametrize("named", ["'tiny'", "('tniy',)", "('paper',)", "(3,)"])
def test_stand_ins_are_sizes_of_presets(bench, named):
    bench.add("vain", f"import shelf\nclass M(shelf.Feigned):\n    stand_ins = {named}\n", vain="M")
    done = bench.run("run", "-m", "vain", "-d", "shop")
    assert done.code == 1
    assert "ContractError: vain:M (vain 1.0): stand_ins names" in done.out
