"""Embeddings that are kept, and how the backbone is left."""

import numpy as np
import pytest

from mmbench import vlm

from .conftest import TITLES, shown


@pytest.fixture
def read(monkeypatch):
    """How many prompts were read, pass by pass."""
    sizes = []
    forward = vlm.Backbone.forward

    def counting(self, batch):
        sizes.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(vlm.Backbone, "forward", counting)
    return sizes


def test_kept_vectors_belong_to_prompt_pictures_pooling_and_weights(fresh, store, read, tmp_path):
    backbone = fresh("smolvlm")
    pictures = vlm.Pictures(backbone, store)

    def embed(items, **options):
        prompts = [vlm.Prompt([vlm.Span("x", *shown(pictures, item)), "!"]) for item in items]
        return vlm.embed(backbone, prompts, pictures, folder=tmp_path, **options)

    first = embed([1, 2, 3, 7])
    assert sum(read) == 3  # 7 has the title and the picture of 1
    assert (first[0] == first[3]).all() and not (first[0] == first[1]).all()
    assert (embed([2, 1]) == first[[1, 0]]).all()
    assert sum(read) == 3
    assert (
        np.abs(
            vlm.embed(backbone, [vlm.Prompt([vlm.Span("x", *shown(pictures, 2)), "!"])], pictures)
            - first[1]
        ).max()
        < 1e-5
    )
    read.clear()
    assert np.abs(embed([1], pool="x") - first[0]).max() > 1e-3
    assert sum(read) == 1
    for weight in backbone.parameters():
        if weight.requires_grad:
            weight.data += 0.1
    assert np.abs(embed([1]) - first[0]).max() > 1e-3
    assert sum(read) == 2
    without = vlm.embed(backbone, [vlm.Prompt([f"{TITLES[1]} !"])], folder=tmp_path)
    assert sum(read) == 3 and not np.allclose(without, first[0])


@pytest.mark.parametrize("pool", [None, "x", lambda hidden, batch: hidden[:, -1, :3]])
def test_what_is_said_and_shown_alike_is_read_once(fresh, store, read, pool):
    backbone = fresh("smolvlm")
    pictures = vlm.Pictures(backbone, store)
    items = [1, 3, 7, 2, 1, 7, 3]  # 7 has the title and the picture of 1
    prompts = [vlm.Prompt([vlm.Span("x", *shown(pictures, item)), "!"]) for item in items]
    found = vlm.embed(backbone, prompts, pictures, pool=pool, batch_size=2)
    assert sum(read) == 3
    assert (found == found[[0, 1, 0, 3, 0, 0, 1]]).all()
    alone = [vlm.embed(backbone, [prompt], pictures, pool=pool)[0] for prompt in prompts]
    np.testing.assert_allclose(found, alone, atol=1e-5)
    unseen = vlm.Prompt([vlm.Span("x", TITLES[1]), "!"])
    without, beside = vlm.embed(backbone, [unseen, prompts[0]], pictures, pool=pool)
    assert np.abs(without - beside).max() > 1e-4


def test_a_pooling_without_a_name_is_not_kept(shared, tmp_path):
    with pytest.raises(ValueError, match="a pooling with a name"):
        vlm.embed(shared("qwen2.5"), [], pool=lambda hidden, batch: hidden[:, 0], folder=tmp_path)


def test_own_poolings_may_have_a_width_of_their_own(shared):
    found = vlm.embed(
        shared("qwen2.5"),
        [vlm.Prompt(["a"]), vlm.Prompt(["b c d"])],
        pool=lambda hidden, batch: hidden[:, -1, :3],
    )
    assert found.shape == (2, 3) and found.dtype == np.float32
    assert vlm.embed(shared("qwen2.5"), []).shape == (0, 64)


def test_the_mode_is_left_as_it_was(fresh):
    backbone = fresh("smollm2", lora_dropout=0.9)
    prompts = [vlm.Prompt(["a"])]
    still = vlm.embed(backbone, prompts)
    backbone.train()
    assert (vlm.embed(backbone, prompts) == still).all()  # nothing drops out meanwhile
    assert backbone.training


def test_progress_is_told(shared):
    told = []
    vlm.embed(
        shared("qwen2.5"),
        [vlm.Prompt([letter]) for letter in "abcde"],
        batch_size=2,
        progress=lambda *state: told.append(state),
    )
    assert told == [(2, 5, "prompts"), (4, 5, "prompts"), (5, 5, "prompts")]
