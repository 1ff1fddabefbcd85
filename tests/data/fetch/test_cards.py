"""Drawn cards: the same everywhere, told apart by title and category, and always labelled."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmbench.data import find, load, places
from mmbench.data.fetch.cards import REMARK, SIDE, bitmap, card
from mmbench.data.fetch.glyphs import glyph, word
from mmbench.data.log import DataError

PINNED = "d4914c48"  # of a card's bytes; another one is another VERSION


@pytest.fixture
def shop(tmp_path):
    """A folder with titles, and no pictures: 12 users, 6 items, one of them untitled."""
    folder = tmp_path / "tea-shop"
    folder.mkdir()
    rows = [f"u{u},{i},{1000 * u + 7 * i * i}" for u in range(12) for i in range(6)]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    titles = ["", *(f"Tea {name}" for name in ("Oolong", "Sencha", "Chai", "Mate", "Pu Erh"))]
    items = [f"{i}\t{title}\tShop > Tea > {'ab'[i % 2]}" for i, title in enumerate(titles)]
    (folder / "items.tsv").write_text("\n".join(["item_id\ttitle\tcategories", *items]))
    (folder / "dataset.toml").write_text(
        'id = "tea-shop"\n[interactions]\nfile = "events.csv"\ntime = "timestamp"\n'
        '[items]\nfile = "items.tsv"\ntext = ["title", "categories"]\n'
    )
    return folder


def test_a_card_is_the_same_to_the_last_byte():
    told = bitmap(card("OPI Nail Lacquer", "Beauty > Makeup > Nails > Nail Polish"))
    assert hashlib.sha256(told).hexdigest()[:8] == PINNED
    image = Image.open(io.BytesIO(told))
    assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
    assert np.array_equal(np.asarray(image), card("OPI Nail", "Beauty > Makeup > x > Nail Polish"))


def test_category_gives_the_colours_leaf_the_shape_and_title_the_words():
    def parts(title, category):
        pixels = card(title, category)
        return pixels[0, 0].tolist(), (pixels[:66] != pixels[0, 0]).any(axis=2), pixels[66:]

    ground, shape, words = parts("Tea Oolong", "Shop > Tea > Green")
    for title, category, same in (
        ("Tea Oolong", "Shop > Tea > White", (True, False, True)),
        ("Tea Oolong", "Shop > Cups > Green", (False, True, False)),  # words stand on the ground
        ("Tea Sencha", "Shop > Tea > Green", (True, True, False)),
        ("tea oolong first flush", "Shop > Tea > Green", (True, True, True)),
    ):
        other = parts(title, category)
        found = (
            ground == other[0],
            np.array_equal(shape, other[1]),
            np.array_equal(words, other[2]),
        )
        assert found == same, (title, category)


def test_letters_are_dots_and_every_script_has_some():
    assert glyph("I").sum(axis=1).tolist() == [3, 1, 1, 1, 1, 1, 3]
    assert np.array_equal(glyph("é"), glyph("E"))
    assert not np.array_equal(glyph("茶"), glyph("花"))
    assert word("Pu-Erh!", 15).shape == (7, 29)
    assert word("!?", 15).shape == (7, 0)
    assert card("茶 花", "").shape == (SIDE, SIDE, 3)


def test_drawn_cards_are_labelled_and_leave_the_events_as_they_are(shop):
    bare, drawn = load(str(shop)), load(str(shop), pictures="drawn")
    assert drawn.fingerprints.events == bare.fingerprints.events
    assert drawn.fingerprints.text == bare.fingerprints.text
    assert (bare.fingerprints.pictures, len(drawn.fingerprints.pictures)) == ("", 16)
    assert drawn.card["remarks"] == [REMARK] and "no photographs" in REMARK
    assert drawn.card["without_image"] == pytest.approx(1 / 6)  # it has no title
    item = drawn.item_ids.index("1")
    pixels = np.asarray(drawn.items.images.open(item))
    assert np.array_equal(pixels, card("Tea Oolong", "Shop > Tea > b"))


def test_cards_are_drawn_once_and_are_the_same_on_another_machine(shop, tmp_path, monkeypatch):
    first = load(str(shop), pictures="drawn")
    (drawn,) = (places.cache_home() / "drawn").iterdir()
    before = drawn.read_bytes(), drawn.stat().st_mtime_ns
    load(str(shop), pictures="drawn")
    assert (drawn.read_bytes(), drawn.stat().st_mtime_ns) == before
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "elsewhere"))
    again = load(str(shop), pictures="drawn")
    assert again.fingerprints == first.fingerprints
    (other,) = (tmp_path / "elsewhere" / "drawn").iterdir()
    assert (other.name, other.read_bytes()) == (drawn.name, before[0])
    with zipfile.ZipFile(other) as archive:
        assert len(archive.namelist()) == 5


def test_what_has_pictures_of_its_own_keeps_them(shop):
    (shop / "cups").mkdir()
    for item in range(6):
        Image.new("RGB", (20, 20), (item * 40, 0, 0)).save(shop / "cups" / f"{item}.png")
    with (shop / "dataset.toml").open("a") as file:
        file.write('[images]\npath = "cups"\npattern = "{item}.png"\n')
    own, asked = load(str(shop)), load(str(shop), pictures="drawn")
    assert own.fingerprints == asked.fingerprints
    assert REMARK not in asked.card["remarks"]
    assert find.resolve("demo").pictured is None  # a package's: its log tells
    assert load("demo", pictures="drawn").fingerprints == load("demo").fingerprints


def test_what_keeps_only_items_with_a_picture_is_not_drawn_for(shop):
    with (shop / "dataset.toml").open("a") as file:
        file.write('[recipe]\nrequire = ["image"]\n')
    with pytest.raises(DataError, match="leaves no event"):
        load(str(shop), pictures="drawn")


def test_without_titles_there_is_nothing_to_draw_from(shop):
    (shop / "items.tsv").write_text("item_id\ttitle\tcategories\n" + "0\t\tx\n")
    (shop / "events.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"u,0,{t}\n" for t in range(0, 40, 7))
    )
    with pytest.raises(DataError, match="cards are drawn from titles, and there are none"):
        load(str(shop), pictures="drawn")
