"""``mmbench data import``: the guess, the corrections, and what is written."""

import pytest

from mmbench.data import importer, load
from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import DataError
from mmbench.data.spec import read_toml


def test_an_import_writes_what_it_guessed(shop, monkeypatch):
    done = importer.import_folder(shop)
    spec, card, path = done.spec, done.card, done.path
    assert path == shop / "dataset.toml"
    assert read_toml(path) == spec
    assert card["users"] == 12
    assert load(str(shop)).card == card
    monkeypatch.setenv("MMBENCH_DATA", str(shop.parent))
    assert load("little-shop").fingerprints == Fingerprints(**card["fingerprints"])


def test_every_correction_is_taken(shop):
    done = importer.import_folder(
        shop,
        id="films",
        name="Films",
        aliases=["f"],
        title_column="genres",
        image_pattern="{item}.jpg",
        core=2,
        min_rating=2,
        duplicates="last",
        require=["image"],
        min_length=2,
        licence="CC0",
        origin="made up",
        remarks=["tiny"],
    )
    spec, card = done.spec, done.card
    assert (spec.info.id, spec.info.name, spec.info.aliases) == ("films", "Films", ("f",))
    assert spec.info.text == spec.items.text == ("genres", "title")
    assert spec.images.pattern == "{item}.jpg"
    recipe = spec.info.recipe
    assert (recipe.core, recipe.min_rating, recipe.duplicates) == (2, 2, "last")
    assert (recipe.require, recipe.min_length) == (("image",), 2)
    assert card["items"] == 7
    assert (card["licence"], card["remarks"]) == ("CC0", ["tiny"])
    assert [step["step"] for step in card["steps"]] == [
        "source",
        "rated 2 or more",
        "items with an image",
        "only the last of a user's repeated items",
        "2-core",
        "users with 2 events or more",
    ]


def test_columns_with_other_names(shop):
    text = (shop / "ratings.csv").read_text()
    (shop / "ratings.csv").write_text(
        text.replace("userId", "who").replace("movieId", "what").replace("timestamp", "when")
    )
    with pytest.raises(DataError, match="no file here looks like interactions"):
        importer.import_folder(shop)
    done = importer.import_folder(
        shop, user_column="who", item_column="what", time_column="when", text=["title"]
    )
    spec, card = done.spec, done.card
    assert (spec.interactions.user, spec.interactions.time) == ("who", "when")
    assert card["time"] == "timestamps"
    assert card["text"] == ["title"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"user_column": "who"}, "no column 'who'; the file has userId"),
        ({"text": ["plot"]}, "no column 'plot'"),
        ({"images": "none.zip"}, r"none\.zip: no such file"),
        ({"image_pattern": "x.jpg"}, r"must contain \{item\}"),
        ({"duplicates": "some"}, "duplicates must be one of keep, first, last, not 'some'"),
        ({"require": ["sound"]}, "require must be one of text, image"),
        ({"id": "a/b"}, "cannot be a dataset's id"),
        ({"core": 99}, "'99-core' leaves no event"),
        ({"interactions": "none.csv"}, r"none\.csv: no such file"),
    ],
)
def test_a_wrong_correction_writes_nothing(shop, overrides, message):
    with pytest.raises(DataError, match=message):
        importer.import_folder(shop, **overrides)
    assert not (shop / "dataset.toml").exists()


def test_what_is_there_is_not_written_over_by_accident(shop):
    importer.import_folder(shop, name="First")
    with pytest.raises(DataError, match="is there already"):
        importer.import_folder(shop, name="Second")
    done = importer.import_folder(shop, replace_existing=True, licence="CC0")
    spec, path = done.spec, done.path
    assert (spec.info.name, spec.info.licence) == ("First", "CC0")
    assert read_toml(path) == spec


def test_a_read_only_folder_gets_its_description_in_the_data_home(shop, tmp_path, monkeypatch):
    write = importer.write_toml

    def refuse(spec, path):
        if path.parent == shop:
            raise PermissionError(13, "Permission denied")
        write(spec, path)

    monkeypatch.setattr(importer, "write_toml", refuse)
    done = importer.import_folder(shop, id="mine")
    card, path = done.card, done.path
    assert path == tmp_path / "home" / "mmbench" / "datasets" / "mine" / "dataset.toml"
    assert load("mine").fingerprints == Fingerprints(**card["fingerprints"])
    with pytest.raises(DataError, match=r"is read-only and .* is there already"):
        importer.import_folder(shop, id="mine")


def test_a_chosen_place_for_the_description(shop, tmp_path):
    done = importer.import_folder(shop, tmp_path / "elsewhere" / "films")
    card, path = done.card, done.path
    assert path.parent == tmp_path / "elsewhere" / "films"
    assert load(str(path)).fingerprints == Fingerprints(**card["fingerprints"])


def test_without_items_text_flags_are_refused(shop):
    (shop / "movies.tsv").unlink()
    with pytest.raises(DataError, match="no items table was found"):
        importer.import_folder(shop, title_column="title")
    (shop / "pictures.zip").unlink()
    with pytest.raises(DataError, match="no pictures were found"):
        importer.import_folder(shop, image_pattern="{item}.jpg")
    card = importer.import_folder(shop).card
    assert (card["without_title"], card["without_image"], card["text"]) == (1.0, 1.0, [])
