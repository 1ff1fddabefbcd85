"""A joint vector: what is read, what is pooled, and that it is read once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_trialigngr import gme

from mmbench import vlm

TOLD = ["", *(f"a thing {n}" for n in range(10)), "", ""]


@pytest.fixture
def joint(small):
    return small(embedding_backbone="tiny:qwen2-vl", embedding_pixels=28, asset_batch=4)


@pytest.fixture
def backbone(joint, make_run):
    return vlm.load_backbone(gme.embedder(joint), make_run(), texts=TOLD)


def test_the_picture_the_text_the_turns_and_the_end(backbone):
    encoded = gme.encode(backbone, "a thing", vlm.Image(3))
    written = backbone.tokenizer.decode(encoded.ids)
    assert written == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "<|vision_start|><|image_pad|><|vision_end|>a thing<|im_end|>\n"
        "<|im_start|>assistant\n<|endoftext|>"
    )
    assert encoded.positions.shape == (3, len(encoded)) and not encoded.answer.any()
    assert (np.diff(encoded.positions[0]) >= 0).all()
    assert encoded.positions[0, -1] == encoded.positions[0, -2] + 1
    assert "vision" not in backbone.tokenizer.decode(gme.encode(backbone, "a thing", None).ids)


def test_vectors_are_the_last_token_s_at_length_one(joint, items, make_run, backbone):
    found = gme.embed_jointly(joint, items, TOLD, make_run())
    assert found.shape == (13, backbone.dim) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[1:12], axis=1), 1, atol=1e-5)
    assert not found[0].any() and not found[12].any()  # neither words nor a picture
    assert found[11].any()  # a picture alone
    pictures = vlm.Pictures(backbone, items.images)
    one = gme.encode(backbone, TOLD[3], vlm.Image(3))
    with torch.inference_mode():
        state = backbone(backbone.batch([one], pictures, still=True))[0, -1].numpy()
    np.testing.assert_allclose(found[3], state / np.linalg.norm(state), atol=1e-5)


def test_pictures_are_shown_where_ids_are_made_of_them(joint, items, make_run):
    run = make_run()
    seen = gme.embed_jointly(joint, items, TOLD, run)
    blind = gme.embed_jointly(replace(joint, content=("title",)), items, TOLD, run)
    assert np.abs(seen[1:11] - blind[1:11]).max() > 1e-3
    assert not blind[11].any()


def test_what_was_read_is_not_read_again(joint, items, make_run, monkeypatch):
    run = make_run()
    one = gme.embed_jointly(joint, items, TOLD, run)
    monkeypatch.setattr(vlm, "load_backbone", None)
    np.testing.assert_array_equal(gme.embed_jointly(joint, items, TOLD, run), one)
