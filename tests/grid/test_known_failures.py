"""What a class says that it fails, of all its presets or of each."""

import sys
import types
from dataclasses import dataclass

import pytest

from mmbench import hookimpl
from mmbench.grid import session
from mmbench.grid.registry import Plugin, parse_ref
from mmbench.hooks import ContractError


@dataclass(frozen=True)
class Empty:
    pass


@pytest.fixture
def declared(monkeypatch):
    """``declared(known_failures, ref)``: what is recorded of the preset that a word means."""

    def describe(failures, ref, size="tiny"):
        class Model:
            Config = Empty
            presets = {name: Empty() for name in ("paper", "tiny", "bare", "bare/tiny")}
            known_failures = failures

            @hookimpl
            def fit(self, train):
                pass

            @hookimpl
            def score(self, queries):
                pass

        module = types.ModuleType("fails")
        module.Model = Model
        monkeypatch.setitem(sys.modules, "fails", module)
        plugin = Plugin("m", "fails:Model", "mmbench-fails", "1.0")
        return session.describe(plugin, parse_ref(ref), size, {})[0].known_failures

    return describe


def test_of_all_presets(declared):
    for ref in ("m", "m/bare"):
        assert declared({"blind": "why"}, ref) == {"blind": "why"}
    assert declared({}, "m") == {}


def test_of_each_preset(declared):
    failures = {"paper": {"blind": "why"}, "bare/tiny": {"twice": "small", "blind": "too"}}
    assert declared(failures, "m", "paper") == {"blind": "why"}
    assert declared(failures, "m") == {}
    assert declared(failures, "m/bare") == {"twice": "small", "blind": "too"}
    assert declared(failures, "m/bare", "paper") == {}


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        ({"papr": {"blind": "why"}}, "no preset 'papr'. Did you mean paper"),
        ({"paper": {"blind": "why"}, "blind": "why"}, "no preset 'blind'"),
        ({"paper": {"blind": "why"}, "tiny": "why"}, "'tiny' has no {check: reason}"),
    ],
)
def test_a_preset_that_is_none_is_named(declared, failures, words):
    with pytest.raises(ContractError) as raised:
        declared(failures, "m")
    assert words in str(raised.value)
