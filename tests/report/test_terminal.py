import json

import pytest
from rich.console import Console

from mmbench.report import board_json, board_table, make_boards, parse
from mmbench.report.words import count, decimals, duration, reason, small


@pytest.fixture
def show():
    """What a terminal without colours shows of records."""

    def make(records, width=80):
        console = Console(width=width, no_color=True, force_terminal=False)
        with console.capture() as capture:
            for board in make_boards(map(parse, records)):
                console.print(board_table(board, width=width))
        return capture.get()

    return make


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_cut_off(shop, show, width):
    text = show(shop, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text.replace("…/weights.bin", "")
    assert "\x1b" not in text
    for word in ("vlm2rec/sft-ext", "(tiny)", "0.0420", "0.0840", "0.0546", "0.1680", "3m 12s"):
        assert word in text


def test_a_narrow_table_tells_failures_where_the_time_would_be(shop, show):
    lines = show(shop).splitlines()
    assert next(line for line in lines if line.startswith("prime")).split()[-1] == "failed"
    assert next(line for line in lines if line.startswith("vbpr")).split()[-1] == "n/a"
    assert next(line for line in lines if line.startswith("bert4rec")).split()[1] == "1/2"
    assert "bert4rec, seed 1: timeout, fit took longer than 3600 s" in lines


def test_a_wide_table_has_deviations_and_a_status(shop, show):
    lines = show(shop, 120).splitlines()
    assert "0.0420 ± 0.0010" in next(line for line in lines if line.startswith("sasrec"))
    assert any(line.startswith("± is the sample standard deviation") for line in lines)
    assert "±" not in show(shop, 100)
    assert next(line for line in lines if line.startswith("bert4rec")).split()[-1] == "timeout"


def test_no_status_where_all_is_done(make_record, show):
    assert "status" not in show([make_record()], 120)


def test_sets_that_nobody_has_are_left_out(make_record, show):
    record = make_record()
    del record["metrics"]["neg100"]
    assert "neg100" not in show([record])


def test_footnotes_stand_below(make_record, show):
    text = show([make_record(preset="tiny", label="sasrec (tiny)")])
    assert "sasrec (tiny) [1]" in text
    assert "\n[1] Tiny preset" in text


def test_labels_are_no_markup(make_record, show):
    text = show([make_record(label="a[red]b[/red]\x1b[31m")], 120)
    assert "a[red]b[/red] [31m" in text
    assert "\x1b" not in text


def test_json_holds_what_the_board_shows(shop):
    (board,) = make_boards(map(parse, shop))
    told = json.loads(json.dumps(board_json(board), allow_nan=False))
    assert [row["name"] for row in told["rows"]] == [row.name for row in board.rows]
    best = told["rows"][0]
    assert best["metrics"]["full"]["ndcg@10"]["mean"] == pytest.approx(0.042)
    assert best["metrics"]["full"]["ndcg@10"]["sd"] == pytest.approx(0.001)
    assert best["seeds"] == [0, 1, 2]
    failed = {row["name"]: row["failed"] for row in told["rows"] if row["failed"]}
    assert failed["vbpr"][0]["kind"] == "not-applicable"
    assert told["papers"][1]["difference"] == pytest.approx(0.0056)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.01, "<0.1s"),
        (0.44, "0.4s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (192, "3m 12s"),
        (3599.4, "59m 59s"),
        (3599.6, "1h 00m"),
        (7530, "2h 06m"),
        (90000, "25h 00m"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_numbers_for_people():
    assert decimals(-0.00001) == "0.0000"
    assert decimals(0.04184) == "0.0418"
    assert small(0.001) == "<0.01"
    assert small(0) == "0.00"
    assert count(None) == "?"
    assert count(12101) == "12,101"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("one\ntwo", "one"),
        ("no /home/me/x/w.bin, sorry", "no …/w.bin, sorry"),
        ("see https://example.org/a/b and/or c", "see https://example.org/a/b and/or c"),
        (r"no C:\Users\me\w.bin", "no …/w.bin"),
        ("5 items/user", "5 items/user"),
    ],
)
def test_reasons(text, line):
    assert reason(text) == line
