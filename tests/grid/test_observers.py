"""Observers are told of copies, and nothing that one does changes or ends anything."""

import copy
import json
import pickle
import time

import pytest

from mmbench.grid import observer_process
from mmbench.grid.host import Interrupted
from mmbench.grid.observer_child import read_only
from mmbench.grid.observer_process import ObserverProcess
from mmbench.grid.observers import Narrator, Observers, Watchers, replay
from mmbench.grid.registry import UsageError
from mmbench.results.record import Record

RESULT = {"metrics": {"full": {"ndcg@10": 0.5}}, "curves": {"valid": [[0, 0.1], [1, 0.2]]}}

WRITES = [
    lambda told: told.update(metrics={}),
    lambda told: told.pop("metrics"),
    lambda told: told.popitem(),
    lambda told: told.clear(),
    lambda told: told.setdefault("more", 1),
    lambda told: told.__ior__({"more": 1}),
    lambda told: told["metrics"].__setitem__("full", {}),
    lambda told: told["metrics"]["full"].__setitem__("ndcg@10", 9.0),
    lambda told: told["metrics"].__delitem__("full"),
    lambda told: told["curves"]["valid"].append([2, 9.0]),
    lambda told: told["curves"]["valid"][0].__setitem__(1, 9.0),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_refused(write):
    told = read_only(RESULT)
    with pytest.raises((TypeError, AttributeError)):
        write(told)
    assert told == read_only(RESULT)


def test_it_is_a_copy_that_reads_like_what_it_was_made_of():
    told = read_only(RESULT)
    assert json.loads(json.dumps(told)) == RESULT
    assert told["metrics"] == RESULT["metrics"]
    dict.update(told["metrics"]["full"], {"ndcg@10": 9.0})  # who is bent on it harms himself alone
    assert RESULT["metrics"]["full"]["ndcg@10"] == 0.5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda told: pickle.loads(pickle.dumps(told))])
def test_its_copies_can_be_written_to(copied):
    plain = copied(read_only(RESULT))
    plain["metrics"]["full"]["ndcg@10"] = 0.6
    assert plain["metrics"] == {"full": {"ndcg@10": 0.6}}
    assert type(read_only(RESULT).copy()) is dict


SOURCE = """
import ctypes, json, os, signal, sys, time
from dataclasses import dataclass
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    path: str = "notes"

class Notes:
    Config = Config

    def __init__(self, config):
        self.path = config.path

    def write(self, *told):
        with open(self.path, "a") as file:
            file.write(json.dumps(told) + chr(10))

    @hookimpl
    def run_started(self, run): self.write("run_started", run)
    @hookimpl
    def cell_started(self, cell): self.write("cell_started", cell)
    @hookimpl
    def cell_logged(self, cell, step, values): self.write("cell_logged", step, values)
    @hookimpl
    def cell_finished(self, cell, result):
        self.write("cell_finished", cell["id"], result["metrics"])
    @hookimpl
    def run_finished(self, run): self.write("run_finished", run)

class Bad:
    @hookimpl
    def cell_started(self, cell): self.act(cell)

class Thrower(Bad):
    def act(self, cell): raise RuntimeError("no time")

class Leaver(Bad):
    def act(self, cell): sys.exit(3)

class Ender(Bad):
    def act(self, cell): os._exit(3)

class Crasher(Bad):
    def act(self, cell): ctypes.string_at(0)

class Sleeper(Bad):
    patience = 0.5

    def act(self, cell): time.sleep(3600)

class Stopper(Bad):
    patience = 0.5

    def act(self, cell): os.kill(os.getpid(), signal.SIGSTOP)

class Printer(Bad):
    def act(self, cell):
        print("[1]")
        os.write(1, b"[2]" + bytes([10]))
        os.system("echo [3]")

class Forger(Bad):
    def act(self, cell): cell["seed"] = 7

class Liar(Bad):
    def act(self, cell):
        for number in range(3, 20):
            try:
                os.write(number, b"[]" + bytes([10]))
            except OSError:
                pass

class Killer(Bad):
    def act(self, cell): os.killpg(0, signal.SIGTERM)

class Unready:
    @hookimpl
    def prepare(self): raise ImportError("no such library: pip install it")
    @hookimpl
    def run_started(self): ...

class Undone(Unready):
    def __init__(self): os._exit(7)
"""


@pytest.fixture
def watchers(tmp_path, monkeypatch):
    """Observers that are installed; all that they are called by, small letters."""
    info = tmp_path / "watchers-1.0.dist-info"
    info.mkdir()
    (tmp_path / "watchers.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: watchers\nVersion: 1.0\n")
    names = [
        line.split()[1].split("(")[0].strip(":") for line in SOURCE.splitlines() if "class " in line
    ]
    lines = "".join(f"{name.lower()} = watchers:{name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[mmbench.observers]\n{lines}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def heard(folder, name="notes"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def tell_all(watchers):
    for number in range(3):
        watchers.tell("cell_started", cell={"id": f"c{number}", "seed": 0})
        watchers.tell("cell_logged", cell={"id": f"c{number}"}, step=1, values={"loss": 0.5})
        watchers.tell("cell_finished", cell={"id": f"c{number}"}, result=RESULT)


BAD = {
    "thrower": "observer thrower failed in cell_started: RuntimeError: no time",
    "leaver": "observer leaver failed in cell_started: SystemExit: 3",
    "forger": "observer forger failed in cell_started: TypeError: an observer is told",
    "ender": "observer ender ended by itself (exit code 3), and 9 notices are lost to it",
    "crasher": "observer crasher ended by itself (exit code -11), and 9 notices are lost to it",
    "killer": "observer killer ended by itself (exit code -15), and 9 notices are lost to it",
    "sleeper": "observer sleeper was ended: it sat in cell_started for 0.5 s after the run, and 9",
    "stopper": "observer stopper was ended: it sat in cell_started for 0.5 s after the run, and 9",
    "liar": "observer liar",
    "printer": "",
}


@pytest.mark.parametrize("bad", BAD)
def test_what_one_does_neither_stops_nor_changes_what_others_hear(watchers, bad, caplog, capfd):
    with Watchers({bad: {}, "notes": {}}) as both:
        began = time.monotonic()
        tell_all(both)
        assert time.monotonic() - began < 1  # nobody waits for it
    words = [one[0] for one in heard(watchers)]
    assert words == ["cell_started", "cell_logged", "cell_finished"] * 3
    assert BAD[bad] in caplog.text
    out, err = capfd.readouterr()
    assert out == ""
    if bad == "printer":
        assert err.splitlines() == [f"observer printer: [{n}]" for _ in range(3) for n in (1, 2, 3)]


def test_one_that_is_slow_is_waited_for_as_long_as_it_gets_on(watchers, monkeypatch):
    source = SOURCE.replace("time.sleep(3600)", "time.sleep(1)").replace("= 0.5", "= 2")
    (watchers / "watchers.py").write_text(source)
    one = ObserverProcess("sleeper", {})
    for number in range(3):  # longer than its patience, all together
        one.tell("cell_started", {"cell": {"id": str(number)}})
    one.close()
    assert (one.count.done, one.process.returncode) == (3, 0)


def test_what_waits_for_a_hanging_one_is_bounded(watchers, monkeypatch, caplog):
    monkeypatch.setattr(observer_process, "BACKLOG", 100_000)
    one = ObserverProcess("stopper", {})
    for _ in range(20):
        one.tell("cell_started", {"cell": {"id": "x" * 50_000}})
    one.close()
    assert 15 <= one.lost < 20
    assert "20 notices are lost to it" in caplog.text


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "unready",
            {},
            "observer 'unready' of watchers 1.0 cannot be used: ImportError: no such lib",
        ),
        ("undone", {}, "observer 'undone' of watchers 1.0 cannot be used: its process ended with"),
        ("bad", {"a": 1}, "observer bad takes no options, and a was given"),
        ("notes", {"pth": "x"}, "observer notes has no option 'pth'. Did you mean path?"),
        ("note", {}, "no observer is called 'note'. Did you mean notes"),
    ],
)
def test_one_that_cannot_be_used_says_so_before_anything_runs(watchers, name, options, said):
    with pytest.raises(UsageError) as refused:
        Watchers({"notes": {}, name: options})
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("stop", [Interrupted, OSError])
def test_the_end_of_a_run_is_told_where_something_stopped_it(watchers, stop):
    observers = Observers(Narrator(print), ["notes:path=a"])
    with pytest.raises(stop), observers.told_of_run([], [], watchers):
        raise stop
    assert heard(watchers, "a") == [
        ["run_started", {"results": str(watchers), "due": [], "stored": []}],
        ["run_finished", {"results": str(watchers), "ended": {}, "stopped": stop.__name__}],
    ]


def test_stored_cells_are_told_again_in_the_order_that_they_ran_in(watchers, make_cell):
    curves = {"loss": [(0, 1.0), (2, 0.5)], "valid": [(2, 0.1)]}
    metrics = {"full": {"ndcg@10": 0.5}}
    first, last = (
        Record(
            cell=make_cell(seed=seed),
            label=f"m{seed}",
            status={"kind": "done"},
            started=f"2026-01-0{2 - seed}",
            curves=curves,
            metrics=metrics,
        )
        for seed in (1, 0)
    )
    assert replay([last, first], watchers, Watchers({"notes": {}})) == 2
    start, *told, end = heard(watchers)
    assert [cell["label"] for cell in start[1]["stored"]] == ["m1", "m0"]
    assert end[1]["ended"] == {}
    once = ["cell_started", "cell_logged", "cell_logged", "cell_finished"]
    assert [one[0] for one in told] == once * 2
    assert told[0][1] == {
        **first.cell.to_json(),
        **{"label": "m1", "preset": "paper", "replayed": True},
    }
    assert told[1:4] == [
        ["cell_logged", 0, {"loss": 1.0}],
        ["cell_logged", 2, {"loss": 0.5, "valid": 0.1}],
        ["cell_finished", first.cell.id, metrics],
    ]
    assert told[4][1]["id"] == last.cell.id
