"""Run a model of ``tests/models`` as a cell."""

import threading
from pathlib import Path

import pytest

from mmbench.grid.declared import describe_plugin
from mmbench.grid.family import Limits
from mmbench.grid.question import ask_question
from mmbench.grid.registry import Plugin, parse_ref
from mmbench.grid.runner import Circumstances, Job, run_cell
from mmbench.protocol import get_protocol

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture
def models_on_the_path(monkeypatch):
    """This process and those that it starts can import the models."""
    monkeypatch.setenv("PYTHONPATH", str(MODELS))
    monkeypatch.syspath_prepend(str(MODELS))


@pytest.fixture
def cell(log, tmp_path, make_cell, models_on_the_path):
    """Run a model on the walks; keyword ``isolated`` chooses the host."""
    walks = log

    def run(
        value,
        ref="m",
        isolated=True,
        limits=None,
        stop=None,
        events=None,
        log=walks,
        processes=None,
        **overrides,
    ):
        plugin = Plugin("m", value, "mmbench-shelf", "1.0")
        described = describe_plugin(plugin, parse_ref(ref), overrides, size="tiny", isolated=False)
        assert not described.problem
        question = ask_question(log, get_protocol("loo@2"))
        identity = make_cell(config=described.declared.config, seed=3, processes=processes)
        job = Job(identity, plugin, "m", described.declared.preset, described.declared)
        how = Circumstances(
            isolated=isolated,
            limits=limits or Limits(),
            cache=tmp_path / "cache",
            stop=stop or threading.Event(),
        )
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        heard = events if events is not None else []
        return run_cell(job, question, scratch, how, heard.append)

    return run
