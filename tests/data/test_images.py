"""Which picture is whose, and what is refused."""

import zipfile

import pytest

from mmbench.data import folder, images
from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec, FolderSpec, ImagesSpec
from mmbench.hookspecs import DatasetInfo


def test_a_zip_and_a_folder_list_alike(tmp_path, shop):
    with zipfile.ZipFile(shop / "pictures.zip") as archive:
        archive.extractall(tmp_path / "pictures")
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    (tmp_path / "pictures" / "._0.jpg").write_bytes(b"no picture either")
    listed = images.list_files(shop / "pictures.zip")
    assert images.list_files(tmp_path / "pictures") == listed
    assert list(listed) == [f"{i}.jpg" for i in range(7)]
    assert set(listed.values()) == {listed["0.jpg"]}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("{item}.jpg", {"7": "7.jpg", "a.b": "a.b.jpg"}),
        ("{item}.*", {"7": "7.jpg", "8": "8.PNG", "a.b": "a.b.jpg"}),
        ("*/{item}.*", {"9": "x/9.jpg", "9-1": "x/9-1.jpg"}),
        ("x/{item}-1.jpg", {"9": "x/9-1.jpg"}),
    ],
)
def test_patterns(pattern, wanted):
    names = ["7.jpg", "8.PNG", "a.b.jpg", "x/9-1.jpg", "x/9.jpg"]
    assert images.pair(names, pattern) == wanted


def test_a_pattern_without_item_is_refused():
    with pytest.raises(DataError, match=r"must contain \{item\} once"):
        images.pair(["1.jpg"], "*.jpg")


@pytest.mark.parametrize(
    "name", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "C:\\1.jpg", "..\\1.jpg"]
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0.jpg", b"")
        archive.writestr(name, b"")
    with pytest.raises(DataError, match=r"bad\.zip: the name .* leads out of the archive"):
        images.list_files(path)


def test_a_truncated_zip_and_an_absent_one_are_named(tmp_path, shop):
    whole = (shop / "pictures.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half\.zip: not a readable zip .*truncated"):
        images.list_files(tmp_path / "half.zip")
    with pytest.raises(DataError, match=r"none\.zip: no such folder or zip"):
        images.list_files(tmp_path / "none.zip")


def test_pictures_of_nobody_are_an_error(shop):
    (shop / "sequences.txt").write_text("u 1001 1002 1003\n")
    spec = FolderSpec(
        DatasetInfo("shop"), shop, EventsSpec("sequences.txt"), None, ImagesSpec("pictures.zip")
    )
    with pytest.raises(DataError, match=r"none of its 7 pictures .*'\{item\}\.\*'.*mend `pattern`"):
        folder.read(spec)
