"""Times that an import finds: by names and by values, in whichever unit and spelling."""

import pandas as pd
import pytest

from mmbench.data import folder as folders
from mmbench.data import importer
from mmbench.data.events import Unclear
from mmbench.data.log import DataError

NAMES = [
    *("timestamp", "event_time", "t_dat", "time_ms", "reviewTime", "unixReviewTime", "date", "ts"),
    *("created_at", "createdAt", "review_date", "interaction_time", "click_time", "purchase_date"),
    *("order_ts", "eventdate", "datetime", "event_timestamp", "watched_at", "invoice_date"),
    *("listen_time", "unix_time", "checkin_time", "local_time", "zeitpunkt", "fecha", "日時"),
]


@pytest.mark.parametrize("name", NAMES)
def test_times_are_found_by_many_names_and_by_values(tmp_path, name, write_events, imported):
    write_events(tmp_path / "e.csv", f"user_id,item_id,{name}")
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == name
    assert (done.card["time"], done.spec.info.remarks) == ("timestamps", ())
    assert f"{name}: the time" in said


SPELLINGS = {
    "2014-05-13 16:53:20": "%Y-%m-%d %H:%M:%S",
    "2014-05-13T16:53:20Z": "%Y-%m-%dT%H:%M:%SZ",
    "05 13, 2014": "%m %d, %Y",
    "13.05.2014": "%d.%m.%Y",
    "20140513": "%Y%m%d",
    "20140513165320": "%Y%m%d%H%M%S",
    "May 13, 2014": "%B %d, %Y",
    "Tue May 13 16:53:20 +0000 2014": "%a %b %d %H:%M:%S +0000 %Y",
}


@pytest.mark.parametrize("form", SPELLINGS.values(), ids=SPELLINGS)
def test_dates_are_read_as_people_write_them(tmp_path, form, visits, imported):
    moments = pd.to_datetime([t * 1.0 for *_, t in visits], unit="s")
    table = pd.DataFrame({"user_id": [u for u, *_ in visits], "item_id": [i for _, i, _ in visits]})
    table["when"] = moments.strftime(form)
    table.to_csv(tmp_path / "e.csv", index=False)
    done, _ = imported(tmp_path)
    assert done.spec.interactions.time == "when"
    assert done.card["time"] == "timestamps"
    read = folders.read(done.spec).events["time"].to_numpy()
    wanted = pd.to_datetime(table["when"], format=form, utc=True).dt.as_unit("s").astype("int64")
    assert read.tolist() == wanted.tolist()


def test_days_and_months_that_may_change_places_are_asked_about(
    tmp_path, visits, write_events, imported
):
    rows = [(u, i, f"0{1 + k % 9}/0{1 + k % 7}/2014") for k, (u, i, _) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,item_id,date", rows)
    with pytest.raises(DataError, match=r"may be %d/%m/%Y or %m/%d/%Y; say which"):
        imported(tmp_path)
    done, _ = imported(tmp_path, time_format="%d/%m/%Y")
    assert done.spec.interactions.time_format == "%d/%m/%Y"


@pytest.mark.parametrize(
    ("columns", "taken"),
    [
        ("date,time_ms", "time_ms"),
        ("timestamp,time_ms", "time_ms"),
        ("date,timestamp", "timestamp"),
        ("day,event_time", "event_time"),
    ],
)
def test_the_finest_of_several_times_is_taken(
    tmp_path, columns, taken, visits, write_events, imported
):
    def cell(name, t):
        if name in ("date", "day"):
            return str(pd.Timestamp(t, unit="s").date())
        return t * 1000 + 123 if name == "time_ms" else t

    names = columns.split(",")
    rows = [(u, i, *(cell(name, t) for name in names)) for u, i, t in visits]
    write_events(tmp_path / "e.csv", f"user_id,item_id,{columns}", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == taken
    assert f"not {next(name for name in names if name != taken)}" in said


@pytest.mark.parametrize("name", ["release_date", "birth_date", "duration", "play_time_ms"])
def test_what_is_no_moment_of_an_event_is_not_taken_for_one(tmp_path, name, write_events, imported):
    write_events(tmp_path / "e.csv", f"user_id,item_id,{name}")
    done, said = imported(tmp_path)
    assert done.spec.interactions.time is None
    assert f"{name}: not used" in said
    assert done.spec.info.remarks == (
        "times are positions: the source has no times, so the order of its rows is taken",
    )


def test_two_unknown_columns_of_times_are_asked_about(tmp_path, visits, write_events, imported):
    rows = [(*row, row[2] + 9) for row in visits]
    write_events(tmp_path / "e.csv", "user_id,item_id,anfang,ende", rows)
    with pytest.raises(Unclear, match="several columns may tell the time: anfang, ende"):
        imported(tmp_path)
    done, _ = imported(tmp_path, time_column="ende")
    assert done.spec.interactions.time == "ende"


def read_times(imported, folder, **flags):
    done, said = imported(folder, **flags)
    return folders.read(done.spec).events["time"].tolist(), said, done


@pytest.mark.parametrize("scale", [1000, 10**6, 10**9])
def test_two_units_in_one_column_are_each_read_and_said(
    tmp_path, scale, visits, write_events, imported
):
    rows = [(u, i, t * scale if k % 3 == 0 else t) for k, (u, i, t) in enumerate(visits)]
    write_events(tmp_path / "e.csv", rows=rows)
    times, said, done = read_times(imported, tmp_path)
    assert times == [t for *_, t in visits]
    assert "holds times of several units" in said
    assert "several units" in done.spec.info.remarks[0]
    done.path.write_text(done.path.read_text().replace('unit = "each"\n', ""))
    with pytest.raises(DataError, match=r"several units.*--time-unit each"):
        importer.import_folder(tmp_path, tmp_path / "other")


@pytest.mark.parametrize("far", [253_402_300_799, 4_102_444_800, 1, 0])
def test_one_far_stamp_does_not_rescale_the_others(tmp_path, far, visits, write_events, imported):
    rows = [*visits[:-1], (*visits[-1][:2], far)]
    write_events(tmp_path / "e.csv", rows=rows)
    times, said, _ = read_times(imported, tmp_path)
    assert times[:-1] == [t for *_, t in visits[:-1]]
    assert "far from the others, such as row 30" in said


def test_a_unit_that_is_given_holds_for_all(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "e.csv", rows=[(u, i, k) for k, (u, i, _) in enumerate(visits)])
    times, _, done = read_times(imported, tmp_path, time_unit="ms")
    assert (set(times), done.spec.interactions.unit) == ({0}, "ms")
    with pytest.raises(DataError, match="time-unit must be one of s, ms"):
        imported(tmp_path, time_unit="weeks")
