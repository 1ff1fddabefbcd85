import pytest

from mmbench.files import slug


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
