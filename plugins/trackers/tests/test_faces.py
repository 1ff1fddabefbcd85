"""What trackers make of what they are told, without their libraries; jsonl, which has none."""

import builtins
import json

import pytest
from mmbench_trackers.jsonl import Jsonl, JsonlConfig
from mmbench_trackers.mlflow import plain
from mmbench_trackers.tensorboard import TensorBoard
from mmbench_trackers.tracker import End, Tracker, ending, settings
from mmbench_trackers.wandb import Wandb

CELL = {
    **{"id": "c0ffee", "label": "m[dim=8]", "model": "m", "preset": "paper", "seed": 1},
    **{"dataset": "shop", "protocol": "loo@2", "distribution": "d", "version": "1", "code": ""},
    **{"config": {"dim": 8, "head": {"bias": True}}, "replayed": False},
}
RESULT = {
    "status": {"kind": "done", "reason": "", "traceback": ""},
    "metrics": {"full": {"ndcg@10": 0.25}, "unseen": {"ndcg@10": 0.5}},
    "beyond": {"full": {"coverage@10": 0.75}},
    "tie_rate": {"full": 0.0},
    "cost": {"fit_seconds": 3.0, "parameters": None},
    "environment": {"gpu": None, "cpu": "a processor", "python": "3.11", "commit": None},
    **{"seconds": 4.5, "device": "cpu", "wall": "landlock:6", "started": "2026-01-01"},
}


class Notes(Tracker):
    """Keeps what the face asks of it."""

    library = extra = "json"

    def __init__(self):
        super().__init__(None)
        self.told = []

    def start(self, cell):
        if cell["seed"] < 0:
            raise ConnectionError("no server")
        return cell["id"]

    def point(self, run, step, values):
        self.told.append((run, step, values))

    def end(self, run, end):
        self.told.append((run, end.status))


def test_cells_that_run_side_by_side_have_runs_of_their_own():
    notes = Notes()
    cells = [{**CELL, "id": name} for name in "abc"]
    for cell in cells:
        notes.cell_started(cell)
    notes.cell_logged(cells[1], 0, {"loss": 1.0})
    notes.cell_logged(cells[0], 0, {"loss": 2.0})
    notes.cell_finished(cells[1], RESULT)
    notes.cell_finished(cells[0], {**RESULT, "status": {"kind": "failed", "reason": "why"}})
    notes.run_finished()
    assert notes.told == [
        *(("b", 0, {"loss": 1.0}), ("a", 0, {"loss": 2.0})),
        *(("b", "done"), ("a", "failed"), ("c", "stopped")),
    ]


def test_a_cell_whose_run_could_not_begin_or_that_ran_elsewhere_is_left_alone():
    notes = Notes()
    lost = {**CELL, "seed": -1}
    with pytest.raises(ConnectionError):
        notes.cell_started(lost)
    notes.cell_logged(lost, 0, {"loss": 1.0})
    notes.cell_finished(lost, RESULT)
    notes.run_finished()
    assert notes.told == []


def test_a_cell_s_settings_are_one_level():
    told = settings({**CELL, "limit": 100})
    assert told["config.dim"] == 8
    assert told["config.head.bias"] is True
    assert (told["cell"], told["label"], told["limit"]) == ("c0ffee", "m[dim=8]", 100)
    assert "code" not in told


def test_what_a_cell_came_to_is_flat_and_what_is_unknown_is_left_out():
    end = ending(RESULT)
    assert end.figures == {
        **{"full/ndcg@10": 0.25, "unseen/ndcg@10": 0.5, "full/coverage@10": 0.75},
        **{"tie_rate/full": 0.0, "cost/fit_seconds": 3.0, "seconds": 4.5},
    }
    assert end.where["cpu"] == "a processor"
    assert "gpu" not in end.where
    assert End("stopped").figures == {}


@pytest.mark.parametrize("tracker", [Wandb, TensorBoard])
def test_a_library_that_is_not_here_is_named_with_its_extra(tracker, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == tracker.library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=tracker.library)
        return real(name, *rest, **more)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(ImportError, match=rf"mmbench-trackers\[{tracker.extra}\]"):
        tracker(tracker.Config()).prepare()


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("unseen/ndcg@10", "unseen/ndcg_at_10"),
        ("loss (train), %", "loss _train__ _"),
        ("../../x", "x"),
        ("//a//", "a"),
        ("@" * 300, ("_at_" * 300)[:250]),
        ("..", "_"),
    ],
)
def test_mlflow_is_given_names_that_it_takes(name, taken):
    assert plain(name) == taken


def test_a_line_for_each_notice(tmp_path):
    path = tmp_path / "deep" / "cells.jsonl"
    jsonl = Jsonl(JsonlConfig(str(path)))
    jsonl.prepare()
    assert path.read_text() == ""
    jsonl.run_started({"results": "results", "due": [CELL], "stored": [CELL, CELL]})
    jsonl.cell_stored(CELL, RESULT)
    jsonl.cell_started(CELL)
    jsonl.cell_logged(CELL, 3, {"loss": 0.5})
    jsonl.cell_finished(CELL, RESULT)
    jsonl.run_finished({"results": "results", "ended": {"done": 1}, "stopped": ""})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        *("run started", "cell stored", "cell started", "cell logged", "cell finished"),
        "run finished",
    ]
    assert (lines[0]["due"], lines[0]["stored"]) == (1, 2)
    assert lines[2]["config.dim"] == 8
    assert (lines[3]["step"], lines[3]["values"]) == (3, {"loss": 0.5})
    assert lines[4]["figures"]["unseen/ndcg@10"] == 0.5
    assert lines[5]["ended"] == {"done": 1}
    assert all(line["cell"] == "c0ffee" for line in lines[1:5])


def test_points_may_be_left_out(tmp_path):
    path = tmp_path / "cells.jsonl"
    Jsonl(JsonlConfig(str(path), points=False)).cell_logged(CELL, 3, {"loss": 0.5})
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_said_before_anything_runs(tmp_path):
    with pytest.raises(IsADirectoryError):
        Jsonl(JsonlConfig(str(tmp_path))).prepare()
