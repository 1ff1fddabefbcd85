"""A cell from views to record, in a child process and in a thread."""

import json
import signal
import sys
import threading
import time
import types
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest

from mmbench import hookimpl
from mmbench.grid import exchange, landlock, session
from mmbench.grid.declared import describe_plugin
from mmbench.grid.family import Limits
from mmbench.grid.host import Interrupted
from mmbench.grid.launch import launch
from mmbench.grid.question import ask_question
from mmbench.grid.registry import Plugin, UsageError, parse_ref
from mmbench.hookspecs import Published
from mmbench.protocol import get_protocol
from mmbench.results.ranks import read_ranks
from mmbench.results.record import Drawn
from mmbench.results.store import record_path


@pytest.fixture(autouse=True)
def _models(models_on_the_path):
    """The shelf can be imported."""


def describe(value, ref="m", **overrides):
    plugin = Plugin("m", value, "mmbench-shelf", "1.0")
    return plugin, describe_plugin(plugin, parse_ref(ref), overrides, size="tiny", isolated=False)


@pytest.fixture
def room(tmp_path):
    """A cell's folder, with a place for answers."""
    (tmp_path / "answers").mkdir()
    return tmp_path


@pytest.mark.parametrize("ref", ["m", "m/topk"])
def test_a_thread_and_a_process_give_identical_ranks(cell, ref):
    child, thread = cell("shelf:Noise", ref), cell("shelf:Noise", ref, isolated=False)
    assert child.record.wall == (f"landlock:{landlock.abi()}" if landlock.abi() else "process")
    assert thread.record.wall == "none"
    assert child.record.metrics == thread.record.metrics
    for name, column in child.ranks.items():
        np.testing.assert_array_equal(column, thread.ranks[name])


def test_a_record_is_complete(cell, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    events = []
    done = cell("shelf:Counts", events=events)
    record = done.record
    assert record.status.kind == "done"
    assert set(record.metrics) == {"full", "unseen", "neg100"}
    assert record.metrics["full"]["ndcg@10"] > 0.5  # walks are what it counts
    assert [step for step, _ in record.curves["valid"]] == [0, 1]
    assert record.curves["valid"][0][1] > 0.5
    assert record.loss == "counting"
    assert record.papers[0].metric == "ndcg@10"
    assert record.cost.peak_memory_mb > 1
    assert record.queries == 30
    assert record.drawn["neg100"] == Drawn(least=12, most=16)  # of the catalogue's 20 items
    assert record.environment.ranked_by == "numpy"
    assert record.environment.threads == 3
    assert len(done.ranks["query"]) == 30
    assert done.top["top_full"].shape == (30, 20)
    assert {"event": "progress", "done": 2.0, "total": 2.0, "unit": "epochs"} in events
    json.dumps(record.to_json(), allow_nan=False)


def test_ranks_name_their_users_and_say_which_targets_were_tied(cell, log, tmp_path, store_result):
    """In columns that come back from a file as they are, whatever text an id is."""
    odd = replace(
        log,
        user_ids=("", "a\0", "\udc80", "ä", *log.user_ids[4:]),
        time=log.time // 2,
        card={**log.card, "time": "timestamps"},
    )
    made = cell("shelf:Noise", isolated=False, log=odd)
    fold = ask_question(odd, get_protocol("loo@2")).split.test
    stored = store_result(tmp_path / "results", made.record, made.ranks)
    table = read_ranks(record_path(tmp_path / "results", stored.cell), stored)
    users = ["", "a\0", "\\udc80", "ä", *log.user_ids[4:]]
    assert table["user"].to_pylist() == [users[user] for user in fold.user]
    assert table["tied"].to_pylist() == fold.tied.tolist()
    assert 0 < sum(fold.tied) < 30
    assert table["history_length"].to_pylist() == fold.history_length.tolist()
    assert table["greater_full"].to_pylist() == made.ranks["greater_full"].tolist()


@pytest.mark.parametrize("isolated", [True, False], ids=["process", "thread"])
def test_vectors_are_ranked_as_their_products(cell, isolated):
    vectors = cell("shelf:Products", isolated=isolated)
    matrix = cell("shelf:Matrix", isolated=isolated)
    assert vectors.record.status.kind == "done"
    assert vectors.record.metrics == matrix.record.metrics
    assert vectors.record.curves == matrix.record.curves
    assert vectors.record.curves["valid"][0][1] != vectors.record.curves["valid"][1][1]
    np.testing.assert_array_equal(vectors.top["top_unseen"], matrix.top["top_unseen"])


def test_item_vectors_are_asked_for_once_a_validation_and_once_after_the_fit(cell, monkeypatch):
    monkeypatch.setattr(sys.modules["mmbench.protocol.evaluate"], "chunk_rows", lambda _: 8)
    cell("shelf:Products", isolated=False)
    import shelf

    round_ = [8, "items", 8, 8, 6]
    assert shelf.Products.diary == round_ * 3


def test_the_next_question_is_asked_before_an_answer_is_handed_out(log, tmp_path):
    plugin, described = describe("shelf:Witness")
    queries = ask_question(log, get_protocol("loo@2")).split.test.queries
    exchange.save_train(tmp_path, ask_question(log, get_protocol("loo@2")).split.train)
    exchange.save_items(tmp_path, log.items)
    exchange.save_queries(tmp_path, "test", queries)
    host = launch(tmp_path, isolated=False)
    run = {"seed": 0, "device": "cpu", "preset": "paper", "cache": str(tmp_path / "cache")}
    run |= {"encodings": str(tmp_path / "encodings"), "processes": 1}
    host.open(plugin, described.declared.config)
    host.fit(run, log.n_items, lambda limit: 0.0)
    import shelf

    def asked():
        return [part.user[0] for part in shelf.Witness.given[3:]]

    answers = host.score("test", "catalogue", [slice(i, i + 1) for i in range(4)])
    for number in range(4):
        next(answers)
        deadline = time.monotonic() + 20
        while len(asked()) < min(number + 2, 4) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert asked() == queries.user[: min(number + 2, 4)].tolist()
    host.close()
    assert host.thread is not None and not host.thread.is_alive()


def test_a_reranker_is_asked_only_what_it_can_afford(cell, log):
    record = cell("shelf:Reranker").record
    assert log.n_items > 15
    assert set(record.metrics) == {"neg100"}


def test_candidates_wide_enough_are_asked_about_the_whole_catalogue(cell, monkeypatch):
    import shelf

    monkeypatch.setattr(shelf.Reranker, "max_candidates", 20)
    reranked = cell("shelf:Reranker", isolated=False).record
    assert reranked.metrics == cell("shelf:Noise", isolated=False).record.metrics


def test_a_model_without_its_modality_is_not_applicable(cell):
    record = cell("shelf:Painter").record
    assert record.status.kind == "not-applicable"
    assert "images" in record.status.reason
    assert record.metrics == {}


def test_the_time_limit_holds(cell):
    record = cell("shelf:Counts", limits=Limits(seconds=2), sleep="60").record
    assert record.status.kind == "timeout"
    assert "2 s" in record.status.reason


def test_an_error_on_our_side_is_a_row_too(cell, monkeypatch):
    monkeypatch.setattr("mmbench.grid.outcome.summarise", lambda *_: 1 // 0)
    record = cell("shelf:Noise", isolated=False).record
    assert record.status.kind == "failed"
    assert record.status.reason.startswith("ZeroDivisionError")
    assert "Traceback" in record.status.traceback


def test_a_full_disk_is_not_the_cell_s_fault(cell, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mmbench.grid.exchange.save_train", full)
    with pytest.raises(OSError, match="No space"):
        cell("shelf:Noise", isolated=False)


def test_a_stop_leaves_at_once_and_stores_nothing(cell):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Interrupted):
        cell("shelf:Counts", stop=stop, sleep="60")


def test_describing_imports_the_plugin_elsewhere(log):
    plugin = Plugin("m", "shelf:Counts", "mmbench-shelf", "1.0")
    sys.modules.pop("shelf", None)
    found = describe_plugin(plugin, parse_ref("m"), {"epochs": "7"}, size="paper", isolated=True)
    assert found.declared.config == {"smoothing": 0.0, "sleep": 0.0, "epochs": 7}
    assert found.declared.needs == ("text",)
    assert "shelf" not in sys.modules


def test_a_plugin_that_does_not_import_is_a_problem_not_a_crash():
    for value in ("nowhere:Model", "shelf:Nothing", "shelf:np"):
        _, found = describe(value)
        assert found.problem
    with pytest.raises(UsageError, match="Did you mean epochs"):
        describe("shelf:Counts", epoch="1")


def test_a_child_ends_when_its_parent_s_end_closes(room):
    host = launch(room)
    process = host.family.process
    assert process.poll() is None
    host.channel.close()
    assert process.wait(timeout=20) == -signal.SIGKILL
    host.close()


def test_the_plugin_s_identity_crosses_whole():
    plugin = Plugin("m", "shelf:Noise", "mmbench-shelf", "1.0")
    assert Plugin(**json.loads(json.dumps(asdict(plugin)))) == plugin


def test_candidates_are_kept_from_models_that_are_not_asked_about_them(cell, tmp_path):
    scratch = tmp_path / "scratch"
    assert cell("shelf:Noise").record.status.kind == "done"
    assert not list(scratch.glob("views/*-candidates.npy"))
    assert cell("shelf:Reranker").record.status.kind == "done"
    assert len(list(scratch.glob("views/*-candidates.npy"))) == 2


class Hooked:
    """Has the hooks that a model cannot do without."""

    @hookimpl
    def fit(self): ...

    @hookimpl
    def score(self): ...


def test_published_figures_of_a_variant(monkeypatch):
    """A class may hold them for each variant; its tiny model is asked under the same name."""

    class Two(Hooked):
        Config = Empty
        presets = {name: Empty() for name in ("paper", "tiny", "bare", "bare/tiny", "lone")}
        papers = {"": [published("whole")], "bare": [published("bare")]}

    module = types.ModuleType("two_rows")
    module.Two = Two
    monkeypatch.setitem(sys.modules, "two_rows", module)
    found = {}
    for ref in ("m", "m/bare", "m/lone"):
        (described,) = session.describe(
            Plugin("m", "two_rows:Two", "mmbench-two", "1.0"), parse_ref(ref), "tiny", {}
        )
        found[ref] = [paper.model for paper in described.papers]
    assert found == {"m": ["whole"], "m/bare": ["bare"], "m/lone": []}


@dataclass(frozen=True)
class Empty:
    pass


def published(model):
    return Published("demo", "full", "ndcg@10", 0.1, "a table", model)


def test_a_model_may_need_pictures_in_some_presets_only(monkeypatch):
    class Either(Hooked):
        Config = CountsLike
        presets = {"paper": CountsLike(), "blind": CountsLike(smoothing=1.0)}

        @staticmethod
        def needs(config):
            return {"text"} if config.smoothing else {"text", "image"}

    module = types.ModuleType("either")
    module.Either = Either
    monkeypatch.setitem(sys.modules, "either", module)
    plugin = Plugin("m", "either:Either", "mmbench-either", "1.0")

    def needed(ref, **overrides):
        return session.describe(plugin, parse_ref(ref), "paper", overrides)[0].needs

    assert needed("m") == ("image", "text")
    assert needed("m/blind") == ("text",)
    assert needed("m", smoothing="2") == ("text",)  # as the config is, whatever the preset
    Either.needs = staticmethod(lambda config: {"sound"})
    with pytest.raises(session.ContractError, match=r"needs holds .*sound"):
        needed("m")


@dataclass(frozen=True)
class CountsLike:
    smoothing: float = 0.0
