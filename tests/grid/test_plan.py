"""From what was asked to cells: grid files, settings, labels, and what a grid file may say."""

import threading

import pytest

from mmbench.grid import declared, plan
from mmbench.grid.asked import Grid, parse_seeds, read_grid
from mmbench.grid.plan import make_label, make_plan
from mmbench.grid.registry import ModelRef, Plugin, UsageError, parse_ref
from mmbench.results.record import Record
from mmbench.results.store import record_path

SHELF = {
    "counts": Plugin("counts", "shelf:Counts", "mmbench-shelf", "1.0"),
    "noise": Plugin("noise", "shelf:Noise", "mmbench-shelf", "1.0"),
    "quick": Plugin("quick", "shelf:Quick", "mmbench-shelf", "1.0"),
    "feigned": Plugin("feigned", "shelf:Feigned", "mmbench-shelf", "1.0"),
    "broken": Plugin("broken", "nowhere:Model", "mmbench-broken", "2.0"),
}


@pytest.fixture
def planned(monkeypatch, tmp_path, make):
    """``planned(models, **grid)``: the plan of shelf models on made-up data."""
    models = __import__("pathlib").Path(__file__).parents[1] / "models"
    monkeypatch.syspath_prepend(str(models))
    monkeypatch.setattr(declared, "find_model", lambda ref: SHELF[ref.name])
    monkeypatch.setattr(declared, "cuda_gpus", lambda: ())
    monkeypatch.setattr(plan, "cuda_gpus", lambda: ())

    def run(*models, **grid):
        asked = Grid(models, ("walks",), **grid)
        return make_plan(asked, tmp_path, load=lambda name: make(), isolated=False)

    return run


def test_every_model_with_every_seed_and_its_whole_config(planned):
    rows = planned("counts", "noise/topk", seeds=(0, 1))
    assert [(row.label, row.seed, row.state) for row in rows] == [
        ("counts", 0, "new"),
        ("counts", 1, "new"),
        ("noise/topk", 0, "new"),
        ("noise/topk", 1, "new"),
    ]
    assert rows[0].job.cell.config == {"smoothing": 0.0, "sleep": 0.0, "epochs": 2}
    assert rows[2].job.cell.config == {"k": 5}
    assert len({row.job.cell.id for row in rows}) == 4


def test_what_is_asked_for_twice_is_one_row(planned):
    assert [row.label for row in planned("counts", "counts[epochs=2]", "counts")] == ["counts"]
    assert len(planned("counts", "counts[epochs=3]")) == 2


def test_a_setting_reaches_whom_it_names(planned):
    rows = planned("noise", "noise/topk", settings=("noise/topk.k=3",))
    assert [row.job.cell.config["k"] for row in rows] == [0, 3]
    rows = planned("noise", "noise/topk", settings=("noise.k=3",))
    assert [row.job.cell.config["k"] for row in rows] == [3]  # the two are now one cell
    with pytest.raises(UsageError, match=r"nois is not run\. Did you mean noise"):
        planned("noise", settings=("nois.k=3",))
    with pytest.raises(UsageError, match=r"write model\.key=value"):
        planned("noise", settings=("k=3",))
    with pytest.raises(UsageError, match="NaN or infinite"):
        planned("counts", settings=("counts.smoothing=NaN",))


def test_a_broken_plugin_is_a_row_that_names_its_package(planned):
    broken, noise = planned("broken", "noise")
    assert (broken.state, noise.state) == ("broken", "new")
    assert broken.problem.startswith(
        "mmbench-broken 2.0: ContractError: there is no module 'nowhere'"
    )


def test_a_row_knows_what_is_stored(planned, tmp_path, store_result):
    (row,) = planned("noise")
    store_result(tmp_path, Record(cell=row.job.cell, label="noise", status={"kind": "timeout"}))
    assert planned("noise")[0].state == "timeout"
    assert planned("noise", limit=9)[0].state == "new"  # a smoke run is another cell


def test_a_cell_names_what_its_model_reads_of_the_data(planned):
    reads, blind = planned("counts", "noise")
    assert reads.job.declared.needs == ("text",)
    assert list(reads.job.cell.fingerprints) == ["events", "text"]
    assert list(blind.job.cell.fingerprints) == ["events"]


def test_a_record_of_a_newer_mmbench_is_a_problem_and_stays(planned, tmp_path, store_result):
    row, _ = planned("noise", "counts")
    store_result(tmp_path, Record(cell=row.job.cell, label="noise", status={"kind": "timeout"}))
    path = record_path(tmp_path, row.job.cell)
    newer = path.read_text().replace('"schema": 2', '"schema": 3')
    path.write_text(newer)
    unread, other = planned("noise", "counts")
    assert (unread.state, other.state) == ("broken", "new")
    assert "result schema 3" in unread.problem and str(path) in unread.problem
    assert path.read_text() == newer


def test_an_interrupt_does_not_wait_for_a_plugin_that_hangs(monkeypatch, tmp_path):
    begun, stopped = threading.Event(), threading.Event()

    def describe(plugin, ref, overrides, *, size, isolated, cache, stop):
        if ref.name == "bad":
            assert begun.wait(20)
            raise UsageError("no")
        begun.set()
        assert stop.wait(20)
        stopped.set()

    monkeypatch.setattr(declared, "describe_plugin", describe)
    monkeypatch.setattr(declared, "find_model", lambda ref: SHELF["noise"])
    with pytest.raises(UsageError):
        declared.describe_all([ModelRef("bad"), ModelRef("hangs")], [], "tiny", True, tmp_path)
    assert stopped.is_set()


@pytest.mark.parametrize(
    ("ref", "preset", "size", "overrides", "label"),
    [
        ("sasrec", "paper", "", {}, "sasrec"),
        ("sasrec/paper", "paper", "", {}, "sasrec"),
        ("sasrec", "tiny", "tiny", {"dim": "8"}, "sasrec[dim=8] (tiny)"),
        ("sasrec", "small", "small", {}, "sasrec (small)"),
        ("vlm/ext", "ext/tiny", "tiny", {}, "vlm/ext (tiny)"),
        ("recbole:NARM[b=1,a=2]", "paper", "", {}, "recbole:NARM[a=2,b=1]"),
        ("x/tiny", "tiny", "tiny", {}, "x (tiny)"),
        ("x", "paper", "tiny", {"backbone": "tiny:a"}, "x[backbone=tiny:a] (tiny)"),
        # a size of the model's own is a variant like any other
        ("x", "tiny", "", {}, "x/tiny"),
        ("x/tiny", "tiny", "", {}, "x/tiny"),
        ("x/ext", "ext/tiny", "", {"k": "1"}, "x/ext/tiny[k=1]"),
    ],
)
def test_labels(ref, preset, size, overrides, label):
    assert make_label(parse_ref(ref), preset, overrides, size=size) == label


def test_cheap_is_not_a_stand_in(planned):
    """``auto`` takes a stand-in where there is no GPU, nothing that is only small."""
    (own,) = planned("quick")
    assert (own.label, own.job.preset) == ("quick", "paper")
    (cheap,) = planned("quick", preset="tiny")
    assert (cheap.label, cheap.job.preset) == ("quick/tiny", "tiny")
    assert not cheap.job.declared.stand_in
    (stand_in,) = planned("feigned")
    assert (stand_in.label, stand_in.job.preset) == ("feigned (tiny)", "tiny")
    assert stand_in.job.declared.stand_in
    (real,) = planned("feigned", preset="paper")
    assert (real.label, real.job.declared.stand_in) == ("feigned", "")
    (variant,) = planned("feigned/topk")
    assert (variant.label, variant.job.preset) == ("feigned/topk (tiny)", "topk/tiny")


def test_a_gpu_runs_the_real_thing(planned, monkeypatch):
    monkeypatch.setattr(declared, "cuda_gpus", lambda: ("a card",))
    monkeypatch.setattr(plan, "cuda_gpus", lambda: ("a card",))
    assert [row.label for row in planned("quick", "feigned", "feigned/topk")] == [
        *("quick", "feigned", "feigned/topk"),
    ]


@pytest.mark.parametrize(
    ("given", "seeds"),
    [("3", (0, 1, 2)), (2, (0, 1)), ("0,7", (0, 7)), ("5,", (5,)), ([4, 1], (4, 1))],
)
def test_seeds(given, seeds):
    assert parse_seeds(given) == seeds


@pytest.mark.parametrize("given", ["0", "x", "1,x", "-1,2", "1,1", [], [-1]])
def test_seeds_that_are_none(given):
    with pytest.raises(UsageError, match="seeds"):
        parse_seeds(given)


def test_a_grid_file_means_what_the_flags_mean(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(
        'models = ["counts", "noise/topk"]\ndata = "shop"\nseeds = [0, 3]\nlimit = 9\n'
        '[set.counts]\nsmoothing = 0.5\nnames = ["ä"]\n[set."noise/topk"]\nk = 2\n',
        encoding="utf-8",
    )
    assert read_grid(path) == {
        "models": ["counts", "noise/topk"],
        "data": ["shop"],
        "seeds": [0, 3],
        "limit": 9,
        "settings": ["counts.smoothing=0.5", 'counts.names=["\\u00e4"]', "noise/topk.k=2"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model = 'x'", "unknown key 'model'. Did you mean models"),
        ("models = 3", "grid.toml: models: "),
        ("data = ['a', 1]", "grid.toml: data.1: "),
        ("seeds = 2.5", "grid.toml: seeds"),
        ("seeds = [1.5]", "grid.toml: seeds"),
        ("limit = 0", "grid.toml: limit: .* not 0"),
        ("limit = true", "grid.toml: limit: "),
        ("preset = 1", "grid.toml: preset: "),
        ("set = 3", "grid.toml: set: "),
        ("[set]\ncounts = 3", r"grid.toml: set\.counts: "),
        ("models = [", "is not a TOML file"),
    ],
)
def test_a_grid_file_with_a_mistake(tmp_path, text, words):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_grid(path)


def test_no_grid_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        read_grid(tmp_path / "grid.toml")
