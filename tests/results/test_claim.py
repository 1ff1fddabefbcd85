"""A cell is one worker's at a time: on this machine, on others, and after a worker was lost."""

import multiprocessing
import os
import threading
import time

import pytest

from mmbench.results import claim as claims
from mmbench.results import lease as leases
from mmbench.results.cell import Cell
from mmbench.results.claim import Preempted, claim, forgive, sweep
from mmbench.results.lease import find_leases, give_back, lease_path, take_lease

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


@pytest.fixture
def work(tmp_path):
    (tmp_path / ".work").mkdir()
    return tmp_path / ".work"


@pytest.fixture
def elsewhere(monkeypatch, work):
    """``elsewhere(attempt, age)``: a lease of another machine, renewed so many seconds ago."""

    def take(attempt=1, age=0.0, lasts=60.0):
        with monkeypatch.context() as patch:
            patch.setattr(leases, "this_machine", lambda: "another machine")
            lease = take_lease(work, CELL.id, attempt=attempt, lasts=lasts, label="m on shop")
        path = lease_path(work, CELL.id, attempt)
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
        return lease

    return take


@pytest.fixture
def soon():
    """An event that is set after a moment: whoever still waits then gives up."""
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    yield stop
    timer.cancel()


def test_a_claimed_cell_has_to_be_waited_for(tmp_path):
    stop = threading.Event()
    with claim(tmp_path, CELL, stop) as held:
        assert held.scratch.is_dir()
        (held.scratch / "views").write_text("x")
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(InterruptedError), claim(tmp_path, CELL, stop):
            pass
    assert not held.scratch.exists()
    with claim(tmp_path, CELL, threading.Event()) as again:
        assert list(again.scratch.iterdir()) == []


def _hold(folder, ready):
    with claim(folder, CELL, threading.Event()) as held:
        (held.scratch / "left").write_text("x")
        ready.set()
        threading.Event().wait()


def test_what_a_killed_grid_left_is_swept(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    sweep(tmp_path)
    (left,) = (tmp_path / ".work").glob(f"{CELL.id}.*/left")
    assert left.exists()  # held: left alone
    place = tmp_path / "shop" / "loo@2" / "pop"
    place.mkdir(parents=True)
    half = place / f".{CELL.id}.json.{holder.pid}.1"
    half.write_text("{")
    own = place / f".{CELL.id}.json.{os.getpid()}.1"
    own.write_text("{")
    holder.kill()
    holder.join()
    sweep(tmp_path)
    assert list((tmp_path / ".work").iterdir()) == []
    assert not half.exists()
    assert own.exists()


def test_of_two_who_want_an_attempt_one_gets_it(work):
    taken = []

    def take():
        taken.append(take_lease(work, CELL.id, attempt=1))

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in taken if one is not None]) == 1


@pytest.mark.parametrize(("age", "free"), [(0.0, False), (50.0, False), (70.0, True)])
def test_another_machine_s_lease_holds_until_it_is_old(tmp_path, elsewhere, soon, age, free):
    elsewhere(age=age)
    if free:
        with claim(tmp_path, CELL, soon) as held:
            assert held.lease.attempt == 2
            assert len(held.earlier) == 1
        assert find_leases(tmp_path / ".work", CELL.id) == []
    else:
        with pytest.raises(InterruptedError), claim(tmp_path, CELL, soon):
            pass


def test_a_cell_at_work_renews_its_lease(tmp_path, work):
    with claim(tmp_path, CELL, threading.Event(), lasts=0.6) as held:
        held.pulse.tell({"event": "progress", "done": 3, "total": 9, "unit": "epochs"})
        held.pulse.tell({"event": "log", "step": 1, "values": {}})
        time.sleep(1.5)
        (standing,) = find_leases(work, CELL.id)
        assert standing.age < 0.6
        assert leases.read_progress(work, held.lease)["done"] == 3
    assert list(work.iterdir()) == []


def test_nobody_renews_the_lease_of_another(tmp_path, work, elsewhere):
    with claim(tmp_path, CELL, threading.Event(), lasts=0.6):
        lease_path(work, CELL.id, 1).unlink()
        elsewhere(age=100.0)
        time.sleep(0.5)
        (standing,) = find_leases(work, CELL.id)
        assert standing.age > 99
    assert len(find_leases(work, CELL.id)) == 1  # nor is it removed


@pytest.mark.parametrize(("attempt", "pause"), [(1, 5), (2, 30), (3, 120)])
def test_pauses_between_attempts_grow(elsewhere, work, attempt, pause):
    for number in range(1, attempt + 1):
        elsewhere(number, age=10.0)
    last = find_leases(work, CELL.id)[-1]
    assert last.left(dead=False, limited=True) == pytest.approx(60 + pause - 10, abs=1)
    assert last.left(dead=True, limited=True) == pytest.approx(pause - 10, abs=1)
    assert last.left(dead=False, limited=False) == pytest.approx(50, abs=1)


def test_who_was_asked_to_leave_gives_the_cell_back(tmp_path, work):
    with pytest.raises(Preempted), claim(tmp_path, CELL, threading.Event()):
        raise Preempted
    (standing,) = find_leases(work, CELL.id)
    assert standing.lease.released == "was asked to leave"
    assert standing.left(dead=False, limited=False) <= 0
    assert 4 < standing.left(dead=False, limited=True) <= 5
    mine = work / f"{CELL.id}.{standing.lease.token}"
    assert sorted(work.iterdir()) == sorted([mine, work / f"{CELL.id}.lease-1"])
    with claim(tmp_path, CELL, threading.Event()) as held:
        assert held.left == (mine,)
    assert list(work.iterdir()) == []


def test_a_worker_that_may_be_alive_keeps_its_folder_to_itself(tmp_path, elsewhere):
    elsewhere(1, age=1000.0)
    with claim(tmp_path, CELL, threading.Event()) as held:
        assert held.left == ()


def test_who_is_interrupted_by_people_does_not_count(tmp_path, work):
    with pytest.raises(KeyboardInterrupt), claim(tmp_path, CELL, threading.Event()):
        raise KeyboardInterrupt
    assert list(work.iterdir()) == []


def test_after_three_more_attempts_a_cell_is_lost(tmp_path, work, elsewhere):
    for attempt in (1, 2, 3):
        elsewhere(attempt, age=1000.0)
    with claim(tmp_path, CELL, threading.Event(), limited=True) as held:
        assert held.lost == ""
        elsewhere_token = held.lease.token
    for attempt in (1, 2, 3):
        elsewhere(attempt, age=1000.0)
    give_back(work, elsewhere(4, age=1000.0), "was asked to leave")
    then = lease_path(work, CELL.id, 4).stat().st_mtime - 1000
    os.utime(lease_path(work, CELL.id, 4), (then, then))
    with claim(tmp_path, CELL, threading.Event(), limited=True) as held:
        assert held.lost.startswith("its worker was lost 4 times: ")
        assert "gave no sign of life any more" in held.lost
        assert held.lost.endswith("was asked to leave")
        assert held.lease.token != elsewhere_token
    for attempt in (1, 2, 3, 4):
        elsewhere(attempt, age=1000.0)
    with claim(tmp_path, CELL, threading.Event()) as held:  # people may ask as often as they like
        assert held.lost == ""


def test_asked_for_anew_old_attempts_are_forgiven_and_running_ones_are_not(
    tmp_path, work, elsewhere
):
    elsewhere(1, age=1000.0)
    forgive(tmp_path, CELL)
    assert find_leases(work, CELL.id) == []
    elsewhere(1)
    forgive(tmp_path, CELL)
    assert len(find_leases(work, CELL.id)) == 1


@pytest.mark.parametrize("text", [b"", b"{", b"[]"])
def test_a_lease_that_was_cut_short_is_somebody_s(tmp_path, work, soon, text):
    lease_path(work, CELL.id, 1).write_bytes(text)
    with pytest.raises(InterruptedError), claim(tmp_path, CELL, soon):
        pass
    assert "somebody" in find_leases(work, CELL.id)[0].said()


def test_a_sweep_leaves_what_another_machine_holds(tmp_path, work, elsewhere):
    lease = elsewhere()
    scratch = work / f"{CELL.id}.{lease.token}"
    scratch.mkdir()
    sweep(tmp_path)
    assert scratch.is_dir()
    os.utime(lease_path(work, CELL.id, 1), (0, 0))
    sweep(tmp_path)
    assert list(work.iterdir()) == []


def test_a_disk_without_locks_has_leases(tmp_path, monkeypatch, soon):
    monkeypatch.setattr(claims, "_take_lock", lambda path: (os.open(path, os.O_CREAT), False))
    with (
        claim(tmp_path, CELL, threading.Event()),
        pytest.raises(InterruptedError),
        claim(tmp_path, CELL, soon),
    ):
        pass


def test_what_a_network_disk_remembers_is_asked_anew(tmp_path, work, monkeypatch, elsewhere):
    """Such a disk says for a while that there is no file, until its folder is opened."""
    remembered, plain = {str(lease_path(work, CELL.id, 1))}, os.open

    def network_open(path, flags, *more, **named):
        if os.fspath(path) == str(work):
            remembered.clear()
        if os.fspath(path) in remembered and not flags & os.O_CREAT:
            raise FileNotFoundError(path)
        return plain(path, flags, *more, **named)

    elsewhere()
    monkeypatch.setattr(os, "open", network_open)
    assert len(find_leases(work, CELL.id)) == 1
    assert remembered == set()


def test_a_disk_that_does_not_exclude_is_found_out(tmp_path, monkeypatch):
    assert leases.excludes(tmp_path)
    plain = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *more: plain(path, flags & ~os.O_EXCL))
    assert not leases.excludes(tmp_path)
    assert list(tmp_path.iterdir()) == []
