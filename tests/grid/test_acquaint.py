"""What models tell about themselves is asked apart, kept, and asked anew after an edit."""

import pytest

from mmbench.grid import acquaint as module
from mmbench.grid.about import About, Preset
from mmbench.grid.acquaint import acquaint, recall
from mmbench.grid.docstrings import first_sentence, meanings
from mmbench.grid.introspect import spell
from mmbench.grid.readiness import readiness, sizes_of, variants
from mmbench.grid.registry import Plugin, summary_of

SOURCE = '''
from dataclasses import dataclass
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    """A Config.

    Attributes:
        depth: {meaning}.
    """

    depth: int = 1

class Model:
    """{summary}."""
    Config = Config
    presets = {{"paper": Config()}}

    def __init__(self, config): ...

    @hookimpl
    def fit(self): ...

    @hookimpl
    def score(self, queries): ...
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def write(folder, module, **words):
    text = {"meaning": "how deep", "summary": "One"} | words
    (folder / f"{module}.py").write_text(SOURCE.format(**text))
    return Plugin(module, f"{module}:Model", "pack", "1")


def test_answers_are_kept_until_the_file_changes(place):
    plugin, said = write(place, "kept_model"), []
    assert acquaint([plugin], said.append)[plugin].summary == "One"
    assert len(said) == 1
    assert acquaint([plugin], said.append)[plugin].summary == "One"
    assert len(said) == 1  # not asked again
    write(place, "kept_model", summary="Another")  # a docstring, of which no digest of code knows
    assert acquaint([plugin], said.append)[plugin].summary == "Another"
    assert recall(plugin).settings[0].meaning == "how deep"


def test_one_that_ends_its_process_does_not_stop_the_next(place):
    (place / "a_deadly.py").write_text("import os\nos._exit(3)\n")
    deadly, good = Plugin("deadly", "a_deadly:Model", "pack", "1"), write(place, "b_good")
    told = acquaint([good, deadly])
    assert isinstance(told[deadly], str)
    assert told[good].summary == "One"
    assert recall(deadly) is None


def test_what_is_kept_and_damaged_is_asked_again(place):
    plugin = write(place, "hurt_model")
    acquaint([plugin])
    module._file(plugin).write_text('{"key": 1, "about": {"summary": 3}}')
    assert recall(plugin) is None
    assert acquaint([plugin])[plugin].summary == "One"


def test_a_summary_is_read_from_the_file(place):
    assert summary_of(write(place, "read_model", summary="Read, not run. More")) == "Read, not run"
    assert summary_of(Plugin("x", "no_such_module_at_all:Model", "pack", "1")) == ""


PRESETS = tuple(
    Preset(name, pretrained=("package:no-such-thing",) if name == "small" else ())
    for name in ("paper", "small", "tiny", "wide", "wide/tiny")
)


def test_what_runs_here_depends_on_the_gpu_and_the_weights(tmp_path):
    about = About(presets=PRESETS, stand_ins=("tiny",))
    assert readiness(about, "m", tmp_path, gpu=True).preset == "paper"
    found = readiness(about, "m", tmp_path, gpu=False)
    assert found.preset == "tiny"
    assert found.why.startswith("paper: no CUDA GPU; small: package:no-such-thing")
    assert readiness(About(presets=PRESETS), "m", tmp_path, gpu=False).preset == "paper"
    assert sizes_of(about) == ["paper", "small", "tiny"]
    assert list(variants(about)) == ["wide"]


def test_types_and_sentences_are_spelt_for_people():
    from typing import Literal

    assert spell(Literal["", "nf4"]) == '"" | nf4'
    assert spell(tuple[int, ...]) == "tuple[int, ...]"
    assert spell(float | None) == "float or nothing"
    assert first_sentence("Up to e.g. two\n    lines. Then more.") == "Up to e.g. two lines"
    assert first_sentence(None) == ""


def test_own_words_win_over_inherited_ones():
    class Base:
        """Base.

        Attributes:
            a, b: of both.
            c: theirs,
                and on.

        Other:
            d: not a setting.
        """

    class Own(Base):
        """``c`` is mine. ``e``: also mine; rest."""

    assert meanings(Own) == {"a": "of both", "b": "of both", "c": "mine", "e": "also mine"}
