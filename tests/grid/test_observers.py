"""Observers are told of copies, and neither a write nor an exit of one changes anything."""

import copy
import json
import pickle

import pytest

from mmbench import hookimpl
from mmbench.grid.host import Interrupted
from mmbench.grid.observers import Narrator, Observers, read_only
from mmbench.hooks import open_manager
from mmbench.hookspecs import ObserverHooks

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


class Notes:
    def __init__(self):
        self.told = []

    @hookimpl
    def run_started(self, run):
        self.told.append(run)

    @hookimpl
    def run_finished(self, run):
        self.told.append(run)


@pytest.mark.parametrize("stop", [Interrupted, OSError])
def test_the_end_of_a_run_is_told_where_something_stopped_it(tmp_path, stop):
    notes, observers = Notes(), Observers(Narrator(print))
    observers.managers["notes"] = open_manager(lambda: notes, ObserverHooks, "notes")
    with pytest.raises(stop), observers.told_of_run([], [], tmp_path):
        raise stop
    start, end = notes.told
    assert start == {"results": str(tmp_path), "due": (), "stored": ()}
    assert end == {"results": str(tmp_path), "ended": {}, "stopped": stop.__name__}
