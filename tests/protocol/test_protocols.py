"""Names of protocols, and that a name keeps its meaning."""

import dataclasses

import pytest

from mmbench.problems import UserError
from mmbench.protocol import DEFAULT, PROTOCOLS, explain_protocol, get_protocol
from mmbench.protocol.evaluate import VALIDATION


def test_names_keep_their_meaning():
    """A change here changes numbers: give the new meaning a new name instead."""
    common = {
        "cuts": (0.8, 0.9),
        "max_history": 50,
        "given": None,
        "candidate_sets": (
            ("full", "full", 0),
            ("unseen", "unseen", 0),
            ("neg100", "sampled", 100),
        ),
    }

    def meaning(protocol):
        sets = tuple((one.name, one.kind, one.size) for one in protocol.candidate_sets)
        told = dataclasses.asdict(protocol)
        assert told.pop("explanation").endswith(".")
        return {**told, "candidate_sets": sets}

    assert VALIDATION == "ndcg@10"
    assert {name: meaning(protocol) for name, protocol in PROTOCOLS.items()} == {
        "loo@2": {"name": "loo@2", "splitter": "loo", **common},
        "time@2": {"name": "time@2", "splitter": "time", **common},
        "pixrec-window@2": {
            "name": "pixrec-window@2",
            "splitter": "users",
            **common,
            "max_history": 5,
        },
    }
    assert DEFAULT == "loo@2"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loo", "did you mean 'loo@2'"),
        ("time@3", "did you mean 'time@2'"),
        ("zzz", "known are: loo@2, pixrec-window@2, time@2"),
        ("pixrec-window", "did you mean 'pixrec-window@2'"),
    ],
)
def test_unknown_names(name, said):
    with pytest.raises(ValueError, match=said):
        get_protocol(name)


def test_a_protocol_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_protocol("loo@2").max_history = 3


@pytest.mark.parametrize("name", ["loo", "time", "pixrec-window"])
def test_a_retired_name_says_why_and_what_to_use(name):
    with pytest.raises(UserError, match=f"{name}@1 is gone: .*public seeds.*Use {name}@2"):
        get_protocol(f"{name}@1")
    old, new = explain_protocol(f"{name}@1"), explain_protocol(f"{name}@2")
    assert new == PROTOCOLS[f"{name}@2"].explanation
    assert old.startswith(new)
    assert f"Replaced by {name}@2" in old
    assert "Replaced" not in new


def test_nothing_is_said_of_an_unknown_name():
    assert explain_protocol("mine@1") == ""
