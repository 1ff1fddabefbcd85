"""``mmbench data import`` and ``describe`` on the command line."""

import json
import signal
import sys
import tomllib
from types import SimpleNamespace

import pytest

from mmbench.cli import commands, main
from mmbench.data import places


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """``mmbench data ...`` in this process: the same entry point, without a new start each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places.platformdirs, "user_data_path", lambda *_: tmp_path / "home")
    # another test may have left a plugin's thread, at which a command would end this whole process
    monkeypatch.setattr(commands, "_leave_plugins", lambda code: None)
    handler = signal.getsignal(signal.SIGTERM)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["mmbench", "data", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        found = json.loads(said.out) if code == 0 and "--json" in words else None
        return SimpleNamespace(code=code or 0, out=said.out, err=said.err, json=found)

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def films(tmp_path):
    """A folder of two tables with names that mmbench knows."""
    folder = tmp_path / "films"
    folder.mkdir()
    rows = ["userId,movieId,rating,timestamp"]
    for user in range(8):
        for step in range(5):
            item, stamp = (user + step) % 7, 1_400_000_000 + 86_400 * step + user
            rows.append(f"u{user},m{item},{1 + (user + step) % 5},{stamp}")
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    titles = [f"m{item},Film number {item},Drama" for item in range(7)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *titles]) + "\n")
    return folder


def test_a_dry_run_shows_the_guess_and_writes_nothing(command, films):
    before = sorted(films.iterdir())
    done = command("import", "films", "--dry-run")
    assert (done.code, done.err) == (0, "")
    guess = tomllib.loads(done.out)  # the remark below it is a comment
    assert guess["id"] == "films"
    assert guess["interactions"] == {
        "file": "ratings.csv",
        "format": "csv",
        "user": "userId",
        "item": "movieId",
        "time": "timestamp",
        "rating": "rating",
    }
    assert guess["items"]["text"] == ["title", "genres"]
    assert "root" not in guess
    assert "nothing is written" in done.out
    assert sorted(films.iterdir()) == before


def test_an_import_writes_what_it_shows(command, films):
    done = command("import", "films")
    assert done.code == 0
    written = (films / "dataset.toml").read_text("utf-8")
    assert done.out.startswith(written)
    assert "# 8 users, 7 items, 40 events" in done.out
    assert "written to films/dataset.toml; use it: --data ./films\n" in done.out
    card = command("describe", "./films", "--json").json
    assert (card["users"], card["items"], card["events"]) == (8, 7, 40)


def test_a_dataset_where_datasets_are_looked_for_goes_by_its_id(command, films, tmp_path):
    (tmp_path / "data").mkdir()
    films.rename(tmp_path / "data" / "films")
    done = command("import", "data/films")
    assert done.code == 0
    assert done.out.endswith("use it: --data films\n")
    assert command("describe", "films", "--json").json["events"] == 40


def test_every_flag_corrects_the_guess(command, films):
    (films / "pictures").mkdir()
    flags = {
        "--id": "reels",
        "--name": "Reels",
        "--interactions": "ratings.csv",
        "--user-column": "userId",
        "--item-column": "movieId",
        "--time-column": "timestamp",
        "--rating-column": "rating",
        "--items": "movies.csv",
        "--id-column": "movieId",
        "--text": "genres, title",
        "--title-column": "title",
        "--core": "2",
        "--min-rating": "2",
        "--min-length": "3",
        "--duplicates": "last",
        "--ties": "source",
        "--lineage": "cinema",
        "--require": "text",
        "--licence": "CC0-1.0",
        "--origin": "made up",
        "--images": "pictures",
        "--image-pattern": "{item}.jpg",
    }
    words = [word for pair in flags.items() for word in pair]
    words += ["--alias", "r", "--alias", "reel", "--remark", "tiny", "--remark", "made up"]
    done = command("import", "films", "--dry-run", "--json", *words)
    assert done.code == 0, done.err
    assert (done.json["id"], done.json["written"], done.json["card"]) == ("reels", None, None)
    guess = tomllib.loads(done.json["dataset_toml"])
    assert guess["name"] == "Reels"
    assert guess["aliases"] == ["r", "reel"]
    assert guess["remarks"] == ["tiny", "made up"]
    assert (guess["licence"], guess["origin"]) == ("CC0-1.0", "made up")
    assert guess["items"]["text"] == ["title", "genres"]
    assert guess["images"] == {"path": "pictures", "pattern": "{item}.jpg"}
    assert guess["recipe"] == {
        "require": ["text"],
        "duplicates": "last",
        "min_rating": 2.0,
        "core": 2,
        "min_length": 3,
        "ties": "source",
    }
    assert guess["lineage"] == "cinema"


def test_json_tells_the_card_and_the_place(command, films):
    done = command("import", "films", "--to", "kept/films", "--json")
    assert done.code == 0
    assert done.json["written"] == "kept/films/dataset.toml"
    assert done.json["card"]["events"] == 40
    assert tomllib.loads(done.json["dataset_toml"])["root"] == str(films.resolve())
    assert command("describe", "kept/films", "--json").json["events"] == 40


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["films/ratings.csv"], "films/ratings.csv is a file; give the folder that it is in"),
        (["films", "--text", "plot"], "no column 'plot'"),
        (["films", "--duplicates", "some"], "duplicates must be one of keep, first, last"),
        (["films", "--core", "99"], "leaves no event"),
        (["films", "--id", "a/b"], "cannot be a dataset's id"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(command, films, words, message):
    done = command("import", *words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (films / "dataset.toml").exists()


def test_a_second_import_must_be_meant(command, films):
    assert command("import", "films").code == 0
    again = command("import", "films", "--name", "Films")
    assert again.code == 2
    assert "--replace" in again.err
    assert command("import", "films", "--name", "Films", "--replace").code == 0
    assert tomllib.loads((films / "dataset.toml").read_text())["name"] == "Films"


def test_describe_prints_the_card(command, films):
    done = command("describe", "./films")
    assert done.code == 0
    assert "40" in done.out
    assert command("describe", "./films", "--json").json["users"] == 8


def test_an_import_says_which_columns_no_model_reads(command, films):
    table = (films / "movies.csv").read_text().splitlines()
    more = ["vote_count,stars,imdb_id", *(f"{k},{k % 3},tt{k}" for k in range(7))]
    rows = [f"{row},{cells}" for row, cells in zip(table, more, strict=True)]
    (films / "movies.csv").write_text("\n".join(rows) + "\n")
    dry = command("import", "films", "--dry-run")
    assert "#     vote_count: no model reads it: it counts events, by its name\n" in dry.out
    done = command("import", "films")
    for column, why in (
        ("vote_count", "counts events, by its name"),
        ("imdb_id", "names items or files, by its name"),
        ("stars", "counts events, by its name and its numbers"),
    ):
        assert f"#     {column}: no model reads it: it {why}\n" in done.out
    assert tomllib.loads(done.out)["items"]["text"] == ["title", "genres"]
    described = command("describe", str(films), "--json").json
    assert described["text"] == ["title", "genres"]


def test_it_ends_with_what_was_used_and_what_not(command, films):
    (films / "notes.txt").write_text("These are films\nseen by some people\nin the spring\n")
    (films / "tags.csv").write_text("userId,movieId,tag,timestamp\nu1,m1,odd,1400000000\n")
    done = command("import", "films")
    for line in (
        "#   ratings.csv: the events",
        "#     userId: the user",
        "#     timestamp: the time",
        "#   movies.csv: the items",
        "#     title: text, the title",
        "#   notes.txt: not used: reads as words for people; if these are sequences: "
        "--interactions notes.txt",
        "#   tags.csv: not used: ratings.csv looks more like the events (--interactions tags.csv)",
        "#     columns: userId, movieId, tag, timestamp",
    ):
        assert line in done.out.split("\n")
    found = command("import", "films", "--replace", "--json").json
    uses = {one["name"]: one for one in found["files"]}
    assert uses["ratings.csv"]["columns"]["userId"] == "the user"
    assert uses["notes.txt"]["used"] is False


def test_parts_are_joined_on_demand(command, films):
    head, *rows = (films / "ratings.csv").read_text().splitlines()
    (films / "ratings.csv").unlink()
    for name, part in (("train", rows[:30]), ("test", rows[30:])):
        (films / f"{name}.csv").write_text("\n".join([head, *part]) + "\n")
    refused = command("import", "films")
    assert refused.code == 2
    assert "--join train.csv,test.csv" in refused.err
    done = command("import", "films", "--join", "train.csv,test.csv")
    assert "# 8 users, 7 items, 40 events" in done.out
    assert tomllib.loads(done.out)["interactions"]["join"] == ["test.csv"]


def test_flags_read_what_has_no_header(command, films):
    rows = (films / "ratings.csv").read_text().splitlines()[1:]
    (films / "ratings.csv").unlink()
    turned = ["~".join(row.split(",")[::-1]) for row in rows]
    (films / "log.dat").write_text("\n".join(turned) + "\n")
    words = ("--interactions", "log.dat", "--delimiter", "~", "--no-header")
    done = command("import", "films", *words, "--columns", "time,rating,item,user")
    assert "# 8 users, 7 items, 40 events" in done.out
    again = command("import", "films", "--replace", "--name", "Films")
    assert "# 8 users, 7 items, 40 events" in again.out  # the description tells how it is read


def test_a_description_as_croissant(command, films):
    command("import", "films")
    done = command("describe", "./films", "--croissant")
    told = json.loads(done.out)
    assert told["@type"] == "sc:Dataset"
    assert [one["@id"] for one in told["distribution"]] == ["ratings.csv", "movies.csv"]
