"""dataset.toml: strict to read, and written so that it reads the same."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.data.folder import known
from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec, FolderSpec, ImagesSpec, ItemsSpec, parse, write_toml
from mmbench.hookspecs import DatasetInfo, Recipe

GOOD = 'id = "s"\n[interactions]\nfile = "e.csv"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id = ", r"x/dataset\.toml: not valid toml"),
        ('[interactions]\nfile = "e.csv"\n', "id: .*required"),
        ('id = "s"\n', "interactions: .*required"),
        ('licens = "MIT"\n' + GOOD, r"unknown key 'licens'; did you mean 'licence'\?"),
        (GOOD + 'usr = "u"\n', r"unknown key 'usr' in \[interactions\]; did you mean 'user'\?"),
        (GOOD + "[recipe]\nk_core = 5\n", r"unknown key 'k_core' in \[recipe\].*there are require"),
        (GOOD + "[recipe]\ncore = 'many'\n", r"recipe\.core: .*integer"),
        (GOOD + "[recipe]\nduplicates = 'none'\n", r"recipe\.duplicates: .*'keep', 'first'"),
        (GOOD + "[recipe]\nrequire = ['sound']\n", r"recipe\.require\.0"),
        (GOOD + 'format = "xml"\n', r"interactions\.format"),
        ('id = "a b"\n[interactions]\nfile = "e.csv"\n', "'a b' cannot be a dataset's id"),
        ('id = ".."\n[interactions]\nfile = "e.csv"\n', "cannot be a dataset's id"),
        ("items = 3\n" + GOOD, "items: "),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(DataError, match=message) as caught:
        parse(text, Path("x"), "x/dataset.toml")
    assert "dataset" in str(caught.value)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    name=words,
    remarks=st.lists(words.filter(bool), max_size=3),
    column=words.filter(bool),
    rating=st.none() | st.floats(-5, 5),
    core=st.integers(0, 9),
)
def test_what_is_written_reads_the_same(tmp_path_factory, name, remarks, column, rating, core):
    folder = tmp_path_factory.mktemp("spec")
    spec = FolderSpec(
        DatasetInfo(
            "a.b-c_1",
            name,
            aliases=("x",),
            remarks=tuple(remarks),
            text=(column, "brand"),
            recipe=Recipe(("image",), "last", rating, core, 2),
        ),
        folder,
        EventsSpec("e.csv", "csv", column, "i", "t", None),
        ItemsSpec("items.tsv", "tsv", "i", (column, "brand")),
        ImagesSpec("p.zip", "{item}.jpg"),
    )
    write_toml(spec, folder / "dataset.toml")
    text = (folder / "dataset.toml").read_text("utf-8")
    assert parse(text, folder, "here") == spec
    assert "root" not in text
    assert [path.name for path in folder.iterdir()] == ["dataset.toml"]


def test_a_spec_elsewhere_points_back(tmp_path):
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    home.mkdir()
    spec = FolderSpec(DatasetInfo("s"), data, EventsSpec("e.csv"))
    write_toml(spec, home / "dataset.toml")
    again = parse((home / "dataset.toml").read_text(), home, "here")
    assert again.root == data.resolve()


def test_the_known_datasets_are_told_fully():
    assert set(known()) >= {
        *(f"amazon2014-{name}" for name in ("beauty", "sports", "toys", "clothing")),
        "ml-latest-small",
        "amazon2023-pixrec",
    }
    aliases = [alias for spec in known().values() for alias in spec.info.aliases]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(known())
    for identity, spec in known().items():
        assert spec.root == Path(identity)
        assert spec.info.name
        assert spec.info.licence
        assert spec.info.origin.endswith(".")
    assert "drawn" in known()["amazon2014-beauty"].info.remarks[0]
