"""Options of observers: from texts and grid files to a Config."""

from dataclasses import dataclass
from pathlib import Path

import pydantic
import pytest

from mmbench.grid.asked import read_grid
from mmbench.grid.observer_options import config_of, merge, parse_observers
from mmbench.grid.registry import UsageError


@dataclass(frozen=True)
class Config:
    project: str = "mmbench"
    tags: tuple[str, ...] = ()
    every: int = 1
    quiet: bool = False
    uri: str | None = None
    folder: Path = Path("runs")


class Observer:
    Config = Config


class Modern:
    class Config(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        size: float = 1.0


class Plain: ...


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a"], {"a": {}}),
        (["a:x=1,y=b", "b"], {"a": {"x": "1", "y": "b"}, "b": {}}),
        (["a:x=1", "a:y=2", "a:x=3"], {"a": {"x": "3", "y": "2"}}),
        (["a:uri=http://host:80/?q=1"], {"a": {"uri": "http://host:80/?q=1"}}),
        (['a:tags=["x","y"],n=1'], {"a": {"tags": '["x","y"]', "n": "1"}}),
    ],
)
def test_texts_are_names_and_options(texts, found):
    assert parse_observers(texts) == found


def test_an_option_without_a_value_is_refused():
    with pytest.raises(UsageError, match="'x' is not a setting"):
        parse_observers(["a:x"])


def test_flags_win_over_a_grid_file():
    file = {"a": {"x": 1, "y": 2}, "b": {}}
    assert merge(file, {"a": {"x": "3"}, "c": {}}) == {"a": {"x": "3", "y": 2}, "b": {}, "c": {}}


def test_a_config_is_made_of_texts_and_of_values():
    texts = {
        **{"project": "2024", "tags": '["a", "b"]', "every": "3", "quiet": "true"},
        **{"uri": "http://x", "folder": "there"},
    }
    same = Config("2024", ("a", "b"), 3, True, "http://x", Path("there"))
    assert config_of(Observer, "o", texts) == same
    typed = {"tags": ["a", "b"], "every": 3, "quiet": True}
    assert config_of(Observer, "o", typed) == Config(tags=("a", "b"), every=3, quiet=True)
    assert config_of(Modern, "o", {"size": "2.5"}).size == 2.5
    assert config_of(Plain, "o", {}) is None


@pytest.mark.parametrize(
    ("found", "options", "said"),
    [
        (Observer, {"projet": "x"}, "o has no option 'projet'. Did you mean project?"),
        (Observer, {"every": "often"}, "o: every: Input should be a valid integer"),
        (Observer, {"tags": "a"}, "o: tags: Input should be a valid tuple"),
        (Modern, {"sise": "1"}, "o has no option 'sise'. Did you mean size?"),
        (Plain, {"x": "1"}, "o takes no options, and x was given"),
    ],
)
def test_options_that_cannot_be_are_refused(found, options, said):
    with pytest.raises(UsageError, match=said):
        config_of(found, "o", options)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ('observers = ["a", "b:x=1"]', {"a": {}, "b": {"x": "1"}}),
        ('[observers.a]\n[observers.b]\nx = 1\ny = ["z"]', {"a": {}, "b": {"x": 1, "y": ["z"]}}),
    ],
)
def test_a_grid_file_names_observers(tmp_path, lines, found):
    path = tmp_path / "grid.toml"
    path.write_text(f'models = ["m"]\n{lines}\n')
    assert read_grid(path)["observers"] == found


def test_a_grid_file_s_observers_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text('observers = "a"\n')
    with pytest.raises(UsageError, match="observers"):
        read_grid(path)
