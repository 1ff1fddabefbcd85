"""``data import`` drops nothing in silence: each kind of fault, by what is read and what is said."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmbench.data import importer
from mmbench.data.account import lines
from mmbench.data.events import Unclear
from mmbench.data.guess import guess, identity, survey
from mmbench.data.log import DataError

T = 1_400_000_000
EVENTS = [(f"u{n % 6}", f"i{(n * 5 + n // 6) % 7}", T + 3600 * n) for n in range(30)]


def write_events(path, head="user_id,item_id,timestamp", rows=EVENTS):
    text = "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"
    path.write_text(text, "utf-8")


def write_items(path, ids=None, head="item_id,title"):
    rows = [f"{i},Thing number {k}" for k, i in enumerate(ids or [f"i{k}" for k in range(7)])]
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")


def imported(folder, **flags):
    """The import, and all that it says."""
    done = importer.import_folder(folder, min_length=0, **flags)
    return done, "\n".join(lines(done.files, done.notes))


# prose


@pytest.mark.parametrize(
    ("name", "prose"),
    [
        (
            "notes.txt",
            "These are events\nof a shop in May\nIds were drawn anew\nTimes are seconds\n",
        ),
        (
            "columns.txt",
            "user_id who bought\nitem_id what was bought\ntimestamp when, in seconds\n",
        ),
        ("todo.txt", "check the 2 users\nmail it by 5 pm\nadd prices for 2014\n"),
        ("terms_of_use.txt", "Research only.\nNo redistribution.\nCite the paper.\n"),
    ],
)
@pytest.mark.parametrize("head", ["user_id,item_id,timestamp", "user,item,step"])
def test_prose_does_not_outrank_a_table(tmp_path, name, prose, head):
    write_events(tmp_path / "data.csv", head)
    (tmp_path / name).write_text(prose)
    done, said = imported(tmp_path)
    assert (done.spec.interactions.file, done.card["events"]) == ("data.csv", 30)
    assert f"{name}: not used: " in said


def test_prose_alone_is_no_dataset(tmp_path):
    (tmp_path / "notes.txt").write_text("Some words here\nAnd others there\nNothing else at all\n")
    with pytest.raises(DataError, match=r"notes\.txt: words for people"):
        guess(tmp_path)


def test_sequences_of_words_are_read_when_they_are_named(tmp_path):
    (tmp_path / "baskets.txt").write_text("anna bread milk eggs\nbert milk eggs bread\n")
    done, _ = imported(tmp_path, interactions="baskets.txt")
    assert (done.card["events"], done.card["users"]) == (6, 2)


def test_a_text_file_may_be_a_table(tmp_path):
    write_events(tmp_path / "events.txt")
    done, _ = imported(tmp_path)
    assert (done.card["events"], done.card["time"]) == (30, "timestamps")


def test_a_tab_between_a_user_and_the_items_is_no_table(tmp_path):
    """MicroLens' pairs."""
    (tmp_path / "pairs.tsv").write_text("1\t10 11 12\n2\t11 12 10\n3\t12 10 11\n")
    done, _ = imported(tmp_path)
    assert (done.card["users"], done.card["items"], done.card["events"]) == (3, 3, 9)


def test_a_table_with_spaces_is_no_sequences(tmp_path):
    """Though each of its users comes once."""
    lines = [f"{100 + k} {k % 3} 5 {T + k}" for k in range(9)]
    (tmp_path / "log.txt").write_text("\n".join(lines) + "\n")
    done, _ = imported(tmp_path)
    assert (done.card["users"], done.card["items"], done.card["events"]) == (9, 3, 9)


# several files of events


@pytest.mark.parametrize(
    "names",
    [
        ("2019-Oct.csv", "2019-Nov.csv"),
        ("part-0.csv", "part-1.csv"),
        ("train.csv", "test.csv"),
        ("a/train.csv", "b/test.csv"),
    ],
)
def test_several_files_are_listed_and_joined(tmp_path, names):
    for name, rows in zip(names, (EVENTS[:20], EVENTS[20:]), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_events(tmp_path / name, rows=rows)
    with pytest.raises(DataError, match="both look like interactions") as caught:
        imported(tmp_path)
    offered = str(caught.value).rpartition("--join ")[2]
    assert set(offered.split(",")) == set(names)
    done, said = imported(tmp_path, join=offered.split(","))
    assert done.card["events"] == 30
    assert all(f"{name}: the events" in said for name in names)
    assert "which file an event is from is kept as its split" in said


def test_files_of_other_columns_are_not_joined(tmp_path):
    write_events(tmp_path / "a.csv")
    write_events(tmp_path / "b.csv", "user_id,item_id,when")
    with pytest.raises(DataError, match=r"b\.csv: cannot be joined with a\.csv: it has"):
        imported(tmp_path, join=["a.csv", "b.csv"])
    with pytest.raises(DataError, match=r"c\.csv: no such file"):
        imported(tmp_path, join=["a.csv", "c.csv"])


def test_a_file_inside_another_is_not_counted_twice(tmp_path):
    write_events(tmp_path / "all.csv")
    write_events(tmp_path / "test.csv", rows=EVENTS[25:])
    with pytest.raises(DataError, match="joined, they would count twice"):
        imported(tmp_path, join=["all.csv", "test.csv"])


def test_a_split_that_is_a_column_is_kept_and_said(tmp_path):
    rows = [(*row, ("train", "valid", "test")[k % 3]) for k, row in enumerate(EVENTS)]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,split", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.split == "split"
    assert "split: the published split, kept beside the events" in said


# times


NAMES = [
    *("timestamp", "event_time", "t_dat", "time_ms", "reviewTime", "unixReviewTime", "date", "ts"),
    *("created_at", "createdAt", "review_date", "interaction_time", "click_time", "purchase_date"),
    *("order_ts", "eventdate", "datetime", "event_timestamp", "watched_at", "invoice_date"),
    *("listen_time", "unix_time", "checkin_time", "local_time", "zeitpunkt", "fecha", "日時"),
]


@pytest.mark.parametrize("name", NAMES)
def test_times_are_found_by_many_names_and_by_values(tmp_path, name):
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
def test_dates_are_read_as_people_write_them(tmp_path, form):
    moments = pd.to_datetime([t * 1.0 for *_, t in EVENTS], unit="s")
    table = pd.DataFrame({"user_id": [u for u, *_ in EVENTS], "item_id": [i for _, i, _ in EVENTS]})
    table["when"] = moments.strftime(form)
    table.to_csv(tmp_path / "e.csv", index=False)
    done, _ = imported(tmp_path)
    assert done.spec.interactions.time == "when"
    assert done.card["time"] == "timestamps"
    from mmbench.data import folder

    read = folder.read(done.spec).events["time"].to_numpy()
    wanted = pd.to_datetime(table["when"], format=form, utc=True).dt.as_unit("s").astype("int64")
    assert read.tolist() == wanted.tolist()


def test_days_and_months_that_may_change_places_are_asked_about(tmp_path):
    rows = [(u, i, f"0{1 + k % 9}/0{1 + k % 7}/2014") for k, (u, i, _) in enumerate(EVENTS)]
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
def test_the_finest_of_several_times_is_taken(tmp_path, columns, taken):
    def cell(name, t):
        if name in ("date", "day"):
            return str(pd.Timestamp(t, unit="s").date())
        return t * 1000 + 123 if name == "time_ms" else t

    names = columns.split(",")
    rows = [(u, i, *(cell(name, t) for name in names)) for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", f"user_id,item_id,{columns}", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.time == taken
    assert f"not {next(name for name in names if name != taken)}" in said


@pytest.mark.parametrize("name", ["release_date", "birth_date", "duration", "play_time_ms"])
def test_what_is_no_moment_of_an_event_is_not_taken_for_one(tmp_path, name):
    write_events(tmp_path / "e.csv", f"user_id,item_id,{name}")
    done, said = imported(tmp_path)
    assert done.spec.interactions.time is None
    assert f"{name}: not used" in said
    assert done.spec.info.remarks == (
        "times are positions: the source has no times, so the order of its rows is taken",
    )


def test_two_unknown_columns_of_times_are_asked_about(tmp_path):
    rows = [(*row, row[2] + 9) for row in EVENTS]
    write_events(tmp_path / "e.csv", "user_id,item_id,anfang,ende", rows)
    with pytest.raises(Unclear, match="several columns may tell the time: anfang, ende"):
        imported(tmp_path)
    done, _ = imported(tmp_path, time_column="ende")
    assert done.spec.interactions.time == "ende"


def read_times(folder, **flags):
    from mmbench.data import folder as folders

    done, said = imported(folder, **flags)
    return folders.read(done.spec).events["time"].tolist(), said, done


@pytest.mark.parametrize("scale", [1000, 10**6, 10**9])
def test_two_units_in_one_column_are_each_read_and_said(tmp_path, scale):
    rows = [(u, i, t * scale if k % 3 == 0 else t) for k, (u, i, t) in enumerate(EVENTS)]
    write_events(tmp_path / "e.csv", rows=rows)
    times, said, done = read_times(tmp_path)
    assert times == [t for *_, t in EVENTS]
    assert "holds times of several units" in said
    assert "several units" in done.spec.info.remarks[0]
    with pytest.raises(DataError, match="several units.*--time-unit each"):
        done.path.write_text(done.path.read_text().replace('unit = "each"\n', ""))
        importer.import_folder(tmp_path, tmp_path / "other")


@pytest.mark.parametrize("far", [253_402_300_799, 4_102_444_800, 1, 0])
def test_one_far_stamp_does_not_rescale_the_others(tmp_path, far):
    rows = [*EVENTS[:-1], (*EVENTS[-1][:2], far)]
    write_events(tmp_path / "e.csv", rows=rows)
    times, said, _ = read_times(tmp_path)
    assert times[:-1] == [t for *_, t in EVENTS[:-1]]
    assert "far from the others, such as row 30" in said


def test_a_unit_that_is_given_holds_for_all(tmp_path):
    write_events(tmp_path / "e.csv", rows=[(u, i, k) for k, (u, i, _) in enumerate(EVENTS)])
    times, _, done = read_times(tmp_path, time_unit="ms")
    assert (set(times), done.spec.interactions.unit) == ({0}, "ms")
    with pytest.raises(DataError, match="time-unit must be one of s, ms"):
        imported(tmp_path, time_unit="weeks")


# rows that are objects


def test_columns_of_objects_are_those_of_all_rows(tmp_path):
    write_events(tmp_path / "e.csv")
    rows = [{"item_id": "i0"}, *({"item_id": f"i{k}", "title": f"Thing {k}"} for k in range(1, 7))]
    rows[3]["brand"] = "OPI"
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done, said = imported(tmp_path)
    assert done.spec.items.text == ("title", "brand")
    assert "1 items have no title" in said


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_column_that_is_always_null_is_no_error(tmp_path, form):
    write_events(tmp_path / "e.csv")
    rows = [{"item_id": f"i{k}", "title": f"Thing {k}", "price": None} for k in range(7)]
    text = json.dumps(rows) if form == "json" else "\n".join(map(json.dumps, rows))
    (tmp_path / f"items.{form}").write_text(text)
    done, said = imported(tmp_path)
    assert done.card["without_title"] == 0
    assert "price: text" in said


# ids on two sides


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda n: f"{n}.0", "a '.0' at their end"),
        (lambda n: f"000{n}", "zeros before them"),
        (lambda n: f"{n} ", "spaces around them"),
        (lambda n: f" {n}", "spaces around them"),
    ],
)
@pytest.mark.parametrize("side", ["events", "items"])
def test_numbers_that_were_written_otherwise_are_the_same_ids(tmp_path, change, why, side):
    other = {"events": str, "items": change}
    one = {"events": change, "items": str}
    spell = one if side == "events" else other
    rows = [(u, spell["events"](int(i[1:]) + 3), t) for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", rows=rows)
    write_items(tmp_path / "items.csv", [spell["items"](k + 3) for k in range(7)])
    done, said = imported(tmp_path)
    assert (done.card["items"], done.card["unknown_items"], done.card["without_title"]) == (7, 0, 0)
    assert why in said


@pytest.mark.parametrize(
    ("events", "items", "why"),
    [
        ("Café", "Cafe\u0301", "how their letters are composed"),
        ("b00x", "B00X", "capitals"),
    ],
)
def test_words_that_were_written_otherwise_are_the_same_ids(tmp_path, events, items, why):
    rows = [(u, events if i == "i3" else i, t) for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", rows=rows)
    write_items(tmp_path / "items.csv", [items, *(f"i{k}" for k in (0, 1, 2, 4, 5, 6))])
    done, said = imported(tmp_path)
    assert done.card["without_title"] == 0
    assert why in said


@pytest.mark.parametrize("column", [0, 1])
def test_a_space_or_a_fraction_does_not_split_an_id_in_two(tmp_path, column):
    for k, change in enumerate((lambda n: f"{n} ", lambda n: f"{n}.0")):
        folder = tmp_path / str(k)
        folder.mkdir()
        rows = [[u[1:], i[1:], t] for u, i, t in EVENTS]
        for n in range(0, 30, 4):
            rows[n][column] = change(rows[n][column])
        write_events(folder / "e.csv", rows=rows)
        done, said = imported(folder)
        assert (done.card["users"], done.card["items"]) == (6, 7)
        assert "that were two or more are one" in said


def test_ids_that_may_be_several_stay_apart_and_are_said(tmp_path):
    rows = [(u, {"i1": "07", "i2": "7"}.get(i, i), t) for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", rows=rows)
    write_items(tmp_path / "items.csv", ["007", *(f"i{k}" for k in (0, 3, 4, 5, 6))])
    done, said = imported(tmp_path)
    assert (done.card["items"], done.card["unknown_items"]) == (7, 2)
    assert "1 ids of items.csv fit several of the events' but for zeros before them" in said


def test_pictures_are_named_as_the_items_are(tmp_path):
    rows = [(u, i[1:], t) for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", rows=rows)
    (tmp_path / "pictures").mkdir()
    for k in range(7):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / "pictures" / f"00{k}.png")
    done, said = imported(tmp_path)
    assert done.card["without_image"] == 0
    assert "zeros before them" in said


# ids of datasets


def test_folders_that_differ_have_ids_that_differ():
    names = [
        "a,b",
        "a+b",
        "a-b",
        "a b",
        "数据",
        "資料",
        "Shop",
        "shop",
        "böse",
        "bose",
        "-",
        "..",
        ".x",
    ]
    ids = [identity(name) for name in names]
    assert len(set(ids)) == len(names)
    assert identity("little-shop") == "little-shop"
    assert identity("Shop") == "Shop"
    assert ids[4].startswith("dataset-")


# pictures


def test_pictures_of_every_kind_are_found_and_said(tmp_path):
    write_events(tmp_path / "e.csv")
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain = Image.new("RGB", (8, 8), "red")
    deep = Image.fromarray(np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16))
    deep.save(folder / "i0.tiff")
    deep.save(folder / "i1.png")
    plain.save(folder / "i2.gif", save_all=True, append_images=[Image.new("RGB", (8, 8), "blue")])
    plain.quantize(4).save(folder / "i3.png")
    plain.save(folder / "i4.jfif", "JPEG")
    plain.save(folder / "i5.avif")
    (folder / "i6.jpg").write_bytes(b"\xff\xd8\xff no picture")
    plain.save(folder / "other.jpg")
    done, said = imported(tmp_path)
    assert done.card["without_image"] == pytest.approx(1 / 7)
    for words in (
        "7 of 7 items have one; 1 more fit no item",
        "1 pictures move: their first frame counts",
        "2 pictures have greys of 16 bits",
        "1 items have a picture that is damaged",
    ):
        assert words in said
    assert done.card["pictures"] == {"named": 7, "decoded": 6}


def test_pictures_beside_the_tables_are_found(tmp_path):
    write_events(tmp_path / "e.csv")
    for k in range(7):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / f"i{k}.png")
    assert imported(tmp_path)[0].card["without_image"] == 0


def test_pictures_that_fit_nothing_are_said(tmp_path):
    write_events(tmp_path / "e.csv")
    (tmp_path / "shots").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "shots" / "office.png")
    assert "shots: not used: 1 picture that are not used" in imported(tmp_path)[1]


# columns and bytes that no name tells


def test_names_in_other_languages_are_asked_about_with_candidates(tmp_path):
    rows = [(u, i, k % 5, t) for k, (u, i, t) in enumerate(EVENTS)]
    write_events(tmp_path / "e.csv", "顾客,商品,评分,时间", rows)
    with pytest.raises(Unclear) as caught:
        imported(tmp_path)
    said = str(caught.value)
    assert "顾客: u0, u1, u2 (maybe a user or an item)" in said
    assert "评分: 0, 1, 2 (maybe the rating)" in said
    assert "1400007200 (maybe the time)" in said
    done, _ = imported(tmp_path, user_column="顾客", item_column="商品")
    assert (done.spec.interactions.time, done.card["events"]) == ("时间", 30)


@pytest.mark.parametrize("delimiter", [";", "|", "::", "\t", " "])
@pytest.mark.parametrize("header", [True, False])
def test_every_delimiter_with_and_without_a_header(tmp_path, delimiter, header):
    lines = [delimiter.join(map(str, (u, i, 5, t))) for u, i, t in EVENTS]
    if header:
        lines.insert(0, delimiter.join(("user", "item", "rating", "time")))
    (tmp_path / "events.dat").write_text("\n".join(lines) + "\n")
    done, said = imported(tmp_path)
    assert (done.card["events"], done.card["users"], done.card["items"]) == (30, 6, 7)
    assert done.card["time"] == "timestamps"
    assert ("no header" in said) is not header


def test_flags_say_what_cannot_be_guessed(tmp_path):
    lines = [f"{i}~{t}~{u}" for u, i, t in EVENTS]
    (tmp_path / "events.dat").write_text("\n".join(lines) + "\n")
    done, _ = imported(
        tmp_path,
        interactions="events.dat",
        delimiter="~",
        no_header=True,
        table_columns=["item", "time", "user"],
    )
    assert (done.card["events"], done.card["users"], done.card["items"]) == (30, 6, 7)
    assert done.spec.interactions.columns == ("item", "time", "user")


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("latin-1", "Crème brûlée très fraîche"),
        ("utf-16", "Crème 奶油"),
        ("gb18030", "新鲜的奶油蛋糕和水果"),
    ],
)
def test_text_of_other_encodings_is_read_and_said(tmp_path, code, title):
    write_events(tmp_path / "e.csv")
    rows = ["item_id,title", *(f"i{k},{title} {k}" for k in range(7))]
    (tmp_path / "items.csv").write_bytes("\n".join(rows).encode(code))
    done, said = imported(tmp_path)
    from mmbench.data import folder

    assert folder.read(done.spec).items["title"].tolist() == [f"{title} {k}" for k in range(7)]
    assert ("items.csv: not UTF-8: read as" in said) is (code != "utf-16")
    assert ("items.csv: in utf-16" in said) is (code == "utf-16")


@pytest.mark.parametrize("name", ["e.csv.gz", "e.json.gz"])
def test_a_packed_file_that_is_cut_off_is_an_error(tmp_path, name):
    text = "\n".join(json.dumps({"user_id": u, "item_id": i, "timestamp": t}) for u, i, t in EVENTS)
    if name == "e.csv.gz":
        text = "user_id,item_id,timestamp\n" + "\n".join(f"{u},{i},{t}" for u, i, t in EVENTS)
    data = gzip.compress(text.encode())
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        imported(tmp_path, interactions=name)
    (tmp_path / name).write_bytes(data)
    assert imported(tmp_path)[0].card["events"] == 30


# the account


def test_every_file_and_column_is_accounted_for(tmp_path):
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,basket", [(*r, 1) for r in EVENTS])
    rows = [f"i{k},Thing {k},{k},{k}" for k in range(7)]
    head = "item_id,title,vote_count,size"
    (tmp_path / "items.csv").write_text("\n".join([head, *rows]))
    (tmp_path / "users.csv").write_text("user_id,age\nu0,30\n")
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    (tmp_path / "features.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "README.md").write_text("Words\n")
    done, said = imported(tmp_path)
    assert {one.name for one in done.files} == {
        *("e.csv", "items.csv", "users.csv", "plan.pdf", "features.npy", "empty.csv", "README.md"),
    }
    for line in (
        "e.csv: the events",
        "  user_id: the user",
        "  timestamp: the time",
        "  basket: not used",
        "items.csv: the items",
        "  item_id: the item's id",
        "  title: text, the title",
        "  vote_count: no model reads it: it counts events, by its name",
        "users.csv: not used: none of its columns holds the ids of the events' items",
        "  columns: user_id, age",
        "plan.pdf: not used: of no known format",
        "features.npy: not used: features or objects of a program; mmbench reads tables",
        "empty.csv: not used: is empty",
        "README.md: not used: words for people, by its name",
    ):
        assert line in said.split("\n")


def test_many_files_alike_are_one_line(tmp_path):
    write_events(tmp_path / "e.csv")
    (tmp_path / "logs").mkdir()
    for k in range(40):
        (tmp_path / "logs" / f"{k}.xml").write_text("<a/>")
    done, said = imported(tmp_path)
    assert len(done.files) == 2
    assert "logs/*.xml (40 files, such as 0.xml): not used: of no known format" in said


def test_what_the_recipe_takes_away_is_said(tmp_path):
    write_events(tmp_path / "e.csv", rows=[*EVENTS, ("lone", "i1", T)])
    done = importer.import_folder(tmp_path)
    assert done.card["events"] == 30
    assert "the recipe keeps only users with 3 events or more: 1 users, 1 events go" in done.notes


def test_titles_that_stand_in_the_events_are_found(tmp_path):
    rows = [(u, i, t, f"Thing {i}") for u, i, t in EVENTS]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,title", rows)
    done, said = imported(tmp_path)
    assert (done.card["text"], done.card["without_title"]) == (["title"], 0)
    assert "e.csv: the events and the items" in said


def test_a_review_s_own_title_is_not_taken_for_the_item_s(tmp_path):
    rows = [(u, i, t, f"Review {k}") for k, (u, i, t) in enumerate(EVENTS)]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,title", rows)
    done, said = imported(tmp_path)
    assert done.card["text"] == []
    assert "title: not used" in said


def test_a_column_that_is_mostly_empty_is_not_the_user(tmp_path):
    rows = [(u if k == 3 else "", f"s{u}", i, t) for k, (u, i, t) in enumerate(EVENTS)]
    write_events(tmp_path / "e.csv", "user_id,session_id,item_id,timestamp", rows)
    done, said = imported(tmp_path)
    assert (done.spec.interactions.user, done.card["users"]) == ("session_id", 6)
    assert "'user_id' is empty in 97% of the first rows" in said


def test_a_survey_names_what_is_in_its_zips(tmp_path):
    import zipfile

    write_events(tmp_path / "e.csv")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "e.csv", "old/e.csv")
    found = survey(tmp_path)
    assert found.spec.interactions.file == "e.csv"
    assert "lies deeper" in found.reasons["more.zip/old/e.csv"]
