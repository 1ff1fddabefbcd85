"""From a name to a source, in the stated order, with advice where there is none."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pandas as pd
import pytest

from mmbench import DatasetInfo, RawDataset, hookimpl
from mmbench.data import find, load, plugin
from mmbench.data.log import DataError

TOML = """id = "{id}"
aliases = ["{alias}"]
[interactions]
file = "ratings.csv"
user = "userId"
item = "movieId"
time = "timestamp"
"""


class Toy:
    """A third party's dataset."""

    info = DatasetInfo("toy")
    reads = 0

    @hookimpl
    def read(self, cache):
        type(self).reads += 1
        assert cache.is_dir()
        rows = [("u", str(i), i) for i in range(4)]
        return RawDataset(pd.DataFrame(rows, columns=["user", "item", "time"]), ITEMS)


ITEMS = pd.DataFrame({"item": [str(i) for i in range(4)], "title": list("abcd")})


class Misspelt:
    info = DatasetInfo("misspelt")

    @hookimpl
    def raed(self, cache):
        raise AssertionError("never called")


class OtherId(Toy):
    info = DatasetInfo("toys-r-us")


class Silent:
    info = DatasetInfo("silent")

    def read(self, cache):
        return None


@pytest.fixture
def install(monkeypatch):
    """Put entry points into the package metadata: ``install(name=(class, package), ...)``."""

    def put(*points):
        found = []
        for name, kind, package in points:
            value = f"{__name__}:{kind}" if kind else "no_such_module:Thing"
            point = EntryPoint(name, value, "mmbench.datasets")
            vars(point)["dist"] = SimpleNamespace(name=package, version="1.0")
            found.append(point)
        monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(**globals()))
        monkeypatch.setattr(plugin, "entry_points", lambda group: found)

    return put


def test_a_path_is_a_path(shop):
    assert find.resolve(str(shop)).info.id == "little-shop"
    (shop / "dataset.toml").write_text(TOML.format(id="other", alias="o"))
    assert find.resolve(str(shop / "dataset.toml")).info.id == "other"
    with pytest.raises(DataError, match=r"no-such/place: no such folder"):
        find.resolve("./no-such/place")


def test_ids_and_aliases_are_looked_for_in_the_named_folders(shop, tmp_path, monkeypatch):
    (shop / "dataset.toml").write_text(TOML.format(id="the-shop", alias="s"))
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("MMBENCH_DATA", f"{empty}:{tmp_path / 'absent'}:{shop.parent}")
    for name in ("little-shop", "the-shop", "s"):
        assert find.resolve(name).info.id == "the-shop"
    rows = {row.id: row for row in find.list_datasets()}
    assert rows["the-shop"] == find.Row("the-shop", ("s",), str(shop), "here")
    assert rows["amazon2014-toys"].status == "not here; untried: text, pictures"


def test_the_data_home_is_looked_at_last(shop, tmp_path, monkeypatch):
    home = tmp_path / "home" / "mmbench" / "datasets" / "mine"
    home.mkdir(parents=True)
    (home / "dataset.toml").write_text(f'root = "{shop}"\n' + TOML.format(id="mine", alias="m"))
    assert load("m").id == "mine"
    nearer = tmp_path / "nearer" / "mine"
    nearer.mkdir(parents=True)
    monkeypatch.setenv("MMBENCH_DATA", str(nearer.parent))
    (nearer / "sequences.txt").write_text("u 1 2 3\nv 1 2 3\n")
    assert find.resolve("mine").where == str(nearer)


def test_an_alias_of_two_is_an_error(shop, tmp_path, monkeypatch):
    for name in ("one", "two"):
        (shop.parent / "all" / name).mkdir(parents=True)
        (shop.parent / "all" / name / "dataset.toml").write_text(TOML.format(id=name, alias="x"))
    monkeypatch.setenv("MMBENCH_DATA", str(shop.parent / "all"))
    with pytest.raises(DataError, match="'x' is a name of one and two"):
        find.resolve("x")
    assert {row.id: row.status for row in find.list_datasets()}["one"] == "lacks ratings.csv"


def test_a_folder_of_the_same_name_is_no_id(shop, monkeypatch):
    monkeypatch.chdir(shop.parent)
    (shop.parent / "demo").mkdir()
    assert find.resolve("little-shop").info.id == "little-shop"
    assert find.resolve("demo").where.startswith("mmbench ")


@pytest.mark.parametrize("name", ["toys", "amazon2014-toys", "clothing", "beauty", "ml"])
def test_known_but_absent_tells_how_to_get_it(name, tmp_path):
    with pytest.raises(DataError, match="is known, but not on this machine") as caught:
        find.resolve(name)
    text = str(caught.value)
    assert str(tmp_path / "home" / "mmbench" / "datasets") in text
    assert "MMBENCH_DATA" in text
    assert ("sequences.txt" in text) or ("ratings.csv" in text)


def test_an_incomplete_known_folder_names_what_lacks(tmp_path, monkeypatch):
    folder = tmp_path / "all" / "amazon2014-sports"
    folder.mkdir(parents=True)
    monkeypatch.setenv("MMBENCH_DATA", str(folder.parent))
    with pytest.raises(DataError, match=r"needs the files sequences\.txt, items\.tsv"):
        load("sports")
    (folder / "sequences.txt").write_text("u 1 2 3\n")
    assert load("sports").items.fields == {}  # events alone serve models that need no more


def test_an_unknown_name_is_answered_with_a_near_one():
    with pytest.raises(DataError, match=r"no dataset 'beuty'; did you mean 'beauty'\?"):
        find.resolve("beuty")
    with pytest.raises(DataError, match=r"no dataset 'xyzzy' \(looked for"):
        find.resolve("xyzzy")


def test_a_plugin_is_read_once_and_listed_without_import(install):
    install(("toy", "Toy", "toys"), ("broken", "", "breaker"))
    rows = {row.id: row for row in find.list_datasets()}
    assert rows["broken"] == find.Row("broken", (), "breaker 1.0", "here")
    before = Toy.reads
    log = load("toy")
    assert load("toy").fingerprints == log.fingerprints
    assert Toy.reads == before + 1
    assert log.n_items == 4


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("broken", "", "dataset 'broken' of pack 1.0 cannot be used: ModuleNotFoundError"),
        ("misspelt", "Misspelt", "no hook 'raed'. Did you mean read"),
        ("wrong", "OtherId", "its `info` must be a DatasetInfo with that id"),
    ],
)
def test_a_broken_plugin_is_named_with_its_package(install, name, kind, message):
    install((name, kind, "pack"))
    with pytest.raises(DataError, match=message):
        find.resolve(name)


def test_a_plugin_without_the_marker_is_told_so(install):
    install(("silent", "Silent", "pack"))
    with pytest.raises(DataError, match=r"cannot be used: .*mark read with @mmbench.hookimpl"):
        load("silent")


def test_a_name_of_two_packages_names_both(install):
    install(("toy", "Toy", "one"), ("toy", "Toy", "two"))
    with pytest.raises(DataError, match=r"claimed by one 1\.0 and two 1\.0"):
        find.resolve("toy")
    assert {row.id: row.status for row in find.list_datasets()}["toy"] == "claimed twice"


def test_the_same_package_seen_twice_is_one(install):
    install(("toy", "Toy", "one"), ("toy", "Toy", "one"))
    assert find.resolve("toy").info.id == "toy"


def test_listing_and_a_cached_load_stay_light(shop):
    load(str(shop))
    code = (
        "import sys; from mmbench.data import load, find; find.list_datasets();"
        f"load({str(shop / 'dataset.toml')!r});"
        "assert not {'pandas', 'torch', 'pyarrow'} & set(sys.modules), 'heavy'"
    )
    (shop / "dataset.toml").write_text(TOML.format(id="s", alias="x"))
    load(str(shop))
    subprocess.run([sys.executable, "-c", code], check=True)
