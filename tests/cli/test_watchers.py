"""Observers of a run: told of everything, able to change and stop nothing."""

import json

RUN = ["run", "-m", "counts,noise", "-d", "shop"]


WATCHERS = '''
import os, sys, time
from dataclasses import dataclass
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    """Options.

    Attributes:
        end: what each line ends with.
    """

    end: str = chr(10)

class Notes:
    """Notes it all. And no more."""

    Config = Config

    def __init__(self, config):
        self.end = config.end

    def write(self, *words):
        with open(os.environ["NOTES"], "a") as file:
            print(*words, file=file, end=self.end)

    @hookimpl
    def run_started(self, run):
        for kind in ("due", "stored"):
            self.write(kind, *(f"{cell['label']}/{cell['preset']}" for cell in run[kind]))

    @hookimpl
    def cell_stored(self, cell, result):
        self.write("stored", cell["label"], result["status"]["kind"])

    @hookimpl
    def run_finished(self, run):
        self.write("ended", run["ended"], run["stopped"] or "-")

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

class Printer:
    @hookimpl
    def cell_finished(self, cell):
        print("[printed]")
        os.write(1, b"[written]" + bytes([10]))

class Sleeper:
    patience = 1

    @hookimpl
    def cell_started(self):
        time.sleep(3600)

class Ender:
    @hookimpl
    def cell_started(self):
        os._exit(3)

class Unready:
    @hookimpl
    def prepare(self):
        raise ImportError("no such library: pip install it")

class Thrower:
    @hookimpl
    def cell_started(self, cell):
        raise RuntimeError("no time")

class Wrong:
    @hookimpl
    def cell_stopped(self, cell): ...
'''


def test_an_observer_cannot_change_what_is_printed_or_told_to_others(bench):
    names = {
        name.lower(): name for name in ("Forger", "Leaver", "Printer", "Sleeper", "Ender", "Notes")
    }
    bench.add("watchers", WATCHERS, group="mmbench.observers", **names)
    bench.environment["NOTES"] = str(bench.folder / "notes")
    run = [*RUN, "--in-process", "--out", "told", "--json"]
    told = bench.run(*run, *(word for name in names for word in ("--observer", name)))
    assert told.code == 0, told.err
    for hook in ("cell_started", "cell_logged", "cell_finished"):
        assert f"observer forger failed in {hook}: TypeError: an observer is told" in told.err
    assert "observer leaver failed in cell_finished: SystemExit: 3" in told.err
    assert "observer printer: [printed]\nobserver printer: [written]" in told.err
    assert "observer sleeper was ended: it sat in cell_started for 1 s after the run" in told.err
    assert "observer ender ended by itself (exit code 3)" in told.err
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
        "due counts/paper noise/paper",
        "stored",
        "started counts",
        "logged counts 0 valid",
        "logged counts 1 valid",
        "finished counts done",
        "started noise",
        "finished noise done",
        "ended {'done': 2} -",
    ]
    (bench.folder / "notes").unlink()
    assert bench.run(*run, "--seeds", "1", "--observer", "notes").code == 0
    assert (bench.folder / "notes").read_text().splitlines() == [
        "due",
        "stored counts/paper noise/paper",
        "stored counts done",
        "stored noise done",
        "ended {} -",
    ]
    wrong = bench.run(*run, "--observer", "wrong")
    assert wrong.code == 2
    assert "observer 'wrong' of watchers 1.0 cannot be used" in wrong.err
    assert "there is no hook 'cell_stopped'. Did you mean cell_stored or cell_started" in wrong.err


def test_one_that_is_not_ready_ends_the_command_before_data_are_read(bench):
    bench.add("watchers", WATCHERS, group="mmbench.observers", unready="Unready", notes="Notes")
    refused = bench.run(*RUN, "--observer", "unready")
    assert refused.code == 2
    said = "observer 'unready' of watchers 1.0 cannot be used: ImportError: no such library"
    assert said in refused.err
    typo = bench.run(*RUN, "--dry-run", "--observer", "notes:ent=x")
    assert (typo.code, "has no option 'ent'. Did you mean end?" in typo.err) == (2, True)
    for done in (refused, typo):
        assert "reading the plan" not in done.out + done.err
    assert not list(bench.folder.glob("cache/*"))


def test_stored_cells_are_told_again_on_request(bench):
    bench.add("watchers", WATCHERS, group="mmbench.observers", notes="Notes")
    bench.environment["NOTES"] = str(bench.folder / "notes")
    run = ["run", "-m", "counts", "-d", "shop", "--in-process"]
    assert bench.run(*run).code == 0
    (bench.folder / "grid.toml").write_text('observers = ["notes"]\n')
    assert bench.run(run[0], "grid.toml", *run[1:], "--replay", "--seeds", "2").code == 0
    logged = ["logged counts 0 valid", "logged counts 1 valid"]
    told = ["started counts", *logged, "finished counts done"]
    assert (bench.folder / "notes").read_text().splitlines() == [
        *("due counts/paper", "stored counts/paper", *told, "stored counts done", *told),
        "ended {'done': 1} -",
    ]
    (bench.folder / "notes").unlink()
    again = bench.run("replay", "results", "--observer", "notes:end=;")
    assert (again.code, again.out) == (0, "told of 2 stored cells\n")
    heard = (bench.folder / "notes").read_text().split(";")
    assert heard == ["due", "stored counts/paper counts/paper", *told, *told, "ended {} -", ""]
    nowhere = bench.run("replay", "nowhere", "--observer", "notes")
    assert (nowhere.code, "nowhere is not a folder of results" in nowhere.err) == (2, True)


def test_an_observer_tells_its_options(bench):
    bench.add(
        "watchers", WATCHERS, group="mmbench.observers", notes="Notes", ender="Ender", wrong="Wrong"
    )
    card = json.loads(bench.run("ls", "observers", "notes", "--json").out)
    assert card["summary"] == "Notes it all"
    assert card["options"] == [
        {"name": "end", "type": "str", "default": "\n", "meaning": "what each line ends with"}
    ]
    shown = bench.run("ls", "observers", "notes").out
    assert "what each line ends with" in shown
    assert "--observer notes:name=value" in shown
    assert "no options" in bench.run("ls", "observers", "ender").out
    refusals = {"wrong": "there is no hook 'cell_stopped'", "note": "Did you mean notes"}
    for name, said in refusals.items():
        refused = bench.run("ls", "observers", name)
        assert (refused.code, said in refused.err) == (2, True)
