"""Folders as they lie about: nothing is lost without a line that says so."""

import gzip
import json
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmbench.data import folder as folders
from mmbench.data import importer
from mmbench.data.account import lines
from mmbench.data.log import DataError
from mmbench.data.looks import look

T = 1_500_000_000
SECONDS = {"s": 1, "ms": 1000, "us": 10**6}
FORMATS = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "day": "%Y-%m-%d",
    "compact": "%Y%m%d",
    "american": "%m/%d/%Y %I:%M:%S %p",
    "exported": "%Y-%m-%d %H:%M:%S UTC",
}
# of which column: what is in it
SEVERAL = {
    "clock": {"date": "%Y-%m-%d", "time": "%H:%M:%S"},
    "calendar": {"year": "%Y", "month": "%m", "day": "%d"},
}
TIMES = ("s", "ms", "us", "mixed", "none", *FORMATS, *SEVERAL)
DAYS = ("day", "compact", "calendar")
FORMS = (
    "csv",
    "tsv",
    "semicolon",
    "colons",
    "jsonl",
    "json",
    "python",
    "parquet",
    "inter",
    "headless",
)
IDS = {"plain": str, "fraction": "{}.0".format, "zeros": "{:0>6}".format, "space": "{} ".format}
JUNK = {
    "notes.txt": b"These are data\nof a small shop\nmade up by hand\n",
    "README.md": b"# Data\n",
    "users.csv": b"user_id,age\nzz1,30\nzz2,31\n",
    "stock.json": b'{"made": "by hand"}',
    "scores.npy": b"\x93NUMPY",
    "broken.zip": b"PK nothing",
    "page.html": b"<p>words</p>",
    "latin.csv": "größe,maß\nklein,1\n".encode("latin-1"),
    "old.xlsx": b"PK\x03\x04 a sheet",
    "more.tar.gz": b"\x1f\x8b an archive",
    "test_negatives.csv": b"user_id,item_id\nu100,7\nu101,8\nu102,9\n",
    "index.csv": b",item_id\n0,zz\n1,yy\n2,xx\n",
}


@st.composite
def folders_of_a_shop(draw):
    """What was written where: the events (user, item, moment), the titles, and how."""
    n_users, n_items = draw(st.integers(2, 5)), draw(st.integers(2, 6))
    n = draw(st.integers(12, 30))
    step = draw(st.integers(1, 5))
    form = draw(st.sampled_from(FORMS))
    # without names nothing tells that three columns are a calendar
    whole = draw(st.sampled_from(TIMES[:-1] if form == "headless" else TIMES))
    gap = 86_400 if whole in DAYS else 977
    events = [
        (100 + k % n_users, 7 + (k * step + k // n_users) % n_items, T + gap * k) for k in range(n)
    ]
    events = draw(st.permutations(events))
    return {
        "events": events,
        "times": whole,
        "form": form,
        "packing": draw(st.sampled_from(("", "", "gz", "zip", "folder"))),
        "ids": draw(st.sampled_from(sorted(IDS))),
        "item_ids": draw(st.sampled_from(sorted(IDS))),
        "items": draw(st.sampled_from(("csv", "jsonl", "parquet", "psv", "none"))),
        "lacking": draw(st.booleans()),
        "extra": draw(st.booleans()),
        "parts": draw(st.sampled_from((1, 1, 1, 2))),
        "junk": draw(st.lists(st.sampled_from(sorted(JUNK)), unique=True, max_size=4)),
    }


def spell_time(kind, moment, k):
    if kind in SECONDS:
        return moment * SECONDS[kind]
    if kind == "mixed":
        return moment * (1000 if k % 2 else 1)
    return pd.Timestamp(moment, unit="s").strftime(FORMATS[kind])


def table_of(shop, events):
    """The events as columns of cells."""
    spell = IDS[shop["ids"]]
    columns = {
        "user_id": [f"u{u}" for u, *_ in events],
        "item_id": [spell(i) for _, i, _ in events],
    }
    if shop["times"] in SEVERAL:
        stamps = [pd.Timestamp(t, unit="s") for *_, t in events]
        for name, form in SEVERAL[shop["times"]].items():
            columns[name] = [stamp.strftime(form) for stamp in stamps]
    elif shop["times"] != "none":
        columns["event_time"] = [
            spell_time(shop["times"], t, k) for k, (*_, t) in enumerate(events)
        ]
    if shop["extra"]:
        columns["basket"] = [f"b{k % 3}x" for k in range(len(events))]
    return pd.DataFrame(columns)


def render(table, form):
    """(ending, bytes) of a table."""
    if form == "parquet":
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            table.to_parquet(file.name)
            return ".parquet", Path(file.name).read_bytes()
    if form in ("jsonl", "json", "python"):
        rows = table.to_dict("records")
        if form == "json":
            return ".json", json.dumps(rows).encode()
        write = repr if form == "python" else json.dumps
        return (".json" if form == "python" else ".jsonl"), "\n".join(map(write, rows)).encode()
    apart = {"tsv": "\t", "inter": "\t", "semicolon": ";", "colons": "::", "psv": "|"}.get(
        form, ","
    )
    names = {
        "user_id": "user_id:token",
        "item_id": "item_id:token",
        "event_time": "event_time:float",
    }
    head = [names.get(c, f"{c}:token") if form == "inter" else c for c in table]
    body = [apart.join(map(str, row)) for row in table.itertuples(index=False)]
    text = [*([] if form == "headless" else [apart.join(head)]), *body]
    ending = {"colons": ".dat", "inter": ".inter", "tsv": ".tsv", "headless": ".dat"}.get(
        form, ".csv"
    )
    return ending, ("\n".join(text) + "\n").encode()


def write_shop(folder, shop):
    """Write a shop's files; the names of those that hold events."""
    count = len(shop["events"]) // shop["parts"] + 1
    names = []
    for part in range(shop["parts"]):
        events = shop["events"][part * count : (part + 1) * count]
        ending, data = render(table_of(shop, events), shop["form"])
        name = f"log-{part}{ending}"
        if shop["packing"] == "gz" and ending != ".parquet":
            name, data = f"{name}.gz", gzip.compress(data)
        if shop["packing"] == "zip" and ending != ".parquet":
            with zipfile.ZipFile(folder / f"z{part}.zip", "w") as archive:
                archive.writestr(name, data)
            names.append(f"z{part}.zip/{name}")
            continue
        if shop["packing"] == "folder":
            (folder / "raw").mkdir(exist_ok=True)
            name = f"raw/{name}"
        (folder / name).write_bytes(data)
        names.append(name)
    items = sorted({i for _, i, _ in shop["events"]})
    if shop["items"] != "none":
        spell = IDS[shop["item_ids"]]
        titles = [
            "" if shop["lacking"] and k == 0 else f"Thing {i} of all" for k, i in enumerate(items)
        ]
        table = pd.DataFrame(
            {"item_id": [spell(i) for i in items], "title": titles, "brand": "Hand made"}
        )
        ending, data = render(table, shop["items"])
        (folder / f"catalogue{ending}").write_bytes(data)
    for name in shop["junk"]:
        (folder / name).write_bytes(JUNK[name])
    return names


def number_of(text):
    return int(float(text.strip()))


def look_at(folder, shop):
    """Import a shop, and demand of each event, title and time that it is there, or is spoken of."""
    names = write_shop(folder, shop)
    flags = {"id": "shop", "min_length": 0}
    if shop["parts"] > 1:
        with pytest.raises(DataError, match="look like interactions") as caught:
            importer.import_folder(folder, **flags)
        assert all(name in str(caught.value) for name in names)
        flags["join"] = names
    done = importer.import_folder(folder, **flags)
    said = "\n".join(lines(done.files, done.notes))
    raw = folders.read(done.spec, lambda note: None)
    written = sorted((f"u{u}", i) for u, i, _ in shop["events"])
    read = sorted(
        (u, number_of(i)) for u, i in zip(raw.events["user"], raw.events["item"], strict=True)
    )
    assert read == written
    if shop["times"] == "none":
        assert any("the source has no times" in one for one in done.spec.info.remarks)
    else:
        day = 86_400 if shop["times"] in DAYS else 1
        wanted = sorted((f"u{u}", i, t // day * day) for u, i, t in shop["events"])
        found = zip(
            raw.events["user"], map(number_of, raw.events["item"]), raw.events["time"], strict=True
        )
        assert sorted(found) == wanted
        assert done.spec.info.remarks == () or "several units" in done.spec.info.remarks[0]
        assert shop["times"] != "mixed" or "several units" in said
    if shop["items"] != "none":
        titles = {
            number_of(i): t for i, t in zip(raw.items["item"], raw.items["title"], strict=True)
        }
        items = sorted({i for _, i, _ in shop["events"]})
        assert titles == {
            i: "" if shop["lacking"] and k == 0 else f"Thing {i} of all"
            for k, i in enumerate(items)
        }
        assert set(raw.events["item"]) <= set(raw.items["item"])
        assert ("have no title" in said) is shop["lacking"]
    told = {one.name for one in done.files}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {
        name.partition(".zip/")[0] + ".zip" if ".zip/" in name else name for name in told
    } >= there - {"dataset.toml"}
    if shop["extra"]:
        assert ("basket: not used" in said) or ("column " in said and "not used" in said)


def check_shop(shop, tmp_path_factory):
    look_at(tmp_path_factory.mktemp("shop"), shop)


CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=12, deadline=None, suppress_health_check=CALM, derandomize=True)
@given(shop=folders_of_a_shop())
def test_a_few_messy_folders(tmp_path_factory, shop):
    check_shop(shop, tmp_path_factory)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=CALM)
@given(shop=folders_of_a_shop())
def test_messy_folders_lose_nothing_in_silence(tmp_path_factory, shop):
    check_shop(shop, tmp_path_factory)


NAMES = ("a.csv", "a.tsv", "a.txt", "a.dat", "a.json", "a.jsonl", "a.inter", "u.data", "a.csv.gz")
NAMES += ("a.parquet", "movies.dat", "news.tsv", "behaviors.tsv", "a.item", "noending")
PIECES = st.sampled_from(
    (b",", b"\t", b"\n", b"::", b'"', b"\\", b"u1", b"7", b" ", b"\xe9", b"{}", b"[")
)


@settings(max_examples=200, deadline=None, suppress_health_check=CALM)
@given(
    name=st.sampled_from(NAMES),
    data=st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=40).map(b"".join)),
)
def test_no_file_is_beyond_a_look(tmp_path_factory, name, data):
    """Whatever its bytes, a file is a table, sequences, or said not to be."""
    folder = tmp_path_factory.getbasetemp()
    (folder / name).write_bytes(data)
    one = look(folder, name)
    assert one.why_not or one.reading.format
    (folder / name).unlink()
