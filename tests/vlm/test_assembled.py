"""The family that is put together from an EfficientNet and SmolLM2."""

import numpy as np
import pytest
import torch

from mmbench import vlm
from mmbench.toolkit.efficientnet import to_pixels
from mmbench.vlm.pictures import square

from .conftest import TITLES

NAME = "effnet-smollm2"


def test_the_tower_sees_pixels_as_it_was_trained_on_them(shared, store):
    backbone = shared(NAME)
    pictures = [square(store.open(item), backbone.image_size) for item in (1, 2)]
    ours = backbone.family.vision.pixels(backbone.processor, pictures)
    assert torch.allclose(ours, to_pixels(pictures, backbone.image_size), atol=1e-5)


@pytest.mark.parametrize(("size", "tokens"), [(56, 4), (84, 9), (224, 64)])
def test_a_token_is_the_mean_over_its_cell(fresh, store, size, tokens):
    """The tower rounds a grid's side up, the cells' number is the side over 28, rounded."""
    backbone = fresh(NAME, image_size=size)
    assert backbone.image_tokens == tokens
    pixels = to_pixels([square(store.open(1), size)], size)
    cells = backbone.model.model.cells(pixels)
    assert cells.shape == (1, tokens, 1280)
    grid = backbone.model.model.tower.grid(pixels)
    if size == 56:
        assert torch.allclose(cells[0], grid[0].flatten(1).T, atol=1e-6)
    assert backbone.look(pixels).shape == (1, tokens, backbone.dim)


def test_ids_and_pixels_give_what_embeddings_give(shared, store):
    """The model as transformers calls it, and as the toolkit does."""
    backbone = shared(NAME)
    prompt = backbone.encode(vlm.Prompt(["Red ", vlm.Image(1), " and ", vlm.Image(2)]))
    batch = backbone.batch([prompt], vlm.Pictures(backbone, store))
    squares = [square(store.open(item), backbone.image_size) for item in (1, 2)]
    pixels = to_pixels(squares, backbone.image_size)
    with torch.no_grad():
        theirs = backbone.model(input_ids=batch.ids, pixel_values=pixels)
        ours = backbone.logits(backbone(batch))
    assert torch.allclose(ours, theirs.logits, atol=1e-4)


def test_a_pictures_vectors_have_a_words_size(shared, store):
    backbone = shared(NAME)
    projector = backbone.model.model.projector
    found = backbone.look(to_pixels([square(store.open(1), 56)], 56))
    size = found.pow(2).mean(-1).sqrt()
    assert torch.allclose(size, projector.scale.expand_as(size), rtol=1e-2)


def test_training_all_counts_no_batch_in_the_towers_norms(fresh, store):
    """Statistics are no weights: nobody would bring them back with the best epoch."""
    backbone = fresh(NAME, trained="all")
    tower = backbone.model.model.tower
    before = {name: value.clone() for name, value in tower.named_buffers()}
    backbone.train()
    pictures = vlm.Pictures(backbone, store)
    batch = backbone.batch([backbone.encode(vlm.Prompt([TITLES[1], vlm.Image(1)]))], pictures)
    backbone(batch).sum().backward()
    assert all((value == before[name]).all() for name, value in tower.named_buffers())
    assert np.isfinite(float(tower._conv_stem.weight.grad.abs().sum()))
    assert float(backbone.model.model.projector.within.weight.grad.abs().sum()) > 0
