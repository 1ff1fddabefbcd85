"""What a cell costs is measured by the harness, and what a plugin says of itself has bounds."""

import json
import sys
import threading
import time

import psutil
import pytest

from mmbench.grid import family
from mmbench.grid.curves import NAMES, POINTS
from mmbench.grid.family import Limits
from mmbench.grid.host import Interrupted

BOTH = pytest.mark.parametrize("isolated", [True, False], ids=["process", "thread"])
linux = pytest.mark.skipif(sys.platform != "linux", reason="only there can a pipe be made small")
REFUSED = "its process sent what it may not: "


@BOTH
def test_seconds_are_those_of_the_plugin_s_turns(cell, isolated):
    """To fit: with the scores for two validations. Building it, which takes 2 s, is neither."""
    cost = cell("forgers:Sleeps", isolated=isolated).record.cost
    assert 0.3 + 2 * 0.1 <= cost.fit_seconds < 2.0
    assert 0.1 <= cost.score_seconds < 0.3 + 2 * 0.1
    assert cost.score_seconds_per_1000 == pytest.approx(1000 * cost.score_seconds / 30, rel=1e-2)


def test_what_the_harness_makes_of_answers_is_not_the_plugin_s(cell, monkeypatch):
    """It ranks while the plugin waits, or while the plugin is at work on the next question."""
    import mmbench.grid.fitting as fitting

    slow = fitting.validation_ndcg

    def validation_ndcg(*given):
        time.sleep(1)
        return slow(*given)

    monkeypatch.setattr(fitting, "validation_ndcg", validation_ndcg)
    record = cell("shelf:Counts").record
    assert len(record.curves["valid"]) == record.validations == 2
    assert 2.0 + record.cost.fit_seconds < record.seconds


def test_the_peak_is_seen_between_two_looks(cell, monkeypatch):
    monkeypatch.setattr(family, "POLL", 30.0)
    assert cell("shelf:Noise").record.cost.peak_memory_mb < 400
    assert cell("forgers:Swells").record.cost.peak_memory_mb > 400


@BOTH
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("Costless", "fit.seconds: Extra inputs are not permitted, not 0.0"),
        ("Enormous", "fit.parameters: Input should be less than or equal to"),
        ("Unknown", "an unknown message: {'event': 'targets'}"),
        ("NoPoint", "run.log.values.loss: Input should be a valid number"),
        ("NoExample", "run.example.title: Value error, it holds what is not printed"),
        ("NoValidation", "run.validate.limit: Input should be greater than or equal to 1"),
        ("NoFailure", "failure.type: Field required"),
        ("ForgesNames", f"run.log: with 'loss of batch {NAMES}' there are {NAMES + 1} curves"),
    ],
)
def test_what_a_plugin_says_by_itself_is_a_failed_row(cell, model, reason, isolated):
    record = cell(f"forgers:{model}", isolated=isolated).record
    assert record.status.kind == "failed"
    assert record.status.reason.startswith(REFUSED + reason)
    assert record.metrics == {} and record.cost.fit_seconds is None


@BOTH
def test_an_answer_that_was_not_asked_for_is_refused(cell, isolated):
    """By when it came, or, where it came late enough, by what it is."""
    record = cell("forgers:Early", isolated=isolated).record
    early, wrong = "an answer before it was asked for", "score.answer: Field required"
    assert record.status.reason.startswith((REFUSED + early, REFUSED + wrong))


def test_a_wall_is_named_once(cell):
    record = cell("forgers:OtherWall").record
    assert record.status.reason.startswith(REFUSED + "an unknown message: {'event': 'wall'")
    assert record.wall != "landlock:99"


def test_a_failure_in_a_cell_is_never_the_user_s_mistake(cell):
    record = cell("forgers:AskedWrongly").record
    assert (record.status.kind, record.status.reason) == ("failed", "UsageError: give me more")


@BOTH
def test_an_answer_is_no_other_file(cell, isolated, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4 * 20 * 30))
    record = cell("forgers:NoAnswer", isolated=isolated).record
    assert record.status.kind == "failed"
    assert record.status.reason == "unreadable answer: an answer of ['../../secret']"


@BOTH
def test_too_many_curves_are_an_error_where_they_are_logged(cell, isolated):
    record = cell("forgers:FloodsNames", isolated=isolated).record
    assert record.status.reason.startswith(f"CurveError: run.log: with 'loss of batch {NAMES}'")
    assert "use the same names at each step" in record.status.reason
    assert "run.log(0, **{" in record.status.traceback
    assert sum(map(len, record.curves.values())) == NAMES


def test_a_long_curve_fits_into_a_record(cell, tmp_path):
    record = cell("forgers:FloodsPoints").record
    assert record.status.kind == "done"
    points = record.curves["loss"]
    assert POINTS // 2 <= len(points) <= POINTS
    assert points[0][0] == 0 and points[-1][0] == 19_999
    assert len(json.dumps(record.to_json())) < 100_000


def test_a_message_without_an_end_does_not_fill_the_memory(cell):
    before = psutil.Process().memory_info().rss
    record = cell("forgers:FloodsBytes").record
    assert record.status.reason.startswith(REFUSED + "a message of more than 1,048,576 bytes")
    assert psutil.Process().memory_info().rss - before < 50 * 2**20


@BOTH
def test_an_error_may_say_anything(cell, isolated, tmp_path, store_result):
    record = cell("forgers:TooLong", isolated=isolated).record
    assert record.status.reason.startswith("ValueError: \ufffd\ufffd[2Jxxx")
    assert record.status.reason.endswith(" more characters)")
    assert len(record.status.reason) < 5000
    store_result(tmp_path / "results", record)


@pytest.mark.slow
@linux
def test_who_reads_nothing_is_ended_too(cell, monkeypatch):
    monkeypatch.setattr(family, "GRACE", 0.5)
    record = cell("forgers:Deaf", limits=Limits(seconds=6)).record
    assert record.status.kind == "timeout", record.status
    assert 10 < record.validations < 200  # as many questions as the pipe holds


@pytest.mark.slow
@linux
def test_a_stop_ends_who_reads_nothing(cell, monkeypatch):
    monkeypatch.setattr(family, "GRACE", 0.5)
    stop = threading.Event()
    threading.Timer(6, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        cell("forgers:Deaf", stop=stop)
    assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_what_a_plugin_has_dug_is_filled_in(bench):
    """Where it was asked what it declares, and where it was fitted."""
    bench.install("forgers", "mmbench-forgers", digs="forgers:Digs")
    bench.environment["TMPDIR"] = str(bench.folder / "temporary")
    (bench.folder / "temporary").mkdir()
    done = bench.run("run", "-m", "digs", "-d", "shop")
    assert (done.code, done.err) == (0, "")
    assert list((bench.folder / "temporary").iterdir()) == []
    assert list((bench.folder / "results" / ".work").iterdir()) == []
