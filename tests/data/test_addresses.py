"""Addresses of photographs that an items table tells: kept, and fetched when they are asked for."""

import json

import pytest

from mmbench.data.addresses import find_addresses
from mmbench.data.fetch.photographs import Shelf
from mmbench.data.spec import ItemsSpec

ITEMS = [f"i{k}" for k in range(7)]


def write_table(folder, cells, column="image_url"):
    rows = [
        {"item_id": item, "title": f"Thing {item}", column: cell}
        for item, cell in zip(ITEMS, cells, strict=True)
    ]
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))


def address(item):
    return f"https://pictures.example/{item}.jpg"


@pytest.mark.parametrize(
    ("column", "write"),
    [
        ("image_url", lambda a: a),
        ("imUrl", lambda a: f"{a} "),
        ("thumbnails", lambda a: [a, "https://other.example/x.jpg"]),
        ("images", lambda a: [{"thumb": "https://t.example/s.jpg", "large": None, "hi_res": a}]),
        ("pictures", lambda a: str([a, "https://other.example/x.jpg"])),
        ("poster", lambda a: {"url": a}),
    ],
)
def test_the_first_and_largest_of_each_item_is_kept(
    tmp_path, column, write, write_events, imported
):
    write_events(tmp_path / "e.csv")
    write_table(tmp_path, [*(write(address(i)) for i in ITEMS[:5]), None, ""], column)
    done, said = imported(tmp_path)
    lines = (tmp_path / "addresses.tsv").read_text().splitlines()
    assert lines == ["item_id\taddress", *(f"{i}\t{address(i)}" for i in ITEMS[:5])]
    assert f"items.jsonl: {column} holds addresses of photographs of 5 items" in said
    assert column not in done.card["text"]
    again, said = imported(tmp_path, replace_existing=True)
    assert "addresses.tsv: not used: addresses of photographs, for --images" in said
    assert again.spec.items.file == "items.jsonl"


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("image_url", [f"{i}.jpg" for i in ITEMS]),
        ("homepage", [address(i) for i in ITEMS]),
        ("image_url", ["see https://x.example", *[f"drawn by hand {i}" for i in ITEMS[1:]]]),
    ],
)
def test_what_is_no_address_of_a_photograph_is_not_kept(
    tmp_path, column, cells, write_events, imported
):
    write_events(tmp_path / "e.csv")
    write_table(tmp_path, cells, column)
    _, said = imported(tmp_path)
    assert "addresses of photographs" not in said
    assert not (tmp_path / "addresses.tsv").exists()


def test_addresses_that_somebody_wrote_stay(tmp_path, write_events, imported):
    write_events(tmp_path / "e.csv")
    write_table(tmp_path, [address(i) for i in ITEMS])
    (tmp_path / "addresses.tsv").write_text("item_id\taddress\ni0\thttps://mine.example/0.png\n")
    imported(tmp_path)
    assert "mine.example" in (tmp_path / "addresses.tsv").read_text()


def test_ids_are_spelled_as_the_events_have_them(tmp_path):
    rows = [{"id": f"00{k}", "img": address(k)} for k in range(1, 4)]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    spec = ItemsSpec("items.jsonl", "jsonl", "id", ("img",))
    _, found = find_addresses(tmp_path, spec, {"1", "2", "9"})
    assert found == {"1": address(1), "2": address(2)}


def test_photographs_of_other_addresses_are_none_of_this_dataset(tmp_path):
    """Another dataset of the same id may have been fetched before."""
    shelf = Shelf.of("shop")
    shelf.folder.mkdir(parents=True)
    tries = [
        {"item": "1", "address": address("old"), "outcome": "used", "sha256": "a", "file": "a.jpg"},
        {"item": "2", "address": address("2"), "outcome": "used", "sha256": "b", "file": "b.jpg"},
    ]
    shelf.journal.write_text("".join(f"{json.dumps(one)}\n" for one in tries))
    for one in tries:
        (shelf.folder / one["file"]).write_bytes(b"x")
    rows = ["item_id\taddress", *(f"{k}\t{address(k)}" for k in "123")]
    (tmp_path / "addresses.tsv").write_text("\n".join(rows) + "\n")
    mine = Shelf.of("shop", tmp_path)
    assert shelf.files().keys() == {"1", "2"}
    assert mine.files() == {"2": "b.jpg"}
    assert mine.told() == {"asked": 1, "used": 1, "dead": 0.0, "why": {}}
    assert mine.identity() != shelf.identity()
