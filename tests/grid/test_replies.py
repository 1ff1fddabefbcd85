"""What a plugin's process says is data of a known shape, or refused with what came."""

import json
from dataclasses import asdict

import pytest

from mmbench.grid import replies
from mmbench.grid.replies import ReplyError, read, read_declared
from mmbench.hookspecs import Published

FAILURE = {"type": "E", "message": "no", "usage": False, "memory": False, "traceback": "t"}


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        (
            replies.Fitted,
            {"parameters": -1},
            "fit.parameters: .*greater than or equal to 0, not -1",
        ),
        (replies.Fitted, {"parameters": 10**30}, "less than or equal"),
        (replies.Fitted, {"parameters": 2.5}, "valid integer, not 2.5"),
        (replies.Fitted, {"parameters": True}, "valid integer"),
        (replies.Fitted, {"parameters": None, "seconds": 0.0}, "fit.seconds: Extra inputs"),
        (replies.Fitted, {}, "fit.parameters: Field required"),
        (replies.Point, {"event": "log", "step": 0, "values": {"a": "1"}}, "valid number"),
        (replies.Point, {"event": "log", "step": 0.5, "values": {}}, "valid integer"),
        (replies.Progress, {"event": "progress", "done": 0, "total": 1, "unit": "x" * 41}, "40"),
        (replies.Progress, {"event": "progress", "done": 0, "total": 1, "unit": "\x1b"}, "control"),
        (replies.Validate, {"event": "validate", "limit": 0}, "greater than or equal to 1"),
        (replies.Validate, {"event": "validate", "limit": [1]}, "valid integer"),
        (replies.Wall, {"event": "wall", "name": "landlock:7\nx"}, "pattern"),
        (replies.Wall, {"event": "wall", "name": "none"}, "pattern"),
        (replies.Scored, {"answer": {"scores": {"dtype": "<f4"}}}, "scores.shape: Field required"),
        (replies.Failure, {**FAILURE, "message": 1}, "fit.message: .*valid string"),
    ],
)
def test_what_is_not_of_its_shape_is_refused(kind, message, said):
    with pytest.raises(ReplyError, match=said):
        read(kind, message, "fit")


def test_a_refusal_is_short_whatever_came():
    with pytest.raises(ReplyError) as refused:
        read(replies.Point, {"event": "log", "step": "9" * 10**6, "values": {}}, "run.log")
    assert len(str(refused.value)) < 300
    with pytest.raises(ReplyError) as refused:
        read(replies.Point, {"event": "log", "step": 0, "values": {"n" * 10**6: ""}}, "run.log")
    assert len(str(refused.value)) < 300


def test_a_failure_is_cut_and_made_legible():
    long = read(replies.Failure, {**FAILURE, "message": "x" * 5000}, "failure")
    assert long.reason.startswith("E: xxx") and long.reason.endswith("(1,003 more characters)")
    odd = read(replies.Failure, {**FAILURE, "message": "\x1b[2Ja\udc80\r\nb\tc"}, "failure")
    assert odd.reason == "E: \ufffd[2Ja\ufffd\nb\tc"
    deep = read(replies.Failure, {**FAILURE, "traceback": "a" * 9 + "z" * 20_000}, "failure")
    assert deep.trace == "z" * 20_000


DECLARED = {
    "preset": "paper",
    "stand_in": "",
    "size": "",
    "config": {"k": 1},
    "unnamed": None,
    "needs": ["text"],
    "pretrained": ["org/name@commit"],
    "loss": "counting",
    "seconds": {"cell": 10, "user": 0.5},
    "max_candidates": None,
    "per_set": False,
    "processes": False,
    "papers": [],
    "presets": ["paper"],
    "known_failures": {},
    "embeds": [],
    "transfers": False,
    "fetches": False,
    "keeps": False,
    "draws": True,
    "upstream": None,
    "why": "",
}
PAPER = {
    name: getattr(Published("demo", "full", "ndcg@10", 0.1, "t", "m"), name)
    for name in Published.__slots__
}


def said(*options):
    """As it comes out of a process's channel."""
    return json.loads(json.dumps({"options": options}))


def test_what_a_class_declares_is_kept_as_it_is():
    upstream = {"field": "init", "model": "hybrid"}
    declared = {**DECLARED, "papers": [PAPER], "upstream": upstream}
    (found,) = read_declared(said(declared))
    assert said(asdict(found)) == said(declared)
    assert found.papers == (Published(**PAPER),)
    assert found.upstream.model == "hybrid"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_candidates": "101"}, "max_candidates: .*valid integer, not '101'"),
        ({"max_candidates": 0}, "max_candidates"),
        ({"per_set": 1}, "per_set: .*valid boolean, not 1"),
        ({"loss": 3}, "loss: .*valid string, not 3"),
        ({"loss": "x" * 201}, "loss: .*at most 200"),
        ({"seconds": {"hour": 1.0}}, "seconds.hour"),
        ({"seconds": {"user": -1.0}}, "seconds.user: .*greater than or equal to 0"),
        ({"seconds": {"cell": float("inf")}}, "seconds.cell: .*finite"),
        ({"pretrained": [None]}, "pretrained.0: .*valid string"),
        ({"preset": "a\x1b[31m"}, "preset: .*control characters"),
        ({"known_failures": {"check": 1}}, "known_failures.check"),
        ({"papers": [{**PAPER, "value": "good"}]}, "papers.0.value: .*valid number"),
        ({"papers": [{"value": 0.1}]}, "papers"),
        ({"papers": [PAPER] * 1001}, "papers: .*at most 1000"),
        ({"config": {"prompt": "\udc80"}}, "half a character"),
        ({"upstream": {"field": "init"}}, "upstream.model: Field required"),
        ({"other": 1}, "other: Unexpected"),
    ],
)
def test_what_a_class_declares_is_what_a_record_can_hold(change, words):
    with pytest.raises(ReplyError, match=words):
        read_declared({"options": [{**DECLARED, **change}]})


def test_several_presets_are_each_what_one_must_be():
    options = {"options": [DECLARED, {**DECLARED, "preset": "tiny", "papers": [PAPER]}]}
    assert [one.preset for one in read_declared(said(*options["options"]))] == ["paper", "tiny"]
    for bad, words in (
        ({"options": []}, "options: .*at least 1"),
        ({"options": [DECLARED] * 11}, "options: .*at most 10"),
        ({"options": [DECLARED, {**DECLARED, "loss": 3}]}, r"options\.1\.loss"),
        ({"options": [{**DECLARED, "papers": [{"value": 0.1}]}]}, "papers"),
        ({"options": [DECLARED], "preset": "paper"}, "preset: Extra inputs"),
    ):
        with pytest.raises(ReplyError, match=words):
            read_declared(bad)
