"""A search: on validation alone, kept, resumed, and told on the rows that use it."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import psutil
import pytest

from mmbench.grid import declared, plan, runner
from mmbench.grid.question import ask_question
from mmbench.grid.registry import ModelRef, Plugin
from mmbench.grid.runner import Circumstances
from mmbench.protocol import get_protocol
from mmbench.tune import study
from mmbench.tune.blind import TestFoldAsked, blind
from mmbench.tune.space import read_space

MODEL = '''
from dataclasses import dataclass
import time
import shelf
from mmbench import hookimpl

@dataclass(frozen=True)
class Config(shelf.CountsConfig):
    weight: float = 0.0
    broken: bool = False
    wait: float = 0.0

    def __post_init__(self):
        if self.weight > 5:
            raise ValueError("weight is above 5")

class Tunable(shelf.Counts):
    """Counts, or in part noise."""

    Config = Config
    presets = {"paper": Config()}

    @hookimpl
    def score(self, queries):
        if self.config.broken:
            raise RuntimeError("it broke")
        time.sleep(self.config.wait)
        return super().score(queries) * self.config.weight
'''
SPACE = """
name = "weights"
[settings]
weight = [0.0, 1.0, 9.0]
broken = [false, true]
"""


@pytest.fixture
def tuner(bench):
    """The command line with a model that can be tuned, and a space of six points for it."""
    bench.add("tunable", MODEL, tunable="Tunable")
    (bench.folder / "space.toml").write_text(SPACE)
    return bench


def tune(bench, *words, space="space.toml"):
    return bench.run("tune", "tunable", "-d", "shop", "--space", space, *words)


def test_a_grid_is_searched_kept_and_told_on_the_row(tuner):
    done = tune(tuner, "--trials", "6", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    values = {
        (one["settings"]["weight"], one["settings"]["broken"]): one["value"]
        for one in told["trials"]
    }
    assert len(values) == 6
    assert values[1.0, False] > values[0.0, False] > 0
    problems = {one["problem"].split(":")[0] for one in told["trials"] if one["value"] is None}
    assert problems == {"failed", "tunable"}  # it broke; weight is above 5
    best = told["best"]
    assert (best["trials"], best["failed"], best["settings"]) == (
        *(2, 4, {"weight": 1.0, "broken": False}),
    )
    assert best["value"] == max(value for value in values.values() if value is not None)
    assert not (tuner.folder / "results").exists()
    assert not list((tuner.folder / "tuning").rglob("*.parquet"))

    again = json.loads(tune(tuner, "--trials", "6", "--json").out)
    assert again == told  # nothing was run again

    ran = tuner.run("run", told["file"])
    assert ran.code == 0, ran.err
    (record,) = tuner.stored()
    assert record["cell"]["config"]["weight"] == 1.0
    assert record["tuning"]["study"] == told["study"]
    assert record["curves"]["tuning: trials"] == [[0, 6.0]]
    assert "Tuning: " in ran.out
    assert "trials 6" in ran.out

    changed = tuner.run("run", told["file"], "--set", "tunable.smoothing=0.5")
    assert changed.code == 0
    other = next(one for one in tuner.stored() if one["cell"]["config"]["smoothing"])
    assert other["tuning"] is None  # that config was never searched
    beside = ("run", "-m", "tunable,noise", "-d", "shop", "--tuned", told["file"], "--dry-run")
    rows = {row["label"]: row["state"] for row in tuner.run(*beside, "--json").json}
    assert rows == {"tunable[broken=false,weight=1.0]": "done", "noise": "new"}


def test_no_test_fold_is_in_reach_of_a_trial(log):
    question = ask_question(log, get_protocol("loo@2"))
    seen = blind(question)
    targets = question.split.test.target
    assert len(seen.log.item) == len(question.split.train.item) < len(question.log.item)
    assert seen.log.secret != question.log.secret or not any(question.log.secret)
    np.testing.assert_array_equal(seen.split.valid.target, question.split.valid.target)
    for look in (
        lambda: seen.split.test.target,
        lambda: seen.split.test.queries,
        lambda: len(seen.split.test),
        lambda: list(seen.split.test),
    ):
        with pytest.raises((TestFoldAsked, TypeError)):
            look()
    last = dict(zip(log.user, log.item, strict=True))  # the targets
    assert sorted(last[user] for user in question.split.test.user) == sorted(targets)
    train = seen.log
    lengths = np.bincount(log.user) - np.bincount(train.user, minlength=log.n_users)
    assert (lengths == 2).all()  # each user's test and validation events are gone


def test_a_whole_search_asks_nothing_of_the_test_fold(log, tmp_path, monkeypatch):
    """Whoever evaluates, or reads the fold, ends the search: none does."""

    def refuse(*args, **kwargs):
        raise TestFoldAsked("evaluated")

    models = Path(__file__).parents[1] / "models"
    monkeypatch.setenv("PYTHONPATH", str(models))
    monkeypatch.syspath_prepend(str(models))
    monkeypatch.setattr(
        declared, "find_model", lambda ref: Plugin("counts", "shelf:Counts", "mmbench-shelf", "1.0")
    )
    monkeypatch.setattr(study, "_plain", lambda model: "counts")
    monkeypatch.setattr(plan, "locate", lambda text: ModelRef("counts"))
    for name in ("evaluate", "evaluate_each", "rank_at_once", "rank_each"):
        monkeypatch.setattr(runner, name, refuse)
    what = study.Search(
        "counts", "walks", read_space("[settings]\nsmoothing = [0.0, 2.0]", "s.toml"), 2
    )
    found = study.search(
        what, tmp_path / "out", Circumstances(cache=tmp_path / "cache"), load=lambda name: log
    )
    assert [trial.problem for trial in found.trials] == ["", ""]
    assert found.best is not None


def test_an_interrupted_trial_is_run_again_and_the_rest_is_kept(tuner):
    (tuner.folder / "slow.toml").write_text("[settings]\nwait = [0.0, 0.7]\nweight = [1.0]\n")
    words = ("tune", "tunable", "-d", "shop", "--space", "slow.toml", "--trials", "2")
    process = tuner.start(*words)
    deadline = time.monotonic() + 90
    found = tuner.folder / "tuning"
    while not list(found.rglob("tuned.toml")):  # the first trial ended, the second is slow
        assert time.monotonic() < deadline, process.poll()
        time.sleep(0.1)
    while not psutil.Process(process.pid).children():  # which the second trial starts
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert process.returncode == 130, process.communicate()
    done = tuner.run(*words, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [one["settings"]["wait"] for one in told["trials"]] == [0.0, 0.7]
    assert all(one["value"] for one in told["trials"])
    assert told["trials"][1]["number"] > 1  # a trial of its own, the one cut short is not counted


def test_ranges_are_searched_by_a_seeded_sampler(tuner):
    (tuner.folder / "range.toml").write_text(
        "[settings]\nweight = { low = 0.5, high = 4.0 }\nepochs = { low = 1, high = 3 }\n"
        "smoothing = { low = 1e-3, high = 1.0, log = true }\n"
    )
    first = json.loads(tune(tuner, "--trials", "3", "--json", space="range.toml").out)
    for one in first["trials"]:
        assert 0.5 <= one["settings"]["weight"] <= 4.0
        assert one["settings"]["epochs"] in (1, 2, 3)
        assert one["settings"]["smoothing"] == float(f"{one['settings']['smoothing']:.4g}")
    elsewhere = ("--trials", "3", "--json", "--out", "elsewhere")
    second = json.loads(tune(tuner, *elsewhere, space="range.toml").out)
    assert [one["settings"] for one in first["trials"]] == [
        one["settings"] for one in second["trials"]
    ]
    assert first["study"] == second["study"]
    other = json.loads(tune(tuner, *elsewhere, "--seed", "1", space="range.toml").out)
    assert other["study"] != first["study"]


def test_what_was_held_goes_with_what_was_found(tuner):
    held = ("--set", "tunable.epochs=1", "--set", "tunable.smoothing=0.25", "--preset", "paper")
    told = json.loads(tune(tuner, "--trials", "6", *held, "--json").out)
    assert told["best"]["held"] == {"epochs": 1, "smoothing": 0.25}
    assert told["best"]["settings"] == {"weight": 1.0, "broken": False}
    ran = tuner.run("run", told["file"])
    assert ran.code == 0, ran.err
    (record,) = tuner.stored()
    assert record["cell"]["config"]["smoothing"] == 0.25
    assert record["tuning"]["study"] == told["study"]
    assert record["curves"]["tuning: settings searched"] == [[0, 2.0]]


def test_what_cannot_be_searched_is_told(tuner):
    (tuner.folder / "odd.toml").write_text("[settings]\nwidht = [1]\n")
    odd = tune(tuner, "--trials", "1", space="odd.toml")
    assert (odd.code, "tunable has no setting 'widht'" in odd.err) == (2, True)
    named = tune(tuner, "--trials", "1", space="prime")
    assert (named.code, "mmbench brings none" in named.err) == (2, True)
    two = tuner.run("tune", "tunable,noise", "-d", "shop", "--space", "space.toml")
    assert (two.code, "one model is tuned at a time" in two.err) == (2, True)
    (tuner.folder / "bad.toml").write_text("[settings]\nbroken = [true]\n")
    none = tune(tuner, "--trials", "1", space="bad.toml")
    assert (none.code, "no trial has a figure" in none.out) == (1, True)


def test_the_folder_holds_a_grid_file_and_no_pickle(tuner):
    told = json.loads(tune(tuner, "--trials", "6", "--json").out)
    folder = tuner.folder / told["folder"]
    assert {path.name for path in folder.iterdir()} == {"journal.jsonl", "tuned.toml"}
    for line in (folder / "journal.jsonl").read_text().splitlines():
        json.loads(line)
    tuned = tomllib.loads((folder / "tuned.toml").read_text())
    assert tuned["models"] == ["tunable"]
    assert tuned["tuned"]["tunable"]["settings"] == {"weight": 1.0, "broken": False}
    edited = (folder / "tuned.toml").read_text().replace("trials = 2", 'trials = "two"')
    (tuner.folder / "edited.toml").write_text(edited)
    refused = tuner.run("run", "edited.toml")
    assert (refused.code, "tuned.tunable.trials" in refused.err) == (2, True)


def test_a_damaged_journal_is_told_by_its_line_and_one_that_was_cut_goes_on(tuner):
    told = json.loads(tune(tuner, "--trials", "1", "--json").out)
    journal = tuner.folder / told["folder"] / "journal.jsonl"
    whole = journal.read_bytes()
    lines = whole.count(b"\n")
    for damage in (b'{"op_code":4,"wor\n', b"\xff\n", b"{}\n"):
        journal.write_bytes(whole + damage)
        refused = tune(tuner, "--trials", "2")
        assert refused.code == 2
        assert f"journal.jsonl: line {lines + 1} is damaged; cut the file before it" in refused.err
        assert "Traceback" not in refused.err
    journal.write_bytes(whole + b'{"op_code":4,"wor')  # as a full disk leaves it: no line's end
    assert len(json.loads(tune(tuner, "--trials", "2", "--json").out)["trials"]) == 2
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_settings_that_were_found_for_another_model_name_no_flag_that_was_not_given(tuner):
    told = json.loads(tune(tuner, "--trials", "6", "--json").out)
    refused = tuner.run("run", "-m", "noise", "-d", "shop", "--tuned", told["file"])
    assert refused.code == 2
    assert "tuned settings: tunable is not run" in refused.err
    assert "--set" not in refused.err


def test_help_needs_no_optuna():
    code = "import sys; sys.modules['optuna'] = None; from mmbench.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", code, "tune", "-h"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "mmbench tune lrurec" in done.stdout
