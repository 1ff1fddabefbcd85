"""Running a plan: slots, what is due, and who finds a cell that another grid did meanwhile."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from mmbench.grid import devices, environment, execute
from mmbench.grid.declaration import NOTHING
from mmbench.grid.environment import Gpu, cuda_gpus, describe_machine, threads_of
from mmbench.grid.host import Interrupted
from mmbench.grid.outcome import Outcome
from mmbench.grid.plan import Planned
from mmbench.grid.runner import Circumstances, Job
from mmbench.results.cell import Cell
from mmbench.results.claim import claim
from mmbench.results.publish import publish
from mmbench.results.record import Record
from mmbench.results.store import render


def cell(seed):
    return Cell(
        model="m",
        distribution="d",
        version="1.0",
        config={},
        dataset="shop",
        fingerprints={"events": "f"},
        protocol="loo@2",
        seed=seed,
    )


def row(seed, known=None):
    job = Job(cell(seed), SimpleNamespace(), "m", "paper", NOTHING)
    return Planned("m", "shop", seed, job, SimpleNamespace(), known=known)


def record(seed=0, kind="done", **fields):
    metrics = {"full": {"ndcg@10": 0.1}} if kind == "done" else {}
    status = {"kind": kind}
    return Record(cell=cell(seed), label="m", status=status, metrics=metrics, **fields)


class Notes:
    """An observer that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def cell_started(self, row):
        self.heard.append(("started", row.seed))

    def cell_event(self, row, event):
        self.heard.append((event["event"], row.seed))

    def cell_finished(self, row, record):
        self.heard.append(("finished", row.seed))


@pytest.fixture
def cells(monkeypatch):
    """Cells are run by ``cells.work(job, how)``; ``cells.ran`` lists their seeds."""
    made = SimpleNamespace(ran=[], work=lambda job, how: record(job.cell.seed))

    def run_cell(job, question, scratch, how, on_event, **kept):
        made.ran.append(job.cell.seed)
        return Outcome(made.work(job, how))

    monkeypatch.setattr(execute, "run_cell", run_cell)
    return made


@pytest.mark.parametrize(
    ("overwrite", "due"), [("never", [0]), ("failed", [0, 2]), ("always", [0, 1, 2])]
)
def test_what_is_due(cells, tmp_path, overwrite, due):
    rows = [row(0), row(1, record(1)), row(2, record(2, "timeout"))]
    done = execute.execute(rows, tmp_path, Circumstances(), Notes(), overwrite=overwrite)
    assert cells.ran == due
    assert [finished.row.seed for finished in done] == [0, 1, 2]
    assert [finished.row.seed for finished in done if finished.ran] == due


def test_a_broken_row_is_never_due(tmp_path):
    broken = Planned("m", "shop", 0, problem="does not import")
    assert execute.due([broken], "always", tmp_path) == []


def test_an_interrupt_stops_the_running_and_the_waiting(cells, tmp_path):
    def work(job, how):
        if job.cell.seed == 0:
            raise KeyboardInterrupt
        assert how.stop.wait(20)
        raise Interrupted

    cells.work = work
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        execute.execute([row(n) for n in range(6)], tmp_path, Circumstances(), Notes(), jobs=2)
    assert set(cells.ran) <= {0, 1, 2}
    assert not list(tmp_path.glob("shop/**/*.json"))


def test_two_cells_never_share_a_gpu(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "cuda_gpus", lambda: (Gpu("2", "A"), Gpu("5", "A")))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    lock, busy, used = threading.Lock(), set(), []

    def work(job, how):
        gpu = how.environment["CUDA_VISIBLE_DEVICES"]
        with lock:
            assert gpu not in busy
            busy.add(gpu)
            used.append(gpu)
        time.sleep(0.3 if job.cell.seed == 0 else 0.05)  # the first outlasts several others
        with lock:
            busy.remove(gpu)
        assert int(how.environment["OMP_NUM_THREADS"]) >= 1
        return record(job.cell.seed)

    cells.work = work
    execute.execute([row(n) for n in range(6)], tmp_path, Circumstances(), Notes(), jobs=2)
    assert set(used) == {"2", "5"}


def test_a_cell_that_another_grid_did_meanwhile_is_not_done_again(cells, tmp_path):
    """Also one that had failed: the other grid's new record counts."""
    rows = [row(0, record(kind="failed"))]
    notes = Notes()
    held, free = threading.Event(), threading.Event()

    def other_grid():
        with claim(tmp_path, rows[0].job.cell, threading.Event()) as other:
            held.set()
            assert free.wait(20)
            counts = {f"{kind}_full": np.zeros(3, np.int32) for kind in ("greater", "equal")}
            made = render(record(device="the other's"), counts)
            publish(tmp_path, other, made, lambda standing: True)

    other = threading.Thread(target=other_grid)
    other.start()
    assert held.wait(20)
    threading.Timer(0.2, free.set).start()
    (finished,) = execute.execute(rows, tmp_path, Circumstances(), notes)
    other.join()
    assert cells.ran == []
    assert finished.record.device == "the other's"
    assert notes.heard == [("waiting", 0), ("finished", 0)]


@pytest.fixture
def smi(monkeypatch, tmp_path):
    """A driver's tool that knows two GPUs; call the fixture with CUDA_VISIBLE_DEVICES."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa1, Small'\necho '1, GPU-bb2, Big, with a comma'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(environment.shutil, "which", lambda name: str(tool))

    def ask(visible):
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        cuda_gpus.cache_clear()
        return [(gpu.key, gpu.name) for gpu in cuda_gpus()]

    yield ask
    cuda_gpus.cache_clear()


@pytest.mark.parametrize(
    ("visible", "keys"),
    [
        (None, ["0", "1"]),
        ("", []),
        ("-1", []),
        ("1", ["1"]),
        ("1,0", ["1", "0"]),
        ("GPU-bb", ["GPU-bb"]),
        ("0,7,1", ["0"]),
    ],
)
def test_the_visible_gpus(smi, visible, keys):
    names = {"0": "Small", "1": "Big, with a comma", "GPU-bb": "Big, with a comma"}
    assert smi(visible) == [(key, names[key]) for key in keys]


@pytest.mark.parametrize(
    ("told", "threads"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("many", None)]
)
def test_threads_are_as_told_or_one_a_core(told, threads):
    cores = describe_machine()["cores"]
    assert threads_of({"OMP_NUM_THREADS": told}) == (threads or cores)
    assert threads_of({}) == cores
