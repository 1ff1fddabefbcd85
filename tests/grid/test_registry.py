"""Names, references and settings."""

import pytest

from mmbench.grid import registry
from mmbench.grid.registry import ModelRef, Plugin, UsageError, parse_ref, split_list


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pop", ModelRef("pop")),
        ("recbole:NeuMF", ModelRef("recbole", family="NeuMF")),
        ("vlm2rec/sft-ext", ModelRef("vlm2rec", variant="sft-ext")),
        (
            "sasrec-ce/big[init=vlm2rec,dim=32]",
            ModelRef("sasrec-ce", None, "big", (("init", "vlm2rec"), ("dim", "32"))),
        ),
    ],
)
def test_references_are_parsed(text, expected):
    assert parse_ref(text) == expected


@pytest.mark.parametrize("text", ["", "a b", "pop[", "pop[dim]", "a/b/c/d"])
def test_a_bad_reference_says_how_to_write_one(text):
    with pytest.raises(UsageError, match=r"[Ww]rite"):
        parse_ref(text)


def test_lists_split_outside_brackets():
    assert split_list("a[x=1,y=2], b ,,c") == ["a[x=1,y=2]", "b", "c"]
    assert split_list('s={"x":[1,2],"y":{"z":3}},e=1') == ['s={"x":[1,2],"y":{"z":3}}', "e=1"]


def test_an_unknown_name_answers_did_you_mean(monkeypatch):
    known = [Plugin("sasrec", "m:S", "d", "1"), Plugin("pop", "m:P", "d", "1")]
    monkeypatch.setattr(registry, "list_plugins", lambda group: known)
    with pytest.raises(UsageError, match="Did you mean sasrec"):
        registry.find_plugin("sasrek")


def test_a_clash_names_both_packages(monkeypatch):
    known = [Plugin("pop", "a:P", "first-pack", "1"), Plugin("pop", "b:P", "second-pack", "1")]
    monkeypatch.setattr(registry, "list_plugins", lambda group: known)
    with pytest.raises(UsageError, match=r"first-pack .* and second-pack"):
        registry.find_plugin("pop")
