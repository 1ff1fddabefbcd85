import os

import pytest

from mmbench.files import remove_tree, slug, temporary_folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loo@2", "loo@2"),
        ("recbole:NeuMF", "recbole-NeuMF"),
        ("a/b c", "a-b-c"),
        ("../../etc", "etc"),
        ("..", "unnamed"),
        ("///", "unnamed"),
    ],
)
def test_names_become_parts_of_paths_and_cannot_leave_their_folder(name, expected):
    assert slug(name) == expected


def dig(folder, depth):
    """Folders in folders, and a file at the bottom."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("bottom", os.O_CREAT, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize("depth", [0, 3, 5000])
def test_a_folder_goes_however_deep_it_is(tmp_path, depth):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    with temporary_folder() as folder:
        dig(folder, depth)
        for number in range(3):
            (folder / str(number) / "beside").mkdir(parents=True)
            (folder / str(number) / "link").symlink_to(kept)
            (folder / str(number) / "file").touch()
        (folder / "0").chmod(0)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_what_is_not_there_need_not_go(tmp_path):
    remove_tree(tmp_path / "nothing")
