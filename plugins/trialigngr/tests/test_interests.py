"""Interests: what is read of answers, good and bad; the second attempt; what stands in."""

import json
from types import SimpleNamespace

import mmbench_trialigngr.interests as interests
import pytest

from mmbench import vlm


@pytest.mark.parametrize(
    ("answer", "tags"),
    [
        ('A cook may want it.\n["home cook", "slow food"]', ("home cook", "slow food")),
        ('["first", "guess"] or rather\n```json\n["a", "b", "c"]\n```', ("a", "b", "c")),
        ('["a", "b", "c", "d", "e", "f"]', ("a", "b", "c", "d")),
        ('["twice", "twice", " spaced  out "]', ("twice", "spaced out")),
        ('["only one"]', ("only one",)),
        ("['single', 'quotes']", ()),
        ('["never", "closed"', ()),
        ("[1, 2]", ()),
        ('["text", 3]', ()),
        ("[]", ()),
        ("No list at all.", ()),
        ("", ()),
        ('["fine", "tags"] and [broken', ("fine", "tags")),
        ('["fine", "tags"] and [1]', ("fine", "tags")),
    ],
)
def test_the_last_list_of_texts_is_read(answer, tags):
    assert interests.read_tags(answer) == tags


@pytest.fixture
def asked(small, items, make_run, monkeypatch):
    """``asked(answers)``: tags of items 1, 2, ... when the model answers so, attempt by attempt."""
    calls = []

    def ask(answers, keep=None):
        def generate(backbone, prompts, *, seeds, temperature, **options):
            calls.append((temperature, len(prompts)))
            found = []
            for prompt in prompts:
                (item,) = [n for n in answers if f"about {n}\n" in prompt.parts[0]]
                text = answers[item][0 if temperature == 0 else 1]
                found.append([SimpleNamespace(text=text)])
            return found

        monkeypatch.setattr(vlm, "generate", generate)
        monkeypatch.setattr(vlm, "load_backbone", lambda *args, **options: None)
        config = small(interest_backbone="tiny:qwen2.5")
        told = ["", *(f"about {n}" if n in answers else "" for n in range(1, 13))]
        categories = [(), *(("plants", "trees") if n % 2 else () for n in range(12))]
        run = keep or make_run()
        ask.run = run
        return interests.mine(config, items, told, categories, run, range(1, 13))

    ask.calls = calls
    return ask


def test_an_answer_is_asked_for_twice_and_then_categories_stand_in(asked):
    mined = asked(
        {
            1: ('thinking... ["x", "y"]', "unused"),
            2: ("nothing here", '["second", "attempt"]'),
            4: ('["one"]', "still nothing"),
            5: ("nothing", '["one"]'),
        }
    )
    assert mined.tags[1] == ("x", "y")
    assert mined.tags[2] == ("second", "attempt")
    assert mined.tags[4] == ("plants", "trees")  # the categories of the item
    assert mined.tags[5] == ()  # which this one has not
    assert (mined.first, mined.second, mined.fallen) == (1, 1, 2)
    assert asked.calls == [(0.0, 4), (0.7, 3)]


def test_what_was_written_is_kept_raw_and_not_asked_for_again(asked):
    answers = {1: ('I think ["x", "y"]', ""), 2: ("no", 'again ["u", "v"]')}
    one = asked(answers)
    calls = list(asked.calls)
    assert asked(answers, keep=asked.run) == one
    assert asked.calls == calls
    (path,) = asked.run.encodings.glob("*/texts/*.json")
    written = json.loads(json.loads(path.read_text())["texts"]).values()
    assert {tuple(json.loads(text)) for text in written} == {
        ('I think ["x", "y"]',),
        ("no", 'again ["u", "v"]'),
    }
    about = json.loads((path.parent.parent / "about.json").read_text())
    assert "step by step" in about["prompt"] and about["retry"] == 0.7


def test_a_reader_sees_the_thoughts(small, items, make_run):
    shown = {}
    run = make_run(example=lambda title, /, **texts: shown.update({title: texts}))
    config = small(interest_backbone="tiny:qwen2.5", interest_tokens=3)
    interests.mine(config, items, ["", *(["birch"] * 12)], [()] * 13, run, [2, 3])
    assert shown["how interests were mined"]["prompt"] == interests.PROMPT
    assert set(shown["what was thought of item 2"]) == {"attempt 1", "attempt 2"}


def test_a_tiny_model_writes_something_and_falls_back(small, items, make_run):
    config = small(interest_backbone="tiny:qwen2.5", interest_tokens=3)
    told = ["", *(["amber birch"] * 12)]
    mined = interests.mine(config, items, told, [()] + [("a", "b")] * 12, make_run(), [1, 2])
    assert mined.fallen == 2 and mined.tags[1] == ("a", "b")


def test_stand_ins_are_words_of_the_item(small, items, make_run):
    told = ["", "red tent. red half on white", *([""] * 11)]
    mined = interests.mine(small(), items, told, [()] * 13, make_run(), range(1, 13))
    assert mined.tags[1] == ("red", "tent", "half", "white")
    assert mined.tags[2] == ()
