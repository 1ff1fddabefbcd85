"""Cells as people leave them: what is read of times, ratings, ids and texts, and what is said."""

import json

import pandas as pd
import pytest

from mmbench.data import folder as folders
from mmbench.data.log import DataError


def times_of(done):
    return folders.read(done.spec).events["time"].tolist()


def written(visits, form):
    """The visits, their moments as a date is written."""
    return [(u, i, pd.Timestamp(t, unit="s").strftime(form)) for u, i, t in visits]


# times


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("%m/%d/%Y %I:%M %p", 60),
        ("%d.%m.%Y %H:%M", 60),
        ("%m/%d/%y %H:%M", 60),
        ("%d/%b/%Y:%H:%M:%S +0000", 1),
        ("%Y-%m-%d %H:%M:%S UTC", 1),
        ("%Y-%m-%d %H:%M:%S.250 UTC", 1),
        ("%d-%b-%y", 86_400),
        ("%d %b %Y %H:%M:%S", 1),
    ],
)
def test_dates_that_programs_export(tmp_path, form, step, visits, write_events, imported):
    write_events(tmp_path / "e.csv", "user_id,item_id,PurchaseDate", written(visits, form))
    done, _ = imported(tmp_path)
    assert times_of(done) == [t // step * step for *_, t in visits]
    assert done.card["time"] == "timestamps"


def test_a_time_that_is_not_read_is_no_source_without_times(
    tmp_path, visits, write_events, imported
):
    rows = [(u, i, f"week {k} of spring") for k, (u, i, _) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,item_id,event_time", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time is None
    assert done.spec.info.remarks == (
        "times are positions: the source's own, in 'event_time', were not read, so the order of "
        "its rows is taken",
    )
    assert "'event_time' is named like a time, but its cells, such as 'week 0 of spring'" in said
    assert "--time-column event_time --time-format" in said
    rows = [(u, i, pd.Timestamp(t, unit="s").strftime("%d|%m|%Y")) for u, i, t in visits]
    write_events(tmp_path / "e.csv", "user_id,item_id,event_time", rows)
    flags = {"time_column": "event_time", "time_format": "%d|%m|%Y", "replace_existing": True}
    done, _ = imported(tmp_path, interactions="e.csv", **flags)
    assert (done.card["time"], done.spec.info.remarks) == ("timestamps", ())


@pytest.mark.parametrize("clock", ["%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%H:%M:%S.500"])
def test_a_day_and_a_clock_in_two_columns_are_one_moment(
    tmp_path, clock, visits, write_events, imported
):
    rows = [
        (u, i, *pd.Timestamp(t, unit="s").strftime(f"%Y-%m-%d|{clock}").split("|"))
        for u, i, t in visits
    ]
    write_events(tmp_path / "e.csv", "user_id,item_id,date,time", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == "date+time"
    step = 60 if clock == "%H:%M" else 1
    assert times_of(done) == [t // step * step for *_, t in visits]
    events = folders.read(done.spec).events
    assert set(events.get("nanosecond", [0])) == {500_000_000 if clock.endswith("500") else 0}
    assert "times are the days of 'date' and the clock of 'time'" in said
    rows[3] = (*rows[3][:3], "25:00:00")
    write_events(tmp_path / "e.csv", "user_id,item_id,date,time", rows)
    with pytest.raises(DataError, match=r"row 4 .*'25:00:00' in column 'time' is no time"):
        folders.read(done.spec)


def test_a_calendar_in_three_columns_is_a_day(tmp_path, visits, write_events, imported):
    """The day alone would put the 1st of June before the 13th of May."""
    rows = [
        (u, i, *pd.Timestamp(t + 86_400 * k, unit="s").strftime("%d %m %Y").split())
        for k, (u, i, t) in enumerate(visits)
    ]
    write_events(tmp_path / "e.csv", "user_id,item_id,Day,Month,Year", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == "Year+Month+Day"
    day = 86_400
    assert times_of(done) == [(t + day * k) // day * day for k, (*_, t) in enumerate(visits)]
    assert "times are days, of three columns" in said


def test_numbers_that_are_no_moments_are_said(tmp_path, visits, write_events, imported):
    rows = [(u, i, 41_772 + k / 24) for k, (u, i, _) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,item_id,date", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == "date"
    assert "'date' holds no moments of recent decades but other numbers" in said


# ratings


def test_a_decimal_comma_is_one(tmp_path, visits, imported):
    lines = ["user;item;rating;time", *(f"{u};{i};4,5;{t}" for u, i, t in visits)]
    (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")
    done, _ = imported(tmp_path)
    assert set(folders.read(done.spec).events["rating"]) == {4.5}


def test_a_column_of_words_is_no_rating(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "e.csv", "user_id,item_id,score,timestamp",
                 [(u, i, "A+", t) for u, i, t in visits])  # fmt: skip
    done, said = imported(tmp_path)
    assert (done.spec.interactions.rating, done.card["events"]) == (None, 30)
    assert "'score' is no rating: its cells, such as 'A+', no numbers" in said


def test_a_constant_of_a_headless_file_is_no_rating(tmp_path, visits, imported):
    """Taobao's categories of a small part."""
    rows = [f"{u[1:]},{i[1:]},77,pv,{t}" for u, i, t in visits]
    (tmp_path / "UserBehavior.csv").write_text("\n".join(rows) + "\n")
    events = imported(tmp_path)[0].spec.interactions
    assert (events.user, events.item, events.time) == ("column 1", "column 2", "column 5")
    assert events.rating is None


# ids


def titles_found(done):
    raw = folders.read(done.spec, lambda note: None)
    titles = dict(zip(raw.items["item"], raw.items["title"], strict=True))
    return [titles.get(item, "") for item in sorted(set(raw.events["item"]), key=str)]


@pytest.mark.parametrize("around", ["\u200b{}", "{}\ufeff", "{}\u00a0", "\u3000{}", "{}\u2060"])
def test_what_has_no_width_splits_no_id(tmp_path, around, visits, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = ["item_id,title", *(f"{around.format(f'i{k}')},Thing {k}" for k in range(7))]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n", "utf-8")
    done, said = imported(tmp_path)
    assert titles_found(done) == [f"Thing {k}" for k in range(7)]
    assert "7 ids of items.csv differ from the events' only by spaces around them" in said


def test_powers_of_ten_are_the_numbers_that_they_were(tmp_path, visits, write_events, imported):
    number = {f"i{k}": 100_000 * (k + 11) for k in range(7)}
    write_events(tmp_path / "e.csv", rows=[(u, f"{number[i]:.1e}", t) for u, i, t in visits])
    rows = ["item_id,title", *(f"{n},Thing {n}" for n in number.values())]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    done, said = imported(tmp_path)
    assert titles_found(done) == [f"Thing {n}" for n in sorted(number.values())]
    assert "a spreadsheet may have cut them off, and made one id of several" in said
    assert "only by how powers of ten are written, such as '1100000' and '1.1e+06'" in said


def test_a_table_that_fits_no_id_shows_ids_of_both(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "e.csv", rows=[(u, f"item_{i}", t) for u, i, t in visits])
    (tmp_path / "items.csv").write_text("item_id,title\n10,Thing\n11,Other\n")
    _, said = imported(tmp_path)
    assert "items.csv: not used: none of its columns holds the ids of the events' items: " in said
    assert "item_id is like '10', theirs like 'item_i0'" in said


def test_parts_of_the_items_are_said_to_be_parts(tmp_path, write_events, write_items, imported):
    write_events(tmp_path / "e.csv")
    write_items(tmp_path / "books.csv", [f"i{k}" for k in range(4)])
    write_items(tmp_path / "toys.csv", [f"i{k}" for k in range(4, 7)])
    done, said = imported(tmp_path)
    assert "toys.csv: not used: item_id holds 43% of the items" in said
    assert "one table is read: put parts of the items into one file" in said
    assert "3 items have no title" in said
    assert done.card["unknown_items"] == 3


# columns that tell the order of rows


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "row_id", "row number", "level_0"])
def test_numbers_of_rows_reach_no_model(tmp_path, name, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = [f"{name},item_id,title", *(f"{k},i{k},Thing {k}" for k in range(7))]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    done, said = imported(tmp_path)
    assert done.card["text"] == ["title"]
    assert f"  {name}: no model reads it: it numbers rows, by its name" in said.split("\n")


def test_numbers_of_rows_under_another_name_reach_none_either(tmp_path, imported):
    events = [f"u{k % 5},i{k},{1_400_000_000 + k}" for k in range(30)]
    (tmp_path / "e.csv").write_text("\n".join(["user_id,item_id,timestamp", *events]) + "\n")
    rows = [f"i{k},Thing {k},{(k * 7) % 30 + 500},{k % 4}" for k in range(30)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title,seat,shelf", *rows]) + "\n")
    done, said = imported(tmp_path)
    assert done.card["text"] == ["title", "shelf"]
    assert "seat: no model reads it: it numbers the items one by one" in said


# objects


def test_objects_within_rows_are_taken_apart(tmp_path, visits, imported):
    rows = [
        {"user": {"id": u, "age": 30}, "item": {"id": i, "title": f"Thing {i}"}, "ts": t}
        for u, i, t in visits
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done, said = imported(tmp_path)
    events = done.spec.interactions
    assert (events.user, events.item, events.time) == ("user.id", "item.id", "ts")
    raw = folders.read(done.spec, lambda note: None)
    assert sorted(zip(raw.events["user"], raw.events["item"], strict=True)) == sorted(
        (u, i) for u, i, _ in visits
    )
    assert raw.items.set_index("item")["item.title"].to_dict() == {
        f"i{k}": f"Thing i{k}" for k in range(7)
    }
    assert "user.age: not used" in said


def test_what_mongodb_wraps_is_unwrapped(tmp_path, visits, imported):
    rows = [
        {
            "_id": {"$oid": f"{k:024x}"},
            "user_id": {"$numberLong": u[1:]},
            "item_id": i,
            "timestamp": {"$date": {"$numberLong": str(t * 1000)}},
        }
        for k, (u, i, t) in enumerate(visits)
    ]
    (tmp_path / "events.json").write_text("\n".join(map(json.dumps, rows)))
    done, _ = imported(tmp_path)
    assert times_of(done) == [t for *_, t in visits]
    assert set(folders.read(done.spec).events["user"]) == set("012345")


# cells that are not what the others are


@pytest.mark.parametrize(
    ("other", "row"),
    [("int", 1), ("", 1), ("13/05/2014", 1), ("1400000000", 2)],
)
def test_a_column_of_times_with_other_cells_is_refused_by_its_row(
    tmp_path, other, row, visits, write_events
):
    """Its times were dropped as a whole, and the order of rows taken."""
    rows = written(visits, "%Y-%m-%d %H:%M:%S")
    rows[0] = (*rows[0][:2], other)
    write_events(tmp_path / "e.csv", "user_id,item_id,time", rows)
    from mmbench.data import importer

    with pytest.raises(DataError, match=rf"row {row} .*in column 'time' is no time"):
        importer.import_folder(tmp_path)


@pytest.mark.parametrize("word", ["NULL", "nan", "None", "-"])
def test_ids_and_titles_that_may_stand_for_none_are_said(
    tmp_path, word, visits, write_events, imported
):
    rows = [(word if k < 4 else u, i, t) for k, (u, i, t) in enumerate(visits)]
    write_events(tmp_path / "e.csv", rows=rows)
    titles = [f"i{k},{word if k > 4 else f'Thing {k}'}" for k in range(7)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *titles]) + "\n")
    done, said = imported(tmp_path)
    assert f"4 events are of a user called {word!r}, which may stand for none" in said
    assert f"2 items have a title such as {word!r}, which may stand for none" in said
    assert (done.card["events"], done.card["without_title"]) == (30, 0)


@pytest.mark.parametrize(
    ("title", "said_of"),
    [("Tom &amp; Jerry", True), ("<b>Bold</b>", True), ("A & B", False), ("x < y > z", False)],
)
def test_titles_with_html_are_said(tmp_path, title, said_of, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = ["item_id,title", f"i0,{title}", *(f"i{k},Thing {k}" for k in range(1, 7))]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    done, said = imported(tmp_path)
    assert (f"1 titles hold HTML, such as {title!r}: models read it as it is" in said) is said_of
    assert folders.read(done.spec).items["title"][0] == title


@pytest.mark.parametrize("form", ["json", "spaces", "quoted", "parquet"])
def test_a_cell_may_list_a_user_s_items(tmp_path, form, visits, imported):
    lists = {}
    for user, item, _ in visits:
        lists.setdefault(user, []).append(item)
    if form == "json":
        rows = [{"user": user, "items": items} for user, items in lists.items()]
        (tmp_path / "data.json").write_text(json.dumps(rows))
    elif form == "parquet":
        table = pd.DataFrame({"user_id": list(lists), "item_ids": list(lists.values())})
        table.to_parquet(tmp_path / "data.parquet")
    else:
        cell = {"spaces": " ".join, "quoted": lambda items: f'"{items}"'}[form]
        rows = [f"{user},{cell(items)}" for user, items in lists.items()]
        (tmp_path / "data.csv").write_text("\n".join(["user_id,history", *rows]) + "\n")
    done, said = imported(tmp_path)
    events = folders.read(done.spec).events
    found = events.groupby("user")["item"].agg(list).to_dict()
    assert found == lists
    assert done.card["time"] == "positions"
    assert ": the items, oldest first" in said


@pytest.mark.parametrize("name", ["timestamps", "time_list", "dates"])
def test_a_list_of_times_beside_it_is_read(tmp_path, name, visits, imported):
    lists = {}
    for user, item, time in visits:
        lists.setdefault(user, []).append((item, time))
    rows = [
        {"user": user, "items": [i for i, _ in found], name: [t * 1000 for _, t in found]}
        for user, found in lists.items()
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done, said = imported(tmp_path)
    events = folders.read(done.spec).events
    found = set(events[["user", "item", "time"]].itertuples(index=False, name=None))
    assert found == set(visits)
    assert (done.card["time"], done.spec.info.remarks) == ("timestamps", ())
    assert f"{name}: the time" in said
    rows[2][name] = rows[2][name][1:]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=rf"row 3 .*: 4 times in '{name}' for 5 items"):
        folders.read(done.spec)


def test_a_list_beside_an_item_stays_what_it_was(tmp_path, visits, write_events, imported):
    """Amazon 2023 with histories: each row is an event, with its time."""
    rows = [(u, i, t, "i1 i2 i3") for u, i, t in visits]
    write_events(tmp_path / "e.csv", "user_id,parent_asin,timestamp,history", rows)
    done, said = imported(tmp_path)
    assert (done.card["events"], done.card["time"]) == (30, "timestamps")
    assert "history: not used" in said


def test_items_with_several_texts_say_how_to_take_the_first(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = [f"i{k},{word} {k}" for word in ("Thing", "Other") for k in range(7)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *rows]) + "\n")
    _, said = imported(tmp_path)
    assert "(--items items.csv --repeated first)" in said
    flags = {"items": "items.csv", "repeated": "first", "replace_existing": True}
    assert titles_found(imported(tmp_path, **flags)[0]) == [f"Thing {k}" for k in range(7)]
