"""A fit that a scheduler stopped goes on where it was, on whatever worker gets its cell next."""

import threading

import pytest

from mmbench.grid import checkpoints
from mmbench.grid.declared import describe_plugin
from mmbench.grid.execute import run_row
from mmbench.grid.plan import Planned
from mmbench.grid.question import ask_question
from mmbench.grid.registry import Plugin, parse_ref
from mmbench.grid.runner import Circumstances, Job
from mmbench.protocol import get_protocol
from mmbench.results.claim import Preempted


def fill(scratch, *names):
    for name in names:
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


KEPT = ["scratch/miner/training/checkpoint-2/state", "scratch/training/checkpoint-1/state"]


def test_only_checkpoints_stay_and_are_handed_over(tmp_path):
    left, new = tmp_path / "left", tmp_path / "new"
    fill(left, *KEPT, "views/training/events", "scratch/half", "scratch/miner/half", "tmp/x")
    outside = tmp_path / "outside"
    fill(outside, "training/secret")
    (left / "scratch" / "link").symlink_to(outside)
    checkpoints.keep(left)
    assert files(left) == KEPT
    assert files(outside) == ["training/secret"]
    new.mkdir()
    assert checkpoints.hand_over([tmp_path / "gone", left], new)
    assert files(new) == KEPT
    assert not checkpoints.hand_over([left], new)


def test_a_scratch_folder_without_checkpoints_goes(tmp_path):
    fill(tmp_path / "left", "scratch/half")
    checkpoints.keep(tmp_path / "left")
    assert not (tmp_path / "left").exists()


class Scheduler:
    """May want its machine back at a fit's first step."""

    def __init__(self, patient):
        self.patient = patient

    def cell_started(self, row):
        pass

    def cell_event(self, row, event):
        if event["event"] == "progress" and not self.patient:
            raise Preempted

    def cell_finished(self, row, record):
        pass


def test_the_next_attempt_begins_with_the_checkpoints_of_the_last(
    log, tmp_path, make_cell, models_on_the_path
):
    plugin = Plugin("m", "patient:Patient", "mmbench-shelf", "1.0")
    described = describe_plugin(plugin, parse_ref("m"), {}, size="tiny", isolated=False)
    question = ask_question(log, get_protocol("loo@2"))
    identity = make_cell(config=described.declared.config, seed=3)
    job = Job(identity, plugin, "m", described.declared.preset, described.declared)
    row = Planned("m", log.id, 3, job, question)

    def attempt(*, patient):
        scheduler = Scheduler(patient)
        how = Circumstances(cache=tmp_path / "cache", stop=threading.Event())
        return run_row(row, tmp_path / "out", how, scheduler, lambda known: False, keep_items=False)

    with pytest.raises(Preempted):
        attempt(patient=False)
    record = attempt(patient=True)
    assert record.done, record.status
    assert record.curves["found"][0][1] > 0
    assert record.environment.resumed == "from the checkpoint of attempt 1; costs are of the last"
    assert list((tmp_path / "out" / ".work").iterdir()) == []
