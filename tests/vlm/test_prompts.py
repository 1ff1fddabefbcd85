"""How prompts become tokens, positions and marks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench import vlm
from mmbench.vlm.families import FAMILIES
from mmbench.vlm.prompts import Writer

from .conftest import SEEING


def writer(name: str, side: int = 2, chat: bool = True) -> Writer:
    """A writer whose tokens are characters, special tokens written by us excepted."""
    vision = FAMILIES[name].vision

    def tokenise(text, ours):
        if ours and vision is not None and text == vision.token:
            return [-1]
        return [ord(letter) for letter in text]

    return Writer(FAMILIES[name], tokenise, side, chat)


def written(encoded) -> str:
    return "".join("#" if token == -1 else chr(token) for token in encoded.ids)


def marked(encoded, mask) -> str:
    return "".join(
        "#" if token == -1 else chr(token) for token in encoded.ids[np.flatnonzero(mask)]
    )


def test_spans_mark_exactly_what_they_hold():
    prompt = vlm.Prompt(
        [vlm.Span("history", "one ", vlm.Span("item", "two"), " three"), "?"], answer=["four"]
    )
    encoded = writer("smolvlm").encode(prompt)
    assert marked(encoded, encoded.spans["history"]) == "one two three"
    assert marked(encoded, encoded.spans["item"]) == "two"
    assert marked(encoded, encoded.answer) == " four<end_of_utterance>"
    assert written(encoded).startswith("<|im_start|>User: one two three?<end_of_utterance>")


def test_a_picture_belongs_to_its_span_with_its_frame():
    encoded = writer("qwen2-vl", chat=False).encode(vlm.Prompt([vlm.Span("x", vlm.Image(5)), "a"]))
    assert marked(encoded, encoded.spans["x"]) == "<|vision_start|>####<|vision_end|>"
    assert marked(encoded, encoded.pictured) == "####"
    assert encoded.images == (5,)


def test_paligemma_sees_pictures_first_but_those_of_the_answer_in_place():
    prompt = vlm.Prompt(["ab", vlm.Image(1), "c", vlm.Image(2)], answer=["d", vlm.Image(3)])
    encoded = writer("paligemma2", side=1).encode(prompt)
    assert written(encoded) == "##<bos>abc\nd#<eos>"
    assert encoded.images == (1, 2, 3)
    assert encoded.positions[0] == 1


def test_positions_of_pictures_are_rows_and_columns():
    encoded = writer("qwen2.5-vl", chat=False).encode(vlm.Prompt(["a", vlm.Image(1), "bc"]))
    start = 1 + len("<|vision_start|>")
    picture = encoded.positions[:, encoded.pictured]
    assert (picture - start).tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]]
    after = encoded.positions[:, start + 4 :]
    assert (after == after[0]).all()
    assert after[0, 0] == start + 2  # the highest of the picture's, and one more


@pytest.mark.parametrize("name", SEEING)
def test_titles_cannot_speak_as_the_format(name, shared):
    backbone = shared(name)
    family = FAMILIES[name]
    title = f"a {family.vision.token} b {family.chat.closing} c"
    encoded = backbone.encode(vlm.Prompt([title]))
    plain = backbone.encode(vlm.Prompt(["a"]))
    special = set(backbone.tokenizer.all_special_ids)
    assert not encoded.pictured.any()
    assert [token for token in encoded.ids if token in special] == [
        token for token in plain.ids if token in special
    ]
    assert title in backbone.tokenizer.decode(encoded.ids)


def test_texts_that_meet_are_read_as_one(shared):
    backbone = shared("qwen2.5")
    whole = backbone.encode(vlm.Prompt(["Red Lipstick Matte"]))
    parts = backbone.encode(vlm.Prompt(["Red Lip", "stick Matte"]))
    apart = backbone.encode(vlm.Prompt(["Red Lip", vlm.Span("x", "stick Matte")]))
    assert parts.ids.tolist() == whole.ids.tolist()
    assert apart.ids.tolist() != whole.ids.tolist()
    assert backbone.tokenizer.decode(apart.ids[apart.spans["x"]]) == "stick Matte"


def test_a_reader_refuses_pictures(shared):
    with pytest.raises(ValueError, match=r"qwen2\.5 sees no pictures, and the prompt .* 4's"):
        shared("qwen2.5").encode(vlm.Prompt(["a", vlm.Image(4)]))


def test_a_prompt_that_is_too_long_is_refused_before_it_is_read(shared):
    with pytest.raises(ValueError, match="reads 8192: show fewer items"):
        shared("smollm2").encode(vlm.Prompt(["9 " * 9000]))


def test_cut_keeps_the_first_tokens(shared):
    backbone = shared("smollm2")
    text = "Red Lipstick Matte, Red Lipstick Matte"
    kept = backbone.cut(text, 3)
    assert text.startswith(kept) and kept != text
    assert backbone.cut(text, 1000) == text
    assert len(backbone.tokenizer(kept)["input_ids"]) == 3


parts = st.recursive(
    st.text("ab", max_size=3) | st.builds(vlm.Image, st.integers(1, 9)),
    lambda inner: st.builds(
        lambda name, some: vlm.Span(name, *some), st.sampled_from("xy"), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SEEING),
    st.lists(parts, max_size=4),
    st.none() | st.lists(parts, max_size=2),
    st.integers(1, 3),
    st.booleans(),
)
def test_tokens_positions_and_marks_go_together(name, question, answer, side, chat):
    encoded = writer(name, side, chat).encode(vlm.Prompt(question, answer))
    n = len(encoded)
    assert encoded.positions.shape[-1] == n
    assert all(mask.shape == (n,) for mask in (encoded.answer, encoded.pictured))
    assert all(mask.shape == (n,) for mask in encoded.spans.values())
    assert encoded.pictured.sum() == side**2 * len(encoded.images)
    assert ((encoded.ids == -1) == encoded.pictured).all()
    assert encoded.answer.any() == (answer is not None)
    flags = np.diff(encoded.answer.astype(int))
    assert (flags >= 0).all()  # the answer is the end of the prompt
