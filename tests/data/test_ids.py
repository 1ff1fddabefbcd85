"""Ids that were written otherwise on two sides, ids of datasets, and names of pictures."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmbench.data.guess import identity
from mmbench.data.ids import alike

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
def test_numbers_that_were_written_otherwise_are_the_same_ids(
    tmp_path, change, why, side, visits, write_events, write_items, imported
):
    other = {"events": str, "items": change}
    one = {"events": change, "items": str}
    spell = one if side == "events" else other
    rows = [(u, spell["events"](int(i[1:]) + 3), t) for u, i, t in visits]
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
def test_words_that_were_written_otherwise_are_the_same_ids(
    tmp_path, events, items, why, visits, write_events, write_items, imported
):
    rows = [(u, events if i == "i3" else i, t) for u, i, t in visits]
    write_events(tmp_path / "e.csv", rows=rows)
    write_items(tmp_path / "items.csv", [items, *(f"i{k}" for k in (0, 1, 2, 4, 5, 6))])
    done, said = imported(tmp_path)
    assert done.card["without_title"] == 0
    assert why in said


@pytest.mark.parametrize("column", [0, 1])
def test_a_space_or_a_fraction_does_not_split_an_id_in_two(
    tmp_path, column, visits, write_events, imported
):
    for k, change in enumerate((lambda n: f"{n} ", lambda n: f"{n}.0")):
        folder = tmp_path / str(k)
        folder.mkdir()
        rows = [[u[1:], i[1:], t] for u, i, t in visits]
        for n in range(0, 30, 4):
            rows[n][column] = change(rows[n][column])
        write_events(folder / "e.csv", rows=rows)
        done, said = imported(folder)
        assert (done.card["users"], done.card["items"]) == (6, 7)
        assert "that were two or more are one" in said


def test_ids_that_may_be_several_stay_apart_and_are_said(
    tmp_path, visits, write_events, write_items, imported
):
    rows = [(u, {"i1": "07", "i2": "7"}.get(i, i), t) for u, i, t in visits]
    write_events(tmp_path / "e.csv", rows=rows)
    write_items(tmp_path / "items.csv", ["007", *(f"i{k}" for k in (0, 3, 4, 5, 6))])
    done, said = imported(tmp_path)
    assert (done.card["items"], done.card["unknown_items"]) == (7, 2)
    assert "1 ids of items.csv fit several of the events' but for zeros before them" in said


def test_pictures_are_named_as_the_items_are(tmp_path, visits, write_events, imported):
    rows = [(u, i[1:], t) for u, i, t in visits]
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


def test_pictures_of_every_kind_are_found_and_said(tmp_path, write_events, imported):
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
    plain.save(folder / ("i5.avif" if ".avif" in Image.registered_extensions() else "i5.bmp"))
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


def test_greys_that_use_few_of_their_bits_are_said(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    (tmp_path / "pictures").mkdir()
    for k, most in enumerate((4095, 65_535)):
        greys = np.linspace(0, most, 64).reshape(8, 8).astype(np.uint16)
        Image.fromarray(greys).save(tmp_path / "pictures" / f"i{k}.png")
    said = imported(tmp_path)[1]
    assert "pictures: 2 pictures have greys of 16 bits: they are scaled to 8" in said
    assert "pictures: 1 pictures have greys of 16 bits and use 12 of them at most" in said


def test_pictures_beside_the_tables_are_found(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    for k in range(7):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / f"i{k}.png")
    assert imported(tmp_path)[0].card["without_image"] == 0


def test_pictures_that_fit_nothing_are_said(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    (tmp_path / "shots").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "shots" / "office.png")
    assert "shots: not used: 1 picture, whose name holds no item's id" in imported(tmp_path)[1]


def test_what_an_earlier_rule_made_one_is_not_told_again():
    column, said = alike(pd.Series(["4", "4 ", "3.0", "7"]))
    assert column.tolist() == ["4", "4", "3.0", "7"]
    (note,) = said
    assert "2 ids" in note and "spaces around them" in note and "1 that were two" in note
    column, said = alike(pd.Series(["4", "4 ", "4.0"]))
    assert column.tolist() == ["4", "4", "4"]
    assert [note.split(" differ")[0].split(" in ")[0] for note in said] == ["2 ids", "3 ids"]
