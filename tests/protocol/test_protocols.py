"""Names of protocols, and that a name keeps its meaning."""

import dataclasses

import pytest

from mmbench.protocol import DEFAULT, PROTOCOLS, get_protocol
from mmbench.protocol.evaluate import VALIDATION


def test_names_keep_their_meaning():
    """A change here changes numbers: give the new meaning a new name instead."""
    common = {
        "cuts": (0.8, 0.9),
        "max_history": 50,
        "candidate_sets": (
            ("full", "full", 0),
            ("unseen", "unseen", 0),
            ("neg100", "sampled", 100),
        ),
        "seed": 2025,
        "cutoffs": (1, 5, 10, 20, 50),
    }

    def meaning(protocol):
        sets = tuple((one.name, one.kind, one.size) for one in protocol.candidate_sets)
        return {**dataclasses.asdict(protocol), "candidate_sets": sets}

    assert VALIDATION == "ndcg@10"
    assert {name: meaning(protocol) for name, protocol in PROTOCOLS.items()} == {
        "loo@1": {"name": "loo@1", "splitter": "loo", **common},
        "time@1": {"name": "time@1", "splitter": "time", **common},
        "pixrec-window@1": {
            "name": "pixrec-window@1",
            "splitter": "users",
            **common,
            "max_history": 5,
        },
    }
    assert DEFAULT == "loo@1"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loo", "did you mean 'loo@1'"),
        ("time@2", "did you mean 'time@1'"),
        ("zzz", "known are: loo@1, pixrec-window@1, time@1"),
        ("pixrec-window", "did you mean 'pixrec-window@1'"),
    ],
)
def test_unknown_names(name, said):
    with pytest.raises(ValueError, match=said):
        get_protocol(name)


def test_a_protocol_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_protocol("loo@1").seed = 3
