"""Each reader on a good file, and what it says of a bad one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.data import clock, formats
from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec, ItemsSpec

ROWS = [("u1", "10", 100), ("u1", "11", 99), ("u2", "10", 100)]
COLUMNS = {"user": "user_id", "item": "item_id", "time": "timestamp"}


def write_events(folder, form):
    path = folder / f"events.{'inter' if form == 'atomic' else form}"
    if form == "sequences":
        path = folder / "sequences.txt"
        path.write_text("u1 10 11\n\nu2 10\r\n")
    elif form == "parquet":
        frame = pd.DataFrame(ROWS, columns=list(COLUMNS.values()))
        frame.assign(item_id=frame["item_id"].astype(int)).to_parquet(path)
    elif form == "jsonl":
        rows = [dict(zip(COLUMNS.values(), row, strict=True)) for row in ROWS]
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        names = {"atomic": ["user_id:token", "item_id:token", "timestamp:float"]}
        gap = "," if form == "csv" else "\t"
        lines = [names.get(form, COLUMNS.values()), *ROWS]
        path.write_text("\n".join(gap.join(map(str, line)) for line in lines) + "\n")
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "jsonl", "atomic"])
def test_every_format_of_events_reads_alike(tmp_path, form):
    path = write_events(tmp_path, form)
    events = formats.read_events(path, EventsSpec(path.name, **COLUMNS))
    assert [tuple(row) for row in events[["user", "item", "time"]].to_numpy().tolist()] == ROWS
    assert events["time"].dtype == np.int64
    assert all(type(one) is str for one in events["item"])


def test_sequences_have_positions_for_times(tmp_path):
    path = write_events(tmp_path, "sequences")
    events = formats.read_events(path, EventsSpec(path.name))
    assert events["user"].tolist() == ["u1", "u1", "u2"]
    assert events["item"].tolist() == ["10", "11", "10"]
    assert events["time"].tolist() == [0, 1, 0]


def test_without_a_time_column_the_order_of_rows_counts(tmp_path):
    path = write_events(tmp_path, "csv")
    spec = EventsSpec(path.name, user="user_id", item="item_id")
    assert formats.read_events(path, spec)["time"].tolist() == [0, 1, 0]


def test_a_parquet_file_with_damaged_rows_is_told_by_its_name(tmp_path):
    path = write_events(tmp_path, "parquet")
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 60 + data[64:])  # its header is at its end
    assert formats.header(path, "parquet") == list(COLUMNS.values())
    with pytest.raises(DataError, match=r"events\.parquet: not a readable parquet file"):
        formats.read_events(path, EventsSpec(path.name, **COLUMNS))


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "jsonl", "atomic"])
def test_every_format_of_items_reads_alike(tmp_path, form):
    path = tmp_path / f"items.{'item' if form == 'atomic' else form}"
    titles = ["Crème brûlée", "", 'A "big" one']
    frame = pd.DataFrame({"item_id": ["1", "2", "3"], "title": titles, "x": ["p", "q", "r"]})
    if form == "parquet":
        frame.replace("", None).to_parquet(path)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif form == "csv":
        frame.to_csv(path, index=False)
    else:
        head = (
            "item_id:token\ttitle:token_seq\tx:token" if form == "atomic" else "item_id\ttitle\tx"
        )
        rows = ["\t".join(row) for row in frame.to_numpy().tolist()]
        path.write_text("\n".join([head, *rows]), "utf-8")
    items = formats.read_items(path, ItemsSpec(path.name, text=("title",)))
    assert items.columns.tolist() == ["item", "title"]
    assert items["title"].tolist() == titles
    assert formats.read_items(path, ItemsSpec(path.name)).columns.tolist() == ["item", "title", "x"]


def test_lists_and_objects_become_text():
    assert formats.as_text(["a", None, ["b", ""]]) == "a, b"
    assert formats.as_text({"ä": 1}) == '{"ä": 1}'
    assert formats.as_text(float("nan")) == formats.as_text(None) == ""


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["1400000000", "-5"], [1400000000, -5]),
        (["1.4e9", "1400000001.0"], [1400000000, 1400000001]),
        (["1400000000123", "1400000001999"], [1400000000, 1400000001]),
        (["1400000000123456", "1"], [1400000000, 0]),
        (["2014-05-13", "2014-05-13T16:53:20Z"], [1399939200, 1400000000]),
        (pd.to_datetime(["2014-05-13 16:53:20"]), [1400000000]),
    ],
)
def test_times_are_seconds(tmp_path, cells, wanted):
    frame = pd.DataFrame({"user_id": "u", "item_id": "i", "timestamp": cells})
    path = tmp_path / "events.parquet"
    frame.to_parquet(path)
    times = formats.read_events(path, EventsSpec(path.name, **COLUMNS))["time"]
    assert times.tolist() == wanted


def test_no_order_is_lost_where_times_are_finer_than_seconds(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,timestamp\nu,late,5.9\nu,early,5.25\nu,tie,5.9\n")
    events = formats.read_events(path, EventsSpec(path.name, **COLUMNS))
    assert events["time"].tolist() == [5, 5, 5]
    late, early, tie = events["nanosecond"]
    assert early == 250_000_000 < late == tie


@pytest.mark.parametrize(
    ("cells", "seconds", "nanoseconds"),
    [
        (["1400000000123", "-1"], [1400000000, -1], [123_000_000, 999_000_000]),
        (["1400000000123456", "1400000000000001"], [1400000000] * 2, [123_456_000, 1000]),
        (["1400000000123456789"], [1400000000], [123_456_789]),
        (["2014-05-13T16:53:20.5Z", "1969-12-31T23:59:59.75Z"], [1400000000, -1],
         [500_000_000, 750_000_000]),
        (["1400000000000.5"], [1400000000], [500_000]),
    ],
)  # fmt: skip
def test_a_second_and_what_is_beyond_it_are_the_moment(tmp_path, cells, seconds, nanoseconds):
    path = tmp_path / "events.parquet"
    frame = pd.DataFrame({"user_id": "u", "item_id": "i", "timestamp": cells})
    frame.to_parquet(path)
    events = formats.read_events(path, EventsSpec(path.name, **COLUMNS))
    assert events["time"].tolist() == seconds
    assert events["nanosecond"].tolist() == nanoseconds


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**41), 2**41), min_size=2, max_size=20), st.integers(1, 7))
def test_float_moments_that_differ_are_never_tied(seconds, digits):
    """Float64 tells fractions of today's seconds to about 0.2 microseconds."""
    column = pd.Series([second / 10**digits for second in seconds])
    exact, unit = clock.times(column, Path("events"), unit="s")
    second, finer = clock.split_moments(exact, unit)
    assert len(set(zip(second.tolist(), finer.tolist(), strict=True))) == len(set(seconds))
    order = np.lexsort((finer, second))
    assert [seconds[k] for k in order] == sorted(seconds)


HEAD = b"user_id,item_id,timestamp\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "e.csv",
            b"who,item_id,timestamp\na,b,1\n",
            "no column 'user_id'; the file has who, item_",
        ),
        ("e.csv", HEAD + b"a,b,1\na,b\n", r"Row #3: Expected 3 columns, got 2"),
        ("e.csv", HEAD + b"a,b,1\na,b,1,2\n", r"Row #3: Expected 3 columns, got 4"),
        (
            "e.csv",
            HEAD + b"a,b,1\na,caf\xe9,2\n",
            r"e\.csv, line 3: not UTF-8 \(byte 0xe9\).*iconv",
        ),
        ("e.csv", b"us\xe9r,item_id\n", "line 1: not UTF-8"),
        ("e.csv", b"", "is empty"),
        ("e.csv", HEAD, "a header and no rows"),
        ("e.csv", b"user_id,user_id\na,b\n", "more than one column is called 'user_id'"),
        ("e.csv", HEAD + b"a,b,1\na,b,noon\n", r"row 2 .*'noon' in column 'timestamp' is no time"),
        ("e.csv", HEAD + b"a,b,1\na,b,nan\n", "row 2 .*'nan' in column 'timestamp' is no time"),
        ("e.csv", HEAD + b"a,b,inf\n", "'inf' in column 'timestamp' is no time"),
        ("e.csv", HEAD + b"a,b,\na,b,3\n", "'' in column 'timestamp' is no time; 1 such rows"),
        ("e.csv", HEAD + b"a,b,1\n,b,1\n", r"row 2 .*no value in column 'user_id'"),
        ("e.jsonl", b'{"user_id": 1}\n{"user', "line 2: not JSON"),
        ("e.jsonl", b"[1]\n", "line 1: a row must be a JSON object"),
        ("e.jsonl", b'{"item_id": 1}\n', "no row has the key 'user_id'"),
        ("e.jsonl", b'{"user_id": "\xe9"}\n', "line 1: not UTF-8"),
        ("e.parquet", b"PAR1 nonsense", "not a readable parquet file"),
        ("s.txt", b"", "is empty"),
        ("s.txt", b"u 1 2\nv\n", "line 2: user 'v' has no item"),
        ("s.txt", b"u 1 2\nv 1\nu 3\n", "user 'u' has more than one line"),
        ("s.txt", b"u 1 2\nv \xff 3\n", "line 2: not UTF-8"),
        ("e.xml", b"<a/>", "cannot tell its format by its name; set `format`"),
    ],
)
def test_a_bad_file_is_described(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        formats.read_events(path, EventsSpec(name, **COLUMNS))
    assert name in str(caught.value)


def test_an_absent_file_is_named(tmp_path):
    for name in ("events.csv", "sequences.txt"):
        with pytest.raises(DataError, match=rf"{name}: no such file"):
            formats.read_events(tmp_path / name, EventsSpec(name, **COLUMNS))


def test_ratings_may_lack_but_not_be_words(tmp_path):
    path = tmp_path / "e.csv"
    spec = EventsSpec(path.name, user="u", item="i", rating="r")
    path.write_text("u,i,r\na,b,4.5\na,c,\n")
    ratings = formats.read_events(path, spec)["rating"]
    assert ratings[0] == 4.5
    assert np.isnan(ratings[1])
    path.write_text("u,i,r\na,b,good\n")
    with pytest.raises(DataError, match="'good' in column 'r' is no rating"):
        formats.read_events(path, spec)


def test_items_twice_are_counted_and_shown(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\n1,a\n2,b\n1,c\n2,d\n")
    with pytest.raises(DataError, match=r"item '1' is in rows 1 and 3 .* 2 items are there twice"):
        formats.read_items(path, ItemsSpec(path.name))


def test_tsv_has_no_quoting_and_csv_has(tmp_path):
    tsv, csv = tmp_path / "items.tsv", tmp_path / "items.csv"
    tsv.write_text('item_id\ttitle\n1\t"half\n2\ta "b" c\n')
    csv.write_text('item_id,title\n1,"a, ""b""\nc"\n2,d\n')
    assert formats.read_items(tsv, ItemsSpec(tsv.name))["title"].tolist() == ['"half', 'a "b" c']
    assert formats.read_items(csv, ItemsSpec(csv.name))["title"].tolist() == ['a, "b"\nc', "d"]


def test_whole_numbers_with_a_point_are_the_same_ids(tmp_path):
    path = tmp_path / "items.parquet"
    pd.DataFrame({"item_id": [1.0, 2.0], "title": ["a", "b"]}).to_parquet(path)
    assert formats.read_items(path, ItemsSpec(path.name))["item"].tolist() == ["1", "2"]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(b"\xef\xbb\xbfitem_id,title\r\n1,a\r\n")
    items = formats.read_items(path, ItemsSpec(path.name))
    assert items.to_dict("list") == {"item": ["1"], "title": ["a"]}
