"""Datasets with another recipe in brackets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as config
from hypothesis import strategies as st

from mmbench.data import load
from mmbench.data.find import resolve
from mmbench.data.log import DataError
from mmbench.data.variant import FIELDS, split_variant, with_settings
from mmbench.hookspecs import DatasetInfo, Recipe

INFO = DatasetInfo("shop", "A shop", ("s",), recipe=Recipe(core=5, min_rating=4.0))
recipes = st.builds(
    Recipe,
    require=st.sampled_from([(), ("text",), ("image",), ("text", "image")]),
    duplicates=st.sampled_from(["keep", "first", "last"]),
    min_rating=st.none() | st.integers(-20, 20).map(lambda n: n / 4),
    core=st.integers(0, 20),
    min_length=st.integers(0, 20),
    ties=st.sampled_from(["hash", "source"]),
)


def test_the_id_names_what_differs_in_one_way_only():
    one = with_settings(INFO, {"ties": "source", "core": "10"})
    assert one.id == "shop[core=10,ties=source]"
    assert one.name == "A shop [core=10,ties=source]"
    assert one.recipe == replace(INFO.recipe, core=10, ties="source")
    assert with_settings(INFO, {"core": "5", "ties": "source"}).id == "shop[ties=source]"
    assert with_settings(INFO, {"core": "5", "min_rating": "4"}) == INFO
    assert with_settings(INFO, {"min_rating": ""}).recipe.min_rating is None


@config(deadline=None)
@given(recipes, recipes)
def test_the_id_is_a_name_that_finds_the_same_recipe_again(own, wanted):
    info = replace(INFO, recipe=own)
    settings = {
        "require": "/".join(wanted.require),
        "duplicates": wanted.duplicates,
        "min_rating": "" if wanted.min_rating is None else str(wanted.min_rating),
        "core": str(wanted.core),
        "min_length": str(wanted.min_length),
        "ties": wanted.ties,
    }
    variant = with_settings(info, settings)
    assert variant.recipe == wanted
    base, told = split_variant(variant.id)
    assert base == "shop" and with_settings(info, told) == variant
    assert set(told) == {name for name in FIELDS if getattr(own, name) != getattr(wanted, name)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop[tie=source]", "'tie=source' is no setting of a recipe; did you mean 'ties'"),
        ("shop[ties]", "'ties' is no setting"),
        ("shop[title=x]", "a key is one of require, duplicates, min_rating, core"),
    ],
)
def test_what_is_no_setting_is_refused(name, message):
    with pytest.raises(DataError, match=message.replace("[", r"\[")):
        split_variant(name)


@pytest.mark.parametrize(
    ("key", "value"),
    [("ties", "sorce"), ("core", "x"), ("require", "titles"), ("min_rating", "high")],
)
def test_what_a_recipe_cannot_have_is_refused_by_name(key, value):
    with pytest.raises(DataError, match=rf"shop\[{key}={value}\]: Input should be"):
        with_settings(INFO, {key: value})


def test_names_without_brackets_stay():
    for name in ("demo", "a/b", "odd[name", "odd]", "a[b]c"):
        assert split_variant(name) == (name, {})
    assert split_variant("a[]") == ("a", {})


def test_a_folders_variant_is_prepared_beside_it(shop, tmp_path):
    whole, few = load(str(shop)), load(f"{shop}[min_length=6]")
    assert (few.id, few.card["id"]) == ("little-shop[min_length=6]",) * 2
    assert few.n_users < whole.n_users
    assert few.card["recipe"]["min_length"] == 6
    assert few.card["lineage"] == whole.card["lineage"] == "little-shop"
    assert few.secret != whole.secret  # other events
    assert load(f"{shop}[min_length=6]").fingerprints == few.fingerprints
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 2


def test_a_plugins_variant_uses_what_was_fetched_already():
    assert load("demo[min_length=8]").n_users < load("demo").n_users


def test_a_folder_that_is_named_with_brackets_is_a_folder(shop):
    odd = shop.rename(shop.with_name("shop[core=5]"))
    assert resolve(str(odd)).info.recipe.core == 0
