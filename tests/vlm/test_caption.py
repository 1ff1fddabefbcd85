"""Teaching the family that is put together to see."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmbench import Items, vlm
from mmbench.testing import make_images
from mmbench.vlm import caption

from .conftest import make_run

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
CONFIG = caption.CaptionConfig(epochs=6, batch_size=8, learning_rate=1e-2, word_epochs=10)


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """Ninety noisy pictures in three colours, whose names are their genres; one has no words."""
    rng = np.random.default_rng(0)
    names = [*COLOURS] * 30
    pixels = [COLOURS[name] + rng.integers(-30, 30, (56, 56, 3)) for name in names]
    pictures = [Image.fromarray(one.clip(0, 255).astype(np.uint8)) for one in pixels]
    store = make_images(tmp_path_factory.mktemp("shop") / "pictures", pictures)
    genres = ["", *(f"{name.title()}|Thing" for name in names[:-1]), ""]
    return Items(90, {"title": ("", *["x"] * 90), "genres": tuple(genres)}, store)


def load(run, backbone="tiny:effnet-smollm2"):
    config = vlm.BackboneConfig(backbone=backbone, trained="none", chat=False)
    return vlm.load_backbone(config, run, ["red, green, blue, thing"] * 9)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path, encodings=tmp_path / "encodings")


def test_captions_are_words_that_pictures_can_tell(items):
    found = caption.captions_of(items)
    assert found[1] == "red, thing" and 90 not in found and len(found) == 89
    assert caption.captions_of(items, ["title"])[3] == "x"


def test_what_is_taught_uses_its_eyes_and_is_kept(items, run, tmp_path):
    backbone, captions, folder = load(run), caption.captions_of(items), tmp_path / "taught"
    before = {name: weight.clone() for name, weight in backbone.model.named_parameters()}
    cells = caption.Cells(backbone, items, sorted(captions), run)
    blind = caption.look_at(caption.Captioner(backbone), cells, captions, list(range(1, 10)))
    sight = caption.teach(backbone, items, captions, CONFIG, run, folder)
    assert sight.sees and sight.pictures > 2 and not caption.Sight(1.0, 2.0, 1.0, 3).sees
    assert sight.own < blind.own - 0.5
    assert sight.own < sight.another - 0.5
    changed = {
        name
        for name, weight in backbone.model.named_parameters()
        if not torch.equal(weight, before[name])
    }
    assert changed and all("projector" in name for name in changed)

    own, again = backbone.model.state_dict(), load(run, str(folder)).model.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in again.items())
    assert json.loads((folder / caption.ABOUT).read_text())["sight"]["own"] == sight.own


def test_the_same_is_taught_once(items, run, tmp_path, monkeypatch):
    captions = dict(list(caption.captions_of(items).items())[:60])
    config, folder = caption.CaptionConfig(epochs=1, word_epochs=1), tmp_path / "taught"

    def teach():
        return caption.teach(load(run), items, captions, config, run, folder)

    first = teach()
    written = (folder / caption.ABOUT).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(caption, "train", lambda *_, **__: pytest.fail("it was taught again"))
        assert teach() == first
    captions[1] += ", other"
    teach()
    assert (folder / caption.ABOUT).read_bytes() != written


def test_too_few_pictures_are_refused(items, run):
    with pytest.raises(ValueError, match="1 pictures with captions are too few"):
        caption.teach(load(run), items, {1: "red"}, CONFIG, run)
