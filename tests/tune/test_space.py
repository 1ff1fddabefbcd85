"""Search spaces: what a file may hold, and those that come with mmbench."""

import pytest

from mmbench.grid.registry import spread
from mmbench.tune.space import Range, SpaceError, find_space, read_space, shipped


def test_lists_and_ranges_are_read():
    space = read_space(
        '[settings]\na = [1, 2]\nb = ["x", [1, 2]]\nc = { low = 1, high = 3 }\n'
        "d = { low = 0.1, high = 1, log = true }",
        "mine.toml",
    )
    assert (space.name, space.settings["a"], space.settings["b"]) == ("mine", (1, 2), ("x", [1, 2]))
    whole, real = space.settings["c"], space.settings["d"]
    assert isinstance(whole, Range) and whole.whole
    assert isinstance(real, Range) and not real.whole and real.log
    assert space.size() is None
    assert read_space("[settings]\na = [1, 2]\nb = [3]", "x").size() == 2


def test_a_grid_s_points_come_in_order():
    space = read_space("[settings]\na = [1, 2]\nb = [3, 4]", "x")
    assert list(space.points()) == [
        *({"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = ", "not a TOML file"),
        ("name = 'x'", "settings: Field required"),
        ("[settings]", "settings"),
        ("[settings]\na = 3", "settings.a"),
        ("[settings]\na = []", "a list of distinct values"),
        ("[settings]\na = [1, 1]", "a list of distinct values"),
        ("[settings]\na = { low = 2, high = 1 }", "low must be below high"),
        ("[settings]\na = { low = 0, high = 1, log = true }", "with log, low is above 0"),
        ("[settings]\na = { low = 0, high = 1, stride = 1 }", "settings.a"),
    ],
)
def test_a_misshapen_space_is_told(text, told):
    with pytest.raises(SpaceError) as error:
        read_space(text, "mine.toml")
    assert told in str(error.value)


def test_the_digest_is_of_the_ranges_alone():
    one, same, other = (
        read_space(f"name = '{name}'\n[settings]\na = [1, {last}]", "x")
        for name, last in (("a", 2), ("b", 2), ("a", 3))
    )
    assert one.digest == same.digest != other.digest


def test_every_shipped_space_says_where_it_comes_from_and_whom_it_is_for():
    spaces = shipped()
    assert {space.name for space in spaces} == {"prime", "recbole", "wide"}
    for space in spaces:
        assert space.source
        assert space.models
    pairs = [(space.name, model) for space in spaces for model in space.models]
    assert len(set(pairs)) == len(pairs)  # a name and a model mean one space


def test_a_shipped_space_is_found_by_name_and_model():
    assert find_space("prime", "lrurec").size() == 6
    assert find_space("recbole", "sasrec").size() == 5 * 2 * 2 * 2 * 3
    with pytest.raises(SpaceError, match="no space 'prime' for bpr: mmbench brings recbole"):
        find_space("prime", "bpr")


def test_alternatives_in_brackets_span_a_grid_of_models():
    assert spread("a[x=1|2,y=3|4]") == ["a[x=1,y=3]", "a[x=1,y=4]", "a[x=2,y=3]", "a[x=2,y=4]"]
    assert spread("a[init=b[dim=8|16]|c]") == ["a[init=b[dim=8]]", "a[init=b[dim=16]]", "a[init=c]"]
    assert spread("a[x=[1,2]|[3]]") == ["a[x=[1,2]]", "a[x=[3]]"]
    assert spread("a/b") == ["a/b"]
    assert spread("a[x=]") == ["a[x=]"]
    assert spread("a[init=|b]") == ["a[init=]", "a[init=b]"]  # an empty value is one
    assert spread("a[x=1|]") == ["a[x=1]", "a[x=]"]
    assert spread("a[x]") == ["a[x]"]
    assert spread("a[]") == ["a[]"]
