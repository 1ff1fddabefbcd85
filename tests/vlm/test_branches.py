"""How prompts and their continuations are read: what is read once, what memory holds, masks."""

import numpy as np
import pytest
import torch

from mmbench import vlm
from mmbench.vlm import beams, branches, openings
from mmbench.vlm.generation import CACHE

from .test_beams import ASKED, NEAR, toy
from .test_generation import prompts


def test_a_prompt_is_read_once_and_each_beginning_once(shared, monkeypatch):
    backbone, trie = shared("qwen2.5"), vlm.Trie(toy())
    sizes = []
    run_language = vlm.Backbone.run_language

    def counting(self, batch, **options):
        sizes.append((*batch.ids.shape, CACHE in options))
        return run_language(self, batch, **options)

    monkeypatch.setattr(vlm.Backbone, "run_language", counting)
    vlm.beam_search(backbone, ASKED, trie, beams=12)
    width = max(len(backbone.encode(prompt)) for prompt in ASKED)
    opening = len(backbone.encode_text(backbone.family.chat.opening))
    read = [(1, opening, False), (3, width - opening, True)]
    assert sizes == [*read, (3, 8, True), (3, 12, True)]
    sizes.clear()
    vlm.exact_scores(backbone, ASKED, trie, chunk=200)
    assert sizes == [*read, (3, 8, True), (3, trie.widths[1], True)]


def test_few_logits_stand_in_memory_at_a_time(shared, monkeypatch):
    backbone, trie = shared("qwen2.5"), vlm.Trie(toy())
    whole = vlm.exact_scores(backbone, ASKED, trie)
    rows = []
    logits = vlm.Backbone.logits
    vocabulary = backbone.model.config.get_text_config().vocab_size

    def counting(self, hidden):
        found = logits(self, hidden)
        assert found.shape == (len(hidden), vocabulary)
        rows.append(len(hidden))
        return found

    monkeypatch.setattr(vlm.Backbone, "logits", counting)
    monkeypatch.setattr(branches, "LOGITS_BYTES", 4 * vocabulary * 7)
    assert np.abs(vlm.exact_scores(backbone, ASKED, trie) - whole).max() < NEAR
    assert max(rows) == 7 and sum(rows) == 3 * (1 + sum(trie.widths[:-1]))


@pytest.mark.parametrize("attention", ["eager", "flash_attention_2"])
def test_every_attention_can_be_made_to_see_a_tree(attention, fresh, monkeypatch):
    """Flash attention takes no such mask; here it stands in the config as soon as prompts are read.

    No flash attention runs: it needs a GPU.
    """
    backbone, trie = fresh("qwen2-vl", trained="none"), vlm.Trie(toy())
    expected = vlm.exact_scores(backbone, ASKED, trie)
    config = backbone.model.config.get_text_config()
    if attention == "eager":
        config._attn_implementation = attention
    else:

        def then_flash(*given):
            config._attn_implementation = "sdpa"
            read = openings.read_prompts(*given)
            config._attn_implementation = attention
            return read

        monkeypatch.setattr(beams, "read_prompts", then_flash)
    rated = vlm.exact_scores(backbone, ASKED, trie)
    assert np.abs(rated - expected).max() < NEAR
    assert config._attn_implementation == attention


def test_attention_that_slides_is_refused_where_it_would_lose_the_beginning(fresh):
    backbone, trie = fresh("paligemma2", trained="none"), vlm.Trie(toy(30))
    vlm.beam_search(backbone, ASKED, trie, beams=5)
    backbone.model.config.get_text_config().sliding_window = 20
    with pytest.raises(ValueError, match="attends to the last 20 tokens"):
        vlm.beam_search(backbone, ASKED, trie, beams=5)


def test_an_opening_ends_where_prompts_part_or_a_picture_comes(shared, store):
    backbone = shared("qwen2.5-vl")
    pictures = vlm.Pictures(backbone, store)

    def opening(*asked, of=backbone):
        return openings.shared_opening(of, [of.encode(prompt) for prompt in asked])

    chat = len(backbone.encode_text(backbone.family.chat.opening))
    one, other = ASKED[0], vlm.Prompt(["Red Lipstick"])
    assert opening(one) == 0
    assert opening(one, ASKED[1]) == chat
    assert opening(one, one) == len(backbone.encode(one)) - 1
    assert chat < opening(one, other) < len(backbone.encode(one))
    seen = prompts(pictures, (1, 2), (1, 3))  # the same title and picture, then others
    frame = int(np.argmax(backbone.encode(seen[0]).pictured))
    assert opening(*seen) == frame > chat
    assert opening(one, other, of=shared("paligemma2")) == 0
    config = backbone.model.config.get_text_config()
    usual, config._attn_implementation = config._attn_implementation, "flash_attention_2"
    found = opening(one, other)
    config._attn_implementation = usual
    assert found == 0


def test_an_opening_changes_no_state(shared, store, monkeypatch):
    backbone = shared("qwen2-vl")
    pictures = vlm.Pictures(backbone, store)
    asked = [backbone.encode(one) for one in prompts(pictures, (1, 2), (1, 3), (1,))]
    with torch.inference_mode():
        opened = openings.read_prompts(backbone, asked, pictures)
        monkeypatch.setattr(openings, "shared_opening", lambda *_: 0)
        whole = openings.read_prompts(backbone, asked, pictures)
    assert torch.allclose(opened.states, whole.states, atol=1e-5)
    assert (opened.positions == whole.positions).all()
    assert (opened.attended.sum(1) == whole.attended.sum(1)).all()
