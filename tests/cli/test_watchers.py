"""Observers of a run: told of everything, able to change and stop nothing."""

RUN = ["run", "-m", "counts,noise", "-d", "shop"]


WATCHERS = """
import os
from mmbench import hookimpl

class Notes:
    def write(self, *words):
        with open(os.environ["NOTES"], "a") as file:
            print(*words, file=file)

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
