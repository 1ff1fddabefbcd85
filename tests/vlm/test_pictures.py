"""What the tower saw is kept, by content; what it sees matters."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from mmbench import ImageStore, vlm
from mmbench.testing import make_images
from mmbench.vlm import pictures as module
from mmbench.vlm.pictures import square

from .conftest import SEEING, TITLES, shown


@pytest.fixture
def glances(monkeypatch):
    """How many pictures went through a tower, call by call."""
    seen = []
    look = vlm.Backbone.look

    def counting(self, pixels):
        seen.append(len(pixels))
        return look(self, pixels)

    monkeypatch.setattr(vlm.Backbone, "look", counting)
    return seen


@pytest.mark.parametrize("name", SEEING)
def test_kept_features_give_the_states_that_the_tower_gives(name, run, store, glances):
    config = vlm.BackboneConfig(backbone=f"tiny:{name}", trained="none")
    still = vlm.load_backbone(config, run, TITLES)
    moving = vlm.load_backbone(replace(config, trained="all"), run, TITLES)
    kept, opened = vlm.Pictures(still, store), vlm.Pictures(moving, store)
    assert kept.seen and not opened.seen
    assert glances == [6]  # seven items, two of them with the same picture
    prompts = [vlm.Prompt(shown(kept, *items)) for items in [(1, 2, 1), (7, 3)]]
    fast = vlm.embed(still, prompts, kept)
    assert glances == [6]
    slow = vlm.embed(moving, prompts, opened)
    assert glances[1:] == [3]  # items 1, 2 and 3, each once; 7 has the picture of 1
    assert np.abs(fast - slow).max() < 1e-5


@pytest.mark.parametrize("name", SEEING)
def test_a_picture_changes_the_embedding(name, shared, store):
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    prompts = [vlm.Prompt(["a ", vlm.Image(item), " b"]) for item in (1, 2, 7)]
    first, other, same = vlm.embed(backbone, prompts, pictures)
    assert np.abs(first - other).max() > 1e-4
    assert np.abs(first - same).max() < 1e-5  # another item with the same picture


def test_features_are_kept_on_the_disk_by_content_and_weights(run, store, glances, tmp_path):
    config = vlm.BackboneConfig(backbone="tiny:smolvlm", trained="none")
    folder = tmp_path / "encodings"
    backbone = vlm.load_backbone(config, run, TITLES)
    first = vlm.Pictures(backbone, store, folder).take([1, 2])
    assert glances == [6]
    again = vlm.Pictures(vlm.load_backbone(config, run, TITLES), store, folder).take([1, 2])
    assert glances == [6]
    assert torch.equal(first, again)
    learner = vlm.load_backbone(replace(config, trained="language", chat=False), run, TITLES)
    with torch.no_grad():
        learner.model.get_output_embeddings().weight.add_(1)
    vlm.Pictures(learner, store, folder)
    assert glances == [6]  # the same eyes, whatever else is trained
    other = vlm.load_backbone(config, replace(run, seed=4), TITLES)
    vlm.Pictures(other, store, folder)
    assert glances == [6, 6]  # other weights


def test_features_on_the_disk_have_the_precision_of_the_arithmetic(run, store, tmp_path):
    config = vlm.BackboneConfig(backbone="tiny:smolvlm", trained="none", precision="bfloat16")
    backbone = vlm.load_backbone(config, run, TITLES)
    features = vlm.Pictures(backbone, store, tmp_path / "encodings").take([1, 2])
    assert features.dtype == torch.bfloat16
    (path,) = (tmp_path / "encodings").rglob("*.safetensors")
    stored = load_file(path)
    assert {matrix.dtype for matrix in stored.values()} == {torch.bfloat16}
    assert len(stored) == 6


def test_much_is_said_before_it_is_taken_and_too_much_is_not_taken(
    shared, store, monkeypatch, tmp_path, caplog
):
    backbone = shared("smolvlm")
    size = 6 * backbone.image_tokens * backbone.dim * 4
    monkeypatch.setattr(module, "MUCH", size - 1)
    with caplog.at_level("WARNING", "mmbench.vlm.pictures"):
        vlm.Pictures(backbone, store, tmp_path)
    assert "the features of 6 pictures" in caplog.text and "much of the disk" in caplog.text
    free = SimpleNamespace(available=size - 1)
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryError, match="GB are free: set a smaller image_size"):
        vlm.Pictures(backbone, store)


def test_absent_pictures_are_left_out(run, tmp_path, store):
    holes = make_images(tmp_path / "pictures", [store.open(1), None, None, store.open(2)])
    for trained in ("none", "all"):
        backbone = vlm.load_backbone(
            vlm.BackboneConfig(backbone="tiny:smolvlm", trained=trained), run, TITLES
        )
        pictures = vlm.Pictures(backbone, holes)
        assert [item in pictures for item in range(1, 5)] == [True, False, False, True]
        assert len(pictures.take([1, 4])) == 2
        with pytest.raises(ValueError, match="shows item 2, which has no picture"):
            pictures.take([1, 2])
        with pytest.raises(ValueError, match="shows item 2, which has no picture"):
            pictures.features([1, 2])


def test_a_reader_and_a_dataset_without_pictures_have_none(shared, store):
    assert 1 not in vlm.Pictures(shared("qwen2.5"), store)
    assert 1 not in vlm.Pictures(shared("smolvlm"), None)


def test_pictures_keep_their_shape_on_a_white_square():
    wide = square(Image.new("RGB", (40, 20), (255, 0, 0)), 28)
    assert wide.size == (28, 28)
    assert wide.getpixel((14, 14)) == (255, 0, 0)
    assert wide.getpixel((14, 2)) == (255, 255, 255)


def test_the_pictures_size_is_chosen_where_the_family_leaves_a_choice(fresh):
    assert fresh("qwen2.5-vl", image_size=84).image_tokens == 9
    assert fresh("qwen2.5-vl").image_tokens == 4
    with pytest.raises(ValueError, match="a miniature takes multiples of 28"):
        fresh("smolvlm", image_size=30)


def test_a_fixed_size_is_not_changed(fresh, run, tmp_path):
    fresh("paligemma2").save(tmp_path / "kept")
    config = vlm.BackboneConfig(backbone=str(tmp_path / "kept"), lora_rank=4, image_size=84)
    with pytest.raises(ValueError, match="takes 56 and no other"):
        vlm.load_backbone(config, run)


def test_a_trained_towers_pictures_are_opened_once(fresh, store, monkeypatch):
    pictures = vlm.Pictures(fresh("smolvlm", trained="all"), store)
    assert not pictures.seen
    first = pictures.take([1, 2])
    opened, open_picture = [], ImageStore.open
    monkeypatch.setattr(
        ImageStore, "open", lambda self, item: opened.append(item) or open_picture(self, item)
    )
    assert torch.equal(pictures.take([2, 1]), first.flip(0))
    assert not opened
    pictures.take([3])
    assert set(opened) == {3}


def test_a_trained_tower_sees_a_picture_again_only_after_a_step(fresh, store, glances):
    backbone = fresh("smolvlm", trained="all")
    pictures = vlm.Pictures(backbone, store)
    first = pictures.features([1, 2, 7, 1])
    assert glances == [2]
    assert torch.equal(first[0], first[2]) and torch.equal(first[0], first[3])
    assert torch.equal(first[:2], backbone.look(pictures.take([1, 2])))
    assert not first.requires_grad
    assert torch.equal(pictures.features([2, 3])[0], first[1])
    assert glances == [2, 2, 1]  # the second is the test's own
    batch = backbone.batch([backbone.encode(vlm.Prompt(["a ", vlm.Image(1)]))], pictures)
    assert not batch.seen  # pixels: a step of training is to come
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=0.1)
    backbone(batch).sum().backward()
    optimizer.step()
    later = pictures.features([1, 2])
    assert glances[-1] == 2
    assert (later - first[:2]).abs().max() > 1e-3
    assert torch.equal(later, backbone.look(pictures.take([1, 2])))


def test_features_of_a_trained_tower_have_a_limit(fresh, store, glances, monkeypatch):
    pictures = vlm.Pictures(fresh("smolvlm", trained="all"), store)
    one = pictures.features([1]).nbytes
    monkeypatch.setattr("mmbench.vlm.pictures.KEPT_BYTES", 2 * one)
    assert len(pictures.features([2, 3, 4])) == 3  # a batch has what it needs
    pictures.features([3, 4])
    assert glances == [1, 3]
    pictures.features([1])
    assert glances == [1, 3, 1]  # it had made room
