"""Files and pictures as people leave them: what is read of each, and what is said."""

import math
import zipfile

import pandas as pd
import pytest
from PIL import Image

from mmbench.data import folder as folders
from mmbench.data.events import Unclear
from mmbench.data.guess import guess
from mmbench.data.log import DataError


def times_of(done):
    return folders.read(done.spec).events["time"].tolist()


def written(visits, form):
    """The visits, their moments as a date is written."""
    return [(u, i, pd.Timestamp(t, unit="s").strftime(form)) for u, i, t in visits]


# text


def test_quotes_between_tabs_are_taken_off_where_they_hide_something(
    tmp_path, write_events, imported
):
    titles = ['He said "yes"', "Tab\there", "Line\nbreak", "Plain", '"Quoted"', "Six", "Seven"]
    write_events(tmp_path / "e.csv")
    table = pd.DataFrame({"item_id": [f"i{k}" for k in range(7)], "title": titles})
    table.to_csv(tmp_path / "items.tsv", sep="\t", index=False)
    done, said = imported(tmp_path)
    assert folders.read(done.spec).items["title"].tolist() == titles
    assert "items.tsv: quotes stand around cells, and are taken off" in said


def test_a_title_s_own_quotes_stay(tmp_path, write_events, imported):
    titles = ['"Heroes"', '"A" is for Alibi', 'The "best"', '19" rack', "e", "f", "g"]
    write_events(tmp_path / "e.csv")
    rows = ["item_id\ttitle", *(f"i{k}\t{title}" for k, title in enumerate(titles))]
    (tmp_path / "items.tsv").write_text("\n".join(rows) + "\n")
    done, said = imported(tmp_path)
    assert folders.read(done.spec).items["title"].tolist() == titles
    assert "quotes" not in said


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("delimiter", [",", "\t", " ", "::"])
def test_remarks_before_the_rows_are_left_out_and_said(
    tmp_path, delimiter, packed, visits, imported
):
    """As SNAP and KONECT write them."""
    lines = ["% bip weighted", "# made by hand: 30, 6 and 7"]
    lines += [delimiter.join(map(str, row)) for row in (("user", "item", "time"), *visits)]
    text = "\n".join(lines) + "\n"
    if packed:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("events.dat", text)
    else:
        (tmp_path / "events.dat").write_text(text)
    done, said = imported(tmp_path)
    assert times_of(done) == [t for *_, t in visits]
    assert "2 lines before its rows are taken for remarks, such as '# made by hand" in said


def test_text_of_another_ending_is_read_where_it_is_named(tmp_path, visits, imported):
    lines = ["% 30 6 7", *(f"{u} {i} 5 {t}" for u, i, t in visits)]
    (tmp_path / "out.shop").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"text of any ending is read where it is named"):
        guess(tmp_path)
    done, _ = imported(
        tmp_path, interactions="out.shop", table_columns=["user", "item", "rating", "time"]
    )
    assert done.card["events"] == 30


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("all.tar.gz", "an archive: unpack it"),
        ("all.7z", "an archive: unpack it"),
        ("events.csv.zst", "an archive: unpack it"),
        ("shop.xlsx", "a spreadsheet: save its sheets as CSV"),
        ("shop.sqlite", "a database, or what fills one: export its tables as CSV"),
        ("shop.feather", "save it as Parquet or CSV"),
        ("inner.zip", "a zip within a zip, or one that cannot be read: unpack it"),
    ],
)
def test_what_is_not_read_has_a_cure(tmp_path, name, cure):
    (tmp_path / name).write_bytes(b"\x01\x02 no table")
    with pytest.raises(DataError) as caught:
        guess(tmp_path)
    assert f"{name}: {cure}" in str(caught.value)


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    with pytest.raises(DataError, match="holds no file but pictures, or nothing at all"):
        guess(tmp_path)


def test_known_names_are_said_among_candidates(tmp_path, visits, write_events):
    rows = [(u, k, i) for k, (u, i, _) in enumerate(visits)]
    write_events(tmp_path / "e.csv", "customer_id,basket,thing", rows)
    with pytest.raises(Unclear) as caught:
        guess(tmp_path)
    assert "customer_id: u0, u1, u2 (the user, by its name)" in str(caught.value)


# pictures


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (9, 99, 9)).save(path)


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["img_{}.jpg"], "*_{item}.*"),
        (["photo{}.png"], "photo{item}.*"),
        (["{}_0.jpg", "{}_1.jpg"], "{item}_*"),
        (["a/front-{}.jpg"], "*/*-{item}.*"),
    ],
)
def test_words_beside_an_id_in_a_picture_s_name(
    tmp_path, names, pattern, visits, write_events, imported
):
    write_events(tmp_path / "e.csv", rows=[(u, int(i[1:]) + 10, t) for u, i, t in visits])
    for k in range(10, 17):
        for name in names:
            draw(tmp_path / "pics" / name.format(k))
    done, said = imported(tmp_path)
    assert done.spec.images.pattern == pattern
    assert done.card["without_image"] == 0
    assert f"by the pattern {pattern}: 7 of 7 items have one" in said
    assert ("7 more fit no item, or one that has another" in said) is (len(names) > 1)
    assert math.isclose(done.card["pictures"]["decoded"], 7)


# files


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("events.csv", b"PAR1....PAR1", "Parquet"),
        ("events.csv", b"PK\x03\x04....", "a zip, or a spreadsheet,"),
        ("events.tsv", b"\x1f\x8b\x08....", "packed by gzip"),
        ("readings.txt", b"%PDF-1.4 ....", "a PDF"),
    ],
)
def test_a_file_of_another_kind_than_its_name_says(tmp_path, name, start, what):
    (tmp_path / name).write_bytes(start)
    with pytest.raises(DataError, match=f"{what} by its first bytes, whatever its name says"):
        guess(tmp_path)


def test_negatives_of_an_evaluation_are_no_events(tmp_path, visits, write_events, imported):
    write_events(tmp_path / "train.csv", rows=visits)
    write_events(tmp_path / "test_negative.csv", rows=visits[:3])
    done, said = imported(tmp_path)
    assert done.spec.interactions.file == "train.csv"
    assert (
        "test_negative.csv: not used: negatives that targets are ranked with, by its name" in said
    )


def test_names_with_spaces_are_offered_as_a_shell_takes_them(tmp_path, visits, write_events):
    write_events(tmp_path / "events.csv", rows=visits[:15])
    write_events(tmp_path / "events (1).csv", rows=visits[15:])
    with pytest.raises(DataError, match=r"--join 'events \(1\)\.csv,events\.csv'"):
        guess(tmp_path)
