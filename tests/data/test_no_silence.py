"""``data import`` drops no file and no column in silence: by what is read, and what is said."""

import gzip
import json
import zipfile

import pytest

from mmbench.data import folder as folders
from mmbench.data import importer
from mmbench.data.events import Unclear
from mmbench.data.guess import guess, survey
from mmbench.data.log import DataError

T = 1_400_000_000


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
def test_prose_does_not_outrank_a_table(tmp_path, name, prose, head, write_events, imported):
    write_events(tmp_path / "data.csv", head)
    (tmp_path / name).write_text(prose)
    done, said = imported(tmp_path)
    assert (done.spec.interactions.file, done.card["events"]) == ("data.csv", 30)
    assert f"{name}: not used: " in said


def test_prose_alone_is_no_dataset(tmp_path):
    (tmp_path / "notes.txt").write_text("Some words here\nAnd others there\nNothing else at all\n")
    with pytest.raises(DataError, match=r"notes\.txt: words for people"):
        guess(tmp_path)


def test_sequences_of_words_are_read_when_they_are_named(tmp_path, imported):
    (tmp_path / "baskets.txt").write_text("anna bread milk eggs\nbert milk eggs bread\n")
    done, _ = imported(tmp_path, interactions="baskets.txt")
    assert (done.card["events"], done.card["users"]) == (6, 2)


def test_a_text_file_may_be_a_table(tmp_path, write_events, imported):
    write_events(tmp_path / "events.txt")
    done, _ = imported(tmp_path)
    assert (done.card["events"], done.card["time"]) == (30, "timestamps")


def test_a_tab_between_a_user_and_the_items_is_no_table(tmp_path, imported):
    """MicroLens' pairs."""
    (tmp_path / "pairs.tsv").write_text("1\t10 11 12\n2\t11 12 10\n3\t12 10 11\n")
    done, _ = imported(tmp_path)
    assert (done.card["users"], done.card["items"], done.card["events"]) == (3, 3, 9)


def test_a_table_with_spaces_is_no_sequences(tmp_path, imported):
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
def test_several_files_are_listed_and_joined(tmp_path, names, visits, write_events, imported):
    for name, rows in zip(names, (visits[:20], visits[20:]), strict=True):
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


def test_files_of_other_columns_are_not_joined(tmp_path, write_events, imported):
    write_events(tmp_path / "a.csv")
    write_events(tmp_path / "b.csv", "user_id,item_id,when")
    with pytest.raises(DataError, match=r"b\.csv: cannot be joined with a\.csv: it has"):
        imported(tmp_path, join=["a.csv", "b.csv"])
    with pytest.raises(DataError, match=r"c\.csv: no such file"):
        imported(tmp_path, join=["a.csv", "c.csv"])


def test_a_file_inside_another_is_not_counted_twice(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "all.csv")
    write_events(tmp_path / "test.csv", rows=visits[25:])
    with pytest.raises(DataError, match="joined, they would count twice"):
        imported(tmp_path, join=["all.csv", "test.csv"])


def test_a_split_that_is_a_column_is_kept_and_said(tmp_path, visits, write_events, imported):
    rows = [(*row, ("train", "valid", "test")[k % 3]) for k, row in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,split", rows)
    done, said = imported(tmp_path)
    assert done.spec.interactions.split == "split"
    assert "split: the published split, kept beside the events" in said


# rows that are objects


def test_columns_of_objects_are_those_of_all_rows(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = [{"item_id": "i0"}, *({"item_id": f"i{k}", "title": f"Thing {k}"} for k in range(1, 7))]
    rows[3]["brand"] = "OPI"
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done, said = imported(tmp_path)
    assert done.spec.items.text == ("title", "brand")
    assert "1 items have no title" in said


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_column_that_is_always_null_is_no_error(tmp_path, form, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = [{"item_id": f"i{k}", "title": f"Thing {k}", "price": None} for k in range(7)]
    text = json.dumps(rows) if form == "json" else "\n".join(map(json.dumps, rows))
    (tmp_path / f"items.{form}").write_text(text)
    done, said = imported(tmp_path)
    assert done.card["without_title"] == 0
    assert "price: text" in said


# columns and bytes that no name tells


def test_names_in_other_languages_are_asked_about_with_candidates(
    tmp_path, visits, write_events, imported
):
    rows = [(u, i, k % 5, t) for k, (u, i, t) in enumerate(visits)]
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
def test_every_delimiter_with_and_without_a_header(tmp_path, delimiter, header, visits, imported):
    lines = [delimiter.join(map(str, (u, i, 5, t))) for u, i, t in visits]
    if header:
        lines.insert(0, delimiter.join(("user", "item", "rating", "time")))
    (tmp_path / "events.dat").write_text("\n".join(lines) + "\n")
    done, said = imported(tmp_path)
    assert (done.card["events"], done.card["users"], done.card["items"]) == (30, 6, 7)
    assert done.card["time"] == "timestamps"
    assert ("no header" in said) is not header


def test_flags_say_what_cannot_be_guessed(tmp_path, visits, imported):
    lines = [f"{i}~{t}~{u}" for u, i, t in visits]
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
def test_text_of_other_encodings_is_read_and_said(tmp_path, code, title, write_events, imported):
    write_events(tmp_path / "e.csv")
    rows = ["item_id,title", *(f"i{k},{title} {k}" for k in range(7))]
    (tmp_path / "items.csv").write_bytes("\n".join(rows).encode(code))
    done, said = imported(tmp_path)
    assert folders.read(done.spec).items["title"].tolist() == [f"{title} {k}" for k in range(7)]
    assert ("items.csv: not UTF-8: read as" in said) is (code != "utf-16")
    assert ("items.csv: in utf-16" in said) is (code == "utf-16")


@pytest.mark.parametrize("name", ["e.csv.gz", "e.json.gz"])
def test_a_packed_file_that_is_cut_off_is_an_error(tmp_path, name, visits, imported):
    text = "\n".join(json.dumps({"user_id": u, "item_id": i, "timestamp": t}) for u, i, t in visits)
    if name == "e.csv.gz":
        text = "user_id,item_id,timestamp\n" + "\n".join(f"{u},{i},{t}" for u, i, t in visits)
    data = gzip.compress(text.encode())
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        imported(tmp_path, interactions=name)
    (tmp_path / name).write_bytes(data)
    assert imported(tmp_path)[0].card["events"] == 30


# the account


def test_every_file_and_column_is_accounted_for(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,basket", [(*r, 1) for r in visits])
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


def test_many_files_alike_are_one_line(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    (tmp_path / "logs").mkdir()
    for k in range(40):
        (tmp_path / "logs" / f"{k}.xml").write_text("<a/>")
    done, said = imported(tmp_path)
    assert len(done.files) == 2
    assert "logs/*.xml (40 files, such as 0.xml): not used: of no known format" in said


def test_what_the_recipe_takes_away_is_said(tmp_path, visits, write_events):
    write_events(tmp_path / "e.csv", rows=[*visits, ("lone", "i1", T)])
    done = importer.import_folder(tmp_path)
    assert done.card["events"] == 30
    assert "the recipe keeps only users with 3 events or more: 1 users, 1 events go" in done.notes


def test_titles_that_stand_in_the_events_are_found(tmp_path, visits, write_events, imported):
    rows = [(u, i, t, f"Thing {i}") for u, i, t in visits]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,title", rows)
    done, said = imported(tmp_path)
    assert (done.card["text"], done.card["without_title"]) == (["title"], 0)
    assert "e.csv: the events and the items" in said


def test_a_review_s_own_title_is_not_taken_for_the_item_s(tmp_path, visits, write_events, imported):
    rows = [(u, i, t, f"Review {k}") for k, (u, i, t) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,title", rows)
    done, said = imported(tmp_path)
    assert done.card["text"] == []
    assert "title: not used" in said


def test_a_column_that_is_mostly_empty_is_not_the_user(tmp_path, visits, write_events, imported):
    rows = [(u if k == 3 else "", f"s{u}", i, t) for k, (u, i, t) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "user_id,session_id,item_id,timestamp", rows)
    done, said = imported(tmp_path)
    assert (done.spec.interactions.user, done.card["users"]) == ("session_id", 6)
    assert "'user_id' is empty in 97% of the first rows" in said


def test_a_survey_names_what_is_in_its_zips(tmp_path, write_events):
    write_events(tmp_path / "e.csv")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "e.csv", "old/e.csv")
    found = survey(tmp_path)
    assert found.spec.interactions.file == "e.csv"
    assert "lies deeper" in found.reasons["more.zip/old/e.csv"]
