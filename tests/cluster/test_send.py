"""The parent: what is sent again and how often, what is not, and how ends are found."""

import threading

import pytest

from mmbench.cluster import send as sending
from mmbench.cluster.send import Ended
from mmbench.grid.asked import Grid
from mmbench.grid.host import Interrupted
from mmbench.grid.runner import Circumstances
from mmbench.results.store import record_path
from mmbench.running import plan_grid


class Workers:
    """Workers that end as ``ways`` says, a way an attempt; then all store their record."""

    def __init__(self, ways, store):
        self.ways, self.store = ways, store
        self.sent, self.ended, self.cancelled = [], [], False

    def start(self, plan, path, results):
        assert path.is_file()
        self.results = results

    def submit(self, cells):
        for cell in cells:
            before = self.sent.count(cell.label)
            self.sent.append(cell.label)
            ways = self.ways.get(cell.label, [])
            way = ways[before] if before < len(ways) else "stored"
            if way == "stored":
                self.store(cell)
            if way == "interrupt":
                raise KeyboardInterrupt
            self.ended.append(Ended(cell.key, way, f"reason {before}"))

    def poll(self):
        ended, self.ended = self.ended, []
        return ended

    def cancel(self):
        self.cancelled = True


class Notes:
    def __init__(self):
        self.heard = []

    def cell_started(self, row):
        self.heard.append(("started", row.label))

    def cell_event(self, row, event):
        self.heard.append((event["event"], row.label))

    def cell_finished(self, row, record):
        self.heard.append((record.status.kind, row.label))


@pytest.fixture
def sent(bench, monkeypatch, tmp_path):
    """``sent(ways)``: a grid of two cells that such workers run."""
    for name, value in bench.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(bench.folder / "site"))
    monkeypatch.syspath_prepend(bench.environment["PYTHONPATH"].split(":")[1])
    monkeypatch.setattr(sending, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(sending, "LAG", 0.3)
    bench.run("run", "-m", "counts,noise", "-d", "shop", "--out", "model")  # to copy from
    grid = Grid(models=("counts", "noise"), data=("shop",))
    results = tmp_path / "results"
    rows = plan_grid(grid, results, isolated=False)
    by_key = {row.job.cell.id: row.job.cell for row in rows}

    def store(cell):
        there = record_path(bench.folder / "model", by_key[cell.key])
        here = record_path(results, by_key[cell.key])
        here.parent.mkdir(parents=True, exist_ok=True)
        for path in there.parent.glob(f"{cell.key}.*"):
            (here.parent / path.name).write_bytes(path.read_bytes())

    def run(ways, store=store):
        workers, notes = Workers(ways, store), Notes()
        found = sending.send(rows, results, Circumstances(), notes, workers)
        return {one.row.label: one for one in found}, workers, notes

    run.store = store
    return run


def test_a_lost_worker_s_cell_is_sent_again_and_a_finished_one_is_not(sent):
    found, workers, notes = sent({"counts": ["lost", "lost", "lost"]})
    assert {one.record.status.kind for one in found.values()} == {"done"}
    assert (workers.sent.count("counts"), workers.sent.count("noise")) == (4, 1)
    assert notes.heard.count(("lost", "counts")) == 3
    assert notes.heard.count(("done", "counts")) == 1
    assert ("log", "counts") in notes.heard  # what it logged where nobody heard it


def test_after_three_more_times_it_is_given_up(sent):
    found, workers, _ = sent({"counts": ["lost"] * 9})
    assert workers.sent.count("counts") == 4
    assert found["counts"].record.status.kind == "failed"
    told = found["counts"].record.status.reason
    assert told == "its worker was lost 4 times, the last time: reason 3"
    assert found["noise"].record.done


def test_memory_and_refusals_are_not_tried_again(sent):
    found, workers, _ = sent({"counts": ["out-of-memory"], "noise": ["refused"]})
    assert sorted(workers.sent) == ["counts", "noise"]
    assert found["counts"].record.status.kind == "out-of-memory"
    assert found["noise"].record is None
    assert found["noise"].row.problem == "reason 0"


def test_a_record_that_is_not_seen_is_a_lost_one(sent):
    found, workers, _ = sent({}, store=lambda cell: None)
    assert workers.sent.count("counts") == 4
    assert "none is there" in found["counts"].record.status.reason


def test_an_interrupt_cancels_what_was_sent(sent):
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        sent({"noise": ["interrupt"]})


def test_a_record_that_is_seen_late_is_waited_for(sent, monkeypatch):
    monkeypatch.setattr(sending, "LAG", 60.0)
    seen = []

    def later(cell):
        seen.append(cell.label)
        threading.Timer(1.0, sent.store, [cell]).start()

    found, workers, notes = sent({}, store=later)
    assert sorted(workers.sent) == sorted(seen) == ["counts", "noise"]
    assert all(one.record.done for one in found.values())
    assert ("lost", "counts") not in notes.heard
