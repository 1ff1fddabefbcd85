"""One result a cell, whoever dies or comes late: every step of two writers, in every order."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mmbench.results import publish as publishing
from mmbench.results.cell import Cell
from mmbench.results.claim import claim
from mmbench.results.lease import lease_path
from mmbench.results.publish import Outrun, kept_aside, publish
from mmbench.results.read import read_results
from mmbench.results.record import Record
from mmbench.results.store import read_record, record_path, render

CELL = Cell(
    model="m",
    distribution="d",
    version="1.0",
    config={},
    dataset="shop",
    fingerprints={"events": "ff"},
    protocol="loo@2",
    seed=0,
)
RECORD = Record(cell=CELL, label="m", status={"kind": "done"})


def never(record):
    return False


def result(first, kind="done"):
    """A result whose first rank is ``first``."""
    if kind != "done":
        return render(RECORD.failed(kind, "no"))
    ranks = {
        "greater_full": np.array([first, 5, 2], np.int32),
        "equal_full": np.array([0, 0, 1], np.int32),
    }
    top = {"top_full": np.array([[first + 1]] * 3, np.int32)}
    return render(RECORD, ranks, top, np.full((2, 2), first, np.float32))


def first_rank(folder):
    """The first rank of the only result, which is whole, with all that goes with it."""
    reading = read_results(folder)
    (record,) = reading.records
    assert reading.problems == ()
    rank = reading.ranks(record)["greater_full"][0].as_py()
    assert reading.top(record)["top_full"][0].as_py() == [rank + 1]
    items = np.load(record_path(folder, CELL).with_suffix(".items.npy"))
    assert items[0, 0] == rank
    return rank


@contextlib.contextmanager
def claimed(folder, lasts=60.0):
    with claim(folder, CELL, threading.Event(), lasts=lasts) as held:
        yield held


@contextlib.contextmanager
def taken_over(folder):
    """Two workers at the cell: one that was taken for lost, and the one after it."""
    with claimed(folder) as one:
        os.utime(lease_path(folder / ".work", CELL.id, 1), (0, 0))
        lock = folder / ".work" / f"{CELL.id}.lock"
        lock.rename(lock.with_suffix(".its"))  # as on another machine, whose locks are not seen
        with claimed(folder) as other:
            assert (one.lease.attempt, other.lease.attempt) == (1, 2)
            yield one, other


def test_a_result_is_stored_once(tmp_path):
    with claimed(tmp_path) as held:
        made = publish(tmp_path, held, result(1), never)
        assert made.aside is None
        assert publish(tmp_path, held, result(1), never).aside is None  # the same again
    assert first_rank(tmp_path) == 1
    assert kept_aside(tmp_path) == []
    assert list((tmp_path / ".work").iterdir()) == []


def test_a_second_one_that_differs_is_kept_aside_and_named(tmp_path):
    with taken_over(tmp_path) as (one, other):
        publish(tmp_path, one, result(1), never)
        told = publish(tmp_path, other, result(2), never)
    assert first_rank(tmp_path) == 1
    assert told.record.seal == read_record(tmp_path, CELL).seal
    assert kept_aside(tmp_path) == [told.aside]
    (second,) = read_results(told.aside.parent).records
    assert read_results(told.aside.parent).ranks(second)["greater_full"][0].as_py() == 2


def test_the_same_ranks_in_other_bytes_are_no_second_result(tmp_path, monkeypatch):
    made = result(1)
    with claimed(tmp_path) as held:
        publish(tmp_path, held, made, never)
        monkeypatch.setattr("mmbench.results.store.parquet_bytes", _plain)
        again = result(1)
        assert again.files[".ranks.parquet"] != made.files[".ranks.parquet"]
        assert publish(tmp_path, held, again, never).aside is None


def _plain(table, split):
    import io

    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()


@pytest.mark.parametrize(("kind", "rank"), [("failed", 1), ("done", 1)])
def test_a_finished_one_takes_the_place_of_a_failed_one_and_no_other(tmp_path, kind, rank):
    with taken_over(tmp_path) as (one, other):
        publish(tmp_path, one, result(1), never)
        publish(tmp_path, other, result(2, kind), never)
    assert first_rank(tmp_path) == rank
    with taken_over(tmp_path / "b") as (one, other):
        publish(tmp_path / "b", one, result(1, "failed"), never)
        publish(tmp_path / "b", other, result(2), never)
    assert first_rank(tmp_path / "b") == 2


def test_what_was_to_be_replaced_is_and_what_came_meanwhile_is_not(tmp_path, store_result):
    old = store_result(tmp_path, RECORD.failed("failed", "once"))
    with taken_over(tmp_path) as (one, other):
        publish(tmp_path, one, result(1, "timeout"), lambda record: record == old)
        assert read_record(tmp_path, CELL).status.kind == "timeout"
        publish(tmp_path, other, result(1, "failed"), lambda record: record == old)
    assert read_record(tmp_path, CELL).status.kind == "timeout"
    assert len(kept_aside(tmp_path)) == 1


def test_a_damaged_record_is_replaced(tmp_path):
    path = record_path(tmp_path, CELL)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with claimed(tmp_path) as held:
        publish(tmp_path, held, result(3), never)
    assert first_rank(tmp_path) == 3


def test_one_whose_turn_is_long_over_stores_nothing(tmp_path):
    with taken_over(tmp_path) as (one, other):
        lease_path(tmp_path / ".work", CELL.id, 1).unlink()
        with pytest.raises(Outrun):
            publish(tmp_path, one, result(1), never)
        publish(tmp_path, other, result(2), never)
        assert publish(tmp_path, one, result(1), never).aside is not None
    assert first_rank(tmp_path) == 2


def test_a_disk_without_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    with claimed(tmp_path) as held:
        publish(tmp_path, held, result(4), never)
    assert first_rank(tmp_path) == 4


STEPS = ("mkdir", "open", "replace", "link", "rename")


class Turns:
    """Lets two threads make their steps on the disk in a given order."""

    def __init__(self, order):
        self.order = list(order)
        self.ended = set()
        self.change = threading.Condition()
        self.names = {}

    def wait(self):
        name = self.names.get(threading.get_ident())
        if name is None:
            return
        with self.change:
            self.change.wait_for(lambda: self._next() in (name, None), timeout=20)
            if self.order:
                self.order.pop(0)
            self.change.notify_all()

    def _next(self):
        while self.order and self.order[0] in self.ended:
            self.order.pop(0)
        return self.order[0] if self.order else None

    def run(self, name, work):
        self.names[threading.get_ident()] = name
        try:
            work()
        finally:
            with self.change:
                self.ended.add(name)
                self.change.notify_all()


@pytest.mark.parametrize("lead", range(0, 24, 2))
def test_two_who_store_at_once_leave_one_whole_result(tmp_path, monkeypatch, lead):
    """The first makes so many steps, then the second all of its, or as many, by turns."""
    turns = Turns(["one"] * lead + ["other"] * (60 if lead % 4 else lead // 2) + ["one"] * 60)
    for name in STEPS:
        plain = getattr(os, name)

        def step(*given, plain=plain, **named):
            turns.wait()
            return plain(*given, **named)

        monkeypatch.setattr(os, name, step)
    ends = {}

    def store(name, held, rank):
        def work():
            try:
                ends[name] = publish(tmp_path, held, result(rank), never)
            except Outrun as error:
                ends[name] = error

        turns.run(name, work)

    with taken_over(tmp_path) as (one, other):
        threads = [
            threading.Thread(target=store, args=("one", one, 1)),
            threading.Thread(target=store, args=("other", other, 2)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert set(ends) == {"one", "other"}
    rank = first_rank(tmp_path)
    late = ends["other" if rank == 1 else "one"]
    assert isinstance(late, Outrun) or late.aside is not None
    assert isinstance(ends["one" if rank == 1 else "other"], publishing.Published)


KILLS = """
import itertools, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_publish import STEPS, claimed, first_rank, never, path_of, publish, result

def die_at(step, before):
    counter = itertools.count()
    for name in (*STEPS, "unlink", "rmdir"):
        def counted(*given, plain=getattr(os, name), **named):
            number = next(counter)
            if number == step and before:
                os._exit(9)
            done = plain(*given, **named)
            if number == step:
                os._exit(9)
            return done
        setattr(os, name, counted)

def run(folder, step, before):
    child = os.fork()
    if not child:
        with claimed(folder) as held:
            die_at(step, before)
            publish(folder, held, result(1), never)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for before in (True, False):
    for step in itertools.count():
        folder = Path(sys.argv[2], f"{step}-{before}")
        code = run(folder, step, before)
        if stored := path_of(folder).exists():
            assert first_rank(folder) == 1
        assert stored or code == 9
        with claimed(folder) as again:
            told = publish(folder, again, result(2), never)
        assert first_rank(folder) == (1 if stored else 2)
        assert (told.aside is not None) == stored
        left = list((folder / ".work").iterdir())
        assert left == [], left
        print(step, before, code, "stored" if stored else "to do")
        if code == 0:
            break
"""


def path_of(folder):
    return record_path(folder, CELL)


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_killed_at_each_step_the_next_one_stores_the_result(tmp_path):
    """Before and after each change that a writer makes on the disk."""
    words = [sys.executable, "-c", KILLS, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    ends = [line.split()[2:] for line in done.stdout.splitlines()]
    assert len(ends) > 30
    assert ["9", "stored"] in ends and ["9", "to", "do"] in ends and ["0", "stored"] in ends
