"""Guesses from names and headers."""

import shutil

import pandas as pd
import pytest

from mmbench.data.guess import guess
from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec, ImagesSpec, ItemsSpec


def test_a_typical_folder(shop):
    spec = guess(shop)
    assert spec.info.id == "little-shop"
    assert spec.interactions == EventsSpec(
        "ratings.csv", "csv", "userId", "movieId", "timestamp", "rating"
    )
    assert spec.items == ItemsSpec("movies.tsv", "tsv", "item_id", ("title", "genres"))
    assert spec.images == ImagesSpec("pictures.zip", "{item}.*")
    assert spec.info.remarks == ()


def test_sequences_and_the_id_column_that_fits(shop):
    (shop / "ratings.csv").unlink()
    (shop / "README.txt").write_text("These are data\nabout a shop\n")
    (shop / "sequences.txt").write_text("1 B0 B1 B2\n2 B1 B2 B0\n")
    rows = [f"{k}\tB{k}\tkeyword {k}\thttp://x/{k}.jpg" for k in range(3)]
    (shop / "movies.tsv").write_text("item_id\tasin\tkeywords\timage_url\n" + "\n".join(rows))
    spec = guess(shop)
    assert spec.interactions.file == "sequences.txt"
    assert spec.items == ItemsSpec("movies.tsv", "tsv", "asin", ("keywords",))
    assert spec.images is None
    assert "positions" in spec.info.remarks[0]


def test_atomic_files(tmp_path):
    head = "user_id:token\titem_id:token\ttimestamp:float"
    (tmp_path / "x.inter").write_text(f"{head}\na\t1\t5\na\t2\t6\n")
    (tmp_path / "x.item").write_text("item_id:token\ttitle:token_seq\n1\tone\n2\ttwo\n")
    spec = guess(tmp_path)
    assert spec.interactions == EventsSpec("x.inter", "atomic", "user_id", "item_id", "timestamp")
    assert spec.items == ItemsSpec("x.item", "atomic", "item_id", ("title",))


def test_pictures_in_subfolders(shop):
    shutil.unpack_archive(shop / "pictures.zip", shop / "pictures" / "small")
    (shop / "pictures.zip").unlink()
    assert guess(shop).images == ImagesSpec("pictures", "*/{item}.*")


def test_events_with_times_win_over_other_tables_with_users(shop):
    (shop / "tags.csv").write_text("userId,movieId,tag,timestamp\n" + "u1,1,odd,1400000000\n" * 500)
    assert guess(shop).interactions.file == "ratings.csv"


def test_two_alike_are_asked_about(shop):
    shutil.copy(shop / "ratings.csv", shop / "reviews.csv")
    with pytest.raises(DataError, match="both look like interactions"):
        guess(shop)
    assert guess(shop, interactions="reviews.csv").interactions.file == "reviews.csv"


def test_nothing_alike_tells_what_was_found(tmp_path):
    with pytest.raises(DataError, match="holds no file but pictures, or nothing at all"):
        guess(tmp_path)
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    with pytest.raises(DataError, match="Found no table"):
        guess(tmp_path)
    (tmp_path / "a.csv").write_text("foo,bar\n1,2\n")
    with pytest.raises(DataError, match=r"Found a\.csv: foo, bar"):
        guess(tmp_path)
    spec = guess(tmp_path, columns={"user": "foo", "item": "bar"})
    assert (spec.interactions.user, spec.interactions.item) == ("foo", "bar")
    with pytest.raises(DataError, match=r"b\.csv: no such file"):
        guess(tmp_path, interactions="b.csv")


def test_an_items_table_that_does_not_fit_is_not_taken(shop):
    frame = pd.DataFrame({"item_id": ["x", "y"], "title": ["a", "b"]})
    frame.to_csv(shop / "movies.tsv", sep="\t", index=False)
    assert guess(shop).items is None
    with pytest.raises(DataError, match="none of its columns holds the ids"):
        guess(shop, items="movies.tsv")
