"""Croissant descriptions: written, read again, and what a foreign one tells an import."""

import hashlib
import json

import pytest

from mmbench.data import croissant, importer, load
from mmbench.data.log import DataError


def test_a_written_description_tells_files_columns_and_sizes(shop):
    importer.import_folder(shop, licence="CC0-1.0", origin="made up, see https://example.org/shop.")
    log = load(str(shop))
    told = croissant.of_dataset(str(shop), log.card)
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert (told["name"], told["license"]) == ("little-shop", "CC0-1.0")
    assert told["url"] == "https://example.org/shop"
    assert "12 users, 8 items" in told["description"]
    assert {one["@id"]: one["encodingFormat"] for one in told["distribution"]} == {
        "ratings.csv": "text/csv",
        "movies.tsv": "text/tab-separated-values",
        "pictures.zip": "application/zip",
    }
    digest = hashlib.sha256((shop / "ratings.csv").read_bytes()).hexdigest()
    assert told["distribution"][0]["sha256"] == digest
    fields = {
        f["@id"]: f["source"]["extract"]["column"] for r in told["recordSet"] for f in r["field"]
    }
    assert fields == {
        "events/user": "userId",
        "events/item": "movieId",
        "events/rating": "rating",
        "events/time": "timestamp",
        "items/item": "item_id",
        "items/title": "title",
        "items/genres": "genres",
    }
    assert json.loads(json.dumps(told)) == told


def test_what_is_written_is_read_again(shop):
    importer.import_folder(shop, licence="CC0-1.0")
    told = croissant.of_dataset(str(shop), load(str(shop)).card)
    (shop / "croissant.json").write_text(json.dumps(told))
    read = croissant.read(shop / "croissant.json")
    assert (read.name, read.licence) == ("little-shop", "CC0-1.0")
    assert read.columns["ratings.csv", "userId"] == "user"
    assert set(read.digests) == {"ratings.csv", "movies.tsv", "pictures.zip"}


def test_a_plugin_s_dataset_is_told_without_files():
    told = croissant.of_dataset("demo", load("demo").card)
    assert (told["name"], told["distribution"]) == ("demo", [])


FOREIGN = {
    "@context": {"@vocab": "https://schema.org/"},
    "@type": "sc:Dataset",
    "name": "Einkäufe",
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "url": "https://example.org/kauf",
    "distribution": [
        {"@type": "cr:FileObject", "@id": "log", "contentUrl": "https://example.org/log.csv"}
    ],
    "recordSet": [
        {
            "@id": "purchases",
            "field": [
                {"@id": f"purchases/{name}", "name": f"purchases/{name}", "dataType": kind,
                 "source": {"fileObject": {"@id": "log"}, "extract": {"column": column}}}
                for name, column, kind in (
                    ("user_id", "kunde", "sc:Text"),
                    ("item_id", "ware", "sc:Text"),
                    ("bought", "gekauft", ["sc:DateTime"]),
                )
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture
def foreign(tmp_path):
    rows = [f"k{n % 5},w{n % 4},2014-05-{1 + n:02} 10:00:00,2014-01-01" for n in range(20)]
    (tmp_path / "log.csv").write_text("\n".join(["kunde,ware,gekauft,eröffnet", *rows]) + "\n")
    return tmp_path


def test_an_import_takes_names_columns_and_licence_from_a_description(foreign):
    with pytest.raises(DataError, match="no file here looks like interactions"):
        importer.import_folder(foreign)
    (foreign / "croissant.json").write_text(json.dumps(FOREIGN))
    done = importer.import_folder(foreign)
    events = done.spec.interactions
    assert (events.user, events.item, events.time) == ("kunde", "ware", "gekauft")
    assert (done.spec.info.name, done.card["events"]) == ("Einkäufe", 20)
    assert done.spec.info.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert "https://example.org/kauf" in done.spec.info.origin
    uses = {one.name: one.use for one in done.files}
    assert uses["croissant.json"] == "describes the dataset, which is used"


def test_a_flag_says_more_than_a_description(foreign):
    (foreign / "croissant.json").write_text(json.dumps(FOREIGN))
    done = importer.import_folder(foreign, time_column="eröffnet", licence="CC0")
    assert (done.spec.interactions.time, done.spec.info.licence) == ("eröffnet", "CC0")


def test_a_file_that_is_another_is_refused_and_an_absent_one_is_said(foreign):
    told = json.loads(json.dumps(FOREIGN))
    told["distribution"][0]["sha256"] = "0" * 64
    (foreign / "croissant.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"log\.csv: its sha256 is"):
        importer.import_folder(foreign)
    told["distribution"][0]["sha256"] = hashlib.sha256(
        (foreign / "log.csv").read_bytes()
    ).hexdigest()
    told["distribution"].append({"@id": "more", "contentUrl": "more.csv", "sha256": "0" * 64})
    (foreign / "croissant.json").write_text(json.dumps(told))
    done = importer.import_folder(foreign)
    assert "more.csv: its description names it, and it is not here" in done.notes


@pytest.mark.parametrize("text", ["[]", "{}", "{"])
def test_what_is_no_description_is_refused(foreign, text):
    (foreign / "croissant.json").write_text(text)
    with pytest.raises(DataError, match=r"croissant\.json: (is no Croissant|cannot be read)"):
        importer.import_folder(foreign)
