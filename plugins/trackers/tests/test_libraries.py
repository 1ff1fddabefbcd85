"""All trackers at once, with the real libraries and without network: what they wrote, read back."""

import json
import os
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of the libraries
MODEL = """
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    fails: bool = False

class Mine:
    Config = Config
    presets = {"paper": Config()}

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        self.seen = np.bincount(train.item, minlength=train.n_items + 1)[1:].astype(np.float32)
        for step in (0, 1, 2):
            run.log(step, loss=1 / (step + 1))
        run.log(0, **{"title: share": 0.5})  # later, at a step before
        run.log(3, loss=float("nan"))
        if self.config.fails:
            raise RuntimeError("as told")

    @hookimpl
    def score(self, queries):
        return np.tile(self.seen, (len(queries), 1))
"""


class Place:
    """A folder in which commands run, offline and at home nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
        self.environment = {
            **kept,
            **{
                "HOME": str(folder),
                "WANDB_MODE": "offline",
                "MMBENCH_CACHE": str(folder / "cache"),
            },
        }

    def run(self, *words: str) -> subprocess.CompletedProcess:
        code = "from mmbench.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            **{"cwd": self.folder, "env": self.environment, "capture_output": True, "text": True},
        )

    def results(self) -> dict[str, dict]:
        found = [json.loads(path.read_text()) for path in self.folder.glob("results/**/*.json")]
        return {"fails" if one["cell"]["config"]["fails"] else "works": one for one in found}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of two cells side by side, one of which fails, that all trackers were told of."""
    place = Place(tmp_path_factory.mktemp("place"))
    (place.folder / "mine.py").write_text(MODEL)
    observers = ["jsonl:path=cells.jsonl", "mlflow:experiment=shop", "tensorboard:folder=boards"]
    observers.append('wandb:project=shop,tags=["a","b"]')
    place.command = [
        *("run", "-m", "./mine.py:Mine[fails=false|true]", "-d", "demo", "--limit", "300"),
        *(
            "--jobs",
            "2",
            "--seeds",
            "0,",
            *(part for one in observers for part in ("--observer", one)),
        ),
    ]
    done = place.run(*place.command)
    assert done.returncode == 1, done.stderr  # one cell failed
    assert "failed in" not in done.stderr
    assert {one["status"]["kind"] for one in place.results().values()} == {"done", "failed"}
    return place


def test_jsonl(place):
    lines = [json.loads(line) for line in (place.folder / "cells.jsonl").read_text().splitlines()]
    assert (lines[0]["event"], lines[0]["due"]) == ("run started", 2)
    assert lines[-1]["ended"] == {"done": 1, "failed": 1}
    works = place.results()["works"]
    (end,) = [one for one in lines if one["event"] == "cell finished" and one["status"] == "done"]
    assert end["figures"]["unseen/ndcg@10"] == works["metrics"]["unseen"]["ndcg@10"]
    logged = [
        one["values"] for one in lines if one.get("cell") == works["cell"]["id"] and "step" in one
    ]
    assert logged[:3] == [{"loss": 1.0}, {"loss": 0.5}, {"loss": 1 / 3}]


def test_mlflow(place):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("shop")
    runs = {
        run.data.params["config.fails"]: run
        for run in client.search_runs([experiment.experiment_id])
    }
    works, record = runs["False"], place.results()["works"]
    assert (works.info.status, runs["True"].info.status) == ("FINISHED", "FAILED")
    assert works.data.tags["status"] == "done"
    assert "as told" in runs["True"].data.tags["reason"]
    assert works.data.metrics["unseen/ndcg_at_10"] == record["metrics"]["unseen"]["ndcg@10"]
    assert works.data.metrics["cost/fit_seconds"] == record["cost"]["fit_seconds"]
    assert works.data.params["cell"] == record["cell"]["id"]
    curve = client.get_metric_history(works.info.run_id, "loss")
    assert [(one.step, one.value) for one in curve][:3] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def board_of(place, record):
    (file,) = {
        path.parent
        for path in place.folder.glob("boards/**/*tfevents*")
        if record["cell"]["id"] in str(path)
    }
    return read_events(file)


def test_tensorboard(place):
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    record = place.results()["works"]
    events = board_of(place, record)
    points = [(one.step, one.value) for one in events.Scalars("loss")]
    assert points[:3] == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    (figure,) = events.Scalars("unseen/ndcg@10")
    assert figure.value == pytest.approx(record["metrics"]["unseen"]["ndcg@10"])
    data = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    told = HParamsPluginData.FromString(data).session_start_info.hparams
    assert told["seed"].number_value == 0
    assert told["config.fails"].bool_value is False
    assert told["status"].string_value == "done"


def read_wandb(path):
    """The records of a .wandb file, which is a log of LevelDB after seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:  # of a block, too few for a header
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(Record.FromString(part))
            part = b""
    return found


def values(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def test_wandb(place):
    results = place.results()
    runs = {}
    for path in place.folder.glob("wandb/offline-run-*/*.wandb"):
        records = read_wandb(path)
        (run,) = [one.run for one in records if one.HasField("run")]
        runs[values(run.config.update)["config.fails"]] = run, records
    run, records = runs[False]
    assert (run.project, run.run_group, sorted(run.tags)) == ("shop", "demo loo@2", ["a", "b"])
    assert run.display_name.endswith(", seed 0")
    assert values(run.config.update)["cell"] == results["works"]["cell"]["id"]
    history = [values(one.history.item) for one in records if one.HasField("history")]
    assert [(one["step"], one["loss"]) for one in history if "loss" in one][:3] == [
        *((0, 1.0), (1, 0.5), (2, 1 / 3)),
    ]
    assert [one["step"] for one in history if "title: share" in one] == [0]  # though it came later
    summary = {}
    for one in records:
        if one.HasField("summary"):
            summary |= values(one.summary.update)
    assert summary["unseen/ndcg@10"] == results["works"]["metrics"]["unseen"]["ndcg@10"]
    assert summary["status"] == "done"
    codes = {
        fails: [one.exit.exit_code for one in of if one.HasField("exit")]
        for fails, (_, of) in runs.items()
    }
    assert codes == {False: [0], True: [1]}


def test_every_command_of_the_page_runs(place):
    page = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    elsewhere = Place(place.folder / "page")
    elsewhere.folder.mkdir()
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "mmbench"
        done = elsewhere.run(*words)
        assert done.returncode == 0, (command, done.stderr)
        assert "failed in" not in done.stderr
    lines = (elsewhere.folder / "again.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines].count("cell finished") == 2


def test_stored_cells_go_to_a_new_board_and_twice_is_once(place):
    new = ("replay", "results", "--observer", "tensorboard:folder=boards")
    old = board_of(place, place.results()["works"]).Scalars("loss")
    done = place.run(*new)
    assert (done.returncode, done.stdout) == (0, "told of 2 stored cells\n"), done.stderr
    again = board_of(place, place.results()["works"]).Scalars("loss")
    # of the curve that is stored: what is not a number is not
    assert [one.value for one in again] == [one.value for one in old][:3]
    assert again[0].wall_time > old[0].wall_time


def test_nobody_who_is_logged_in_nowhere_waits_for_wandb(place, monkeypatch):
    monkeypatch.setitem(place.environment, "WANDB_MODE", "online")
    monkeypatch.setitem(place.environment, "NETRC", str(place.folder / "none"))
    done = place.run("run", "-m", "pop", "-d", "demo", "--observer", "wandb")
    assert done.returncode == 2
    assert "observer 'wandb' of mmbench-trackers 0.1.0 cannot be used" in done.stderr
    assert "nobody is logged in to wandb here: wandb login" in done.stderr
