"""PixRec's published rows: what an item is, what is refused."""

import json

import pytest

from mmbench.data import load
from mmbench.data.guess import guess
from mmbench.data.log import DataError
from mmbench.data.prepare import prepare
from mmbench.data.rows import read_rows
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe


def item(title, brand="Unknown"):
    return f"Title: {title}. Category: BOXES. Brand: {brand}. Price: Unknown. Image: "


def row(*events, **changes):
    """A row of (text, picture) events, the last one the target."""
    texts, pictures = zip(*events, strict=True)
    return {
        "user_history": list(texts[:-1]),
        "user_history_images": list(pictures[:-1]),
        "target_item": texts[-1],
        "target_item_image": pictures[-1],
        **changes,
    }


GROOT = (item("Groot. Size: L, Dr. Who", "Funko"), "a/1.jpg")
ALLURE = (item("Allure"), "a/2.jpg")
ALLURE_NEW = (item("Allure"), "a/3.jpg")
ROWS = [row(GROOT, ALLURE), row(ALLURE, ALLURE_NEW, GROOT), row(ALLURE, GROOT)]


@pytest.fixture
def write(tmp_path):
    def write_rows(rows, name="Boxes.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
        return path

    return write_rows


def test_a_row_is_a_user_whose_last_event_is_the_target(write):
    events, items = read_rows(write(ROWS))
    titles = dict(zip(items["item"], items["title"], strict=True))
    found = [(u, titles[i], t) for u, i, t in events.itertuples(index=False)]
    assert found == [
        ("row-000001", "Groot. Size: L, Dr. Who", 0),
        ("row-000001", "Allure", 1),
        ("row-000002", "Allure", 0),
        ("row-000002", "Allure", 1),
        ("row-000002", "Groot. Size: L, Dr. Who", 2),
        ("row-000003", "Allure", 0),
        ("row-000003", "Groot. Size: L, Dr. Who", 1),
    ]


def test_an_item_is_a_text_with_a_picture(write):
    events, items = read_rows(write(ROWS))
    assert items.drop(columns="item").to_numpy().tolist() == [
        ["Groot. Size: L, Dr. Who", "BOXES", "Funko", ""],
        ["Allure", "BOXES", "", ""],
        ["Allure", "BOXES", "", ""],
    ]
    assert items["item"].is_unique
    assert events["item"][2] != events["item"][3]  # one text, two pictures


def test_the_rows_become_a_log(write):
    events, items = read_rows(write(ROWS))
    log = prepare(RawDataset(events, items), DatasetInfo("boxes", recipe=Recipe(min_length=2)))
    assert (log.n_users, log.n_items, len(log.item)) == (3, 3, 7)
    assert log.items.images is None


def test_a_folder_of_rows_is_known_by_its_keys(write):
    spec = guess(write(ROWS).parent)
    assert (spec.interactions.file, spec.interactions.format) == ("Boxes.jsonl", "rows")
    assert spec.items is None


def test_the_known_dataset_reads_them(tmp_path, monkeypatch):
    folder = tmp_path / "all" / "amazon2023-pixrec"
    folder.mkdir(parents=True)
    text = "".join(json.dumps(one) + "\n" for one in ROWS)
    (folder / "Subscription_Boxes.jsonl").write_text(text)
    monkeypatch.setenv("MMBENCH_DATA", str(tmp_path / "all"))
    log = load("pixrec")
    assert (log.id, log.n_users) == ("amazon2023-pixrec", 3)
    assert list(log.items.fields) == ["title", "category", "brand", "price"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(GROOT, ALLURE, user_history_images=[]), "line 2: user_history has 1 items and .* 0"),
        (row(GROOT, ALLURE, target_item="Allure"), "line 2: 'Allure' is not written as"),
        (row(GROOT, ALLURE, target_item=None), "line 2: items and pictures must be strings"),
        (row(GROOT, ALLURE, user_history="Groot"), "line 2: .* must be lists"),
        ({"user_history": []}, "line 2: no key 'user_history_images'"),
    ],
)
def test_a_bad_row_is_named(write, bad, said):
    with pytest.raises(DataError, match=said):
        read_rows(write([ROWS[0], bad]))


def test_an_empty_file(write):
    with pytest.raises(DataError, match="is empty; it needs rows with user_history"):
        read_rows(write([]))
