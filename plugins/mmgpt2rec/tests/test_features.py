"""The frozen features: words, a small ResNet, and the weights that packages ship."""

import numpy as np
import pytest
import torch
import transformers
from mmbench_mmgpt2rec import features
from mmbench_mmgpt2rec.configs import PRESETS
from mmbench_mmgpt2rec.models import MMGPT2Rec

from mmbench import Items
from mmbench.toolkit import encodings, weights


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A folder with a small ResNet and its image processor."""
    folder = tmp_path_factory.mktemp("resnet")
    torch.manual_seed(0)
    transformers.ResNetModel(
        transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic"
        )
    ).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def test_words_are_those_of_the_catalogue_that_was_fitted_on():
    encode = features.learn_words(["", "red hat", "blue hat", "blue scarf"])
    rows = encode(["red hat", "blue scarf", "green boot", ""])
    assert rows.dtype == np.float32
    assert rows[0] @ rows[0] > 0.5
    assert abs(rows[0] @ rows[1]) < 1e-5  # no word in common
    assert not rows[2:].any()


def test_pooled_features_of_a_resnet(resnet, items, make_run, small):
    """Each as the network alone answers it, kept, and zeros for the item without a picture."""
    run = make_run()
    config = small(image_encoder=str(resnet), encoder_batch_size=3)
    found = features.image_encoder(config, run)(items)
    assert found.vectors.shape == (16, 12)
    assert found.known.tolist() == [True] * 15 + [False]
    assert not found.vectors[15].any()
    model = transformers.ResNetModel.from_pretrained(resnet).eval()
    processor = transformers.ViTImageProcessor.from_pretrained(resnet)
    for item in (1, 6, 15):
        pixels = processor(images=items.images.open(item), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            expected = model(pixel_values=pixels).pooler_output[0, :, 0, 0]
        np.testing.assert_allclose(found.vectors[item - 1], expected, atol=1e-4)


def test_pictures_are_encoded_once(resnet, items, make_run, small, monkeypatch):
    run = make_run()
    config = small(image_encoder=str(resnet))
    first = features.image_encoder(config, run)(items).vectors
    monkeypatch.setattr(encodings, "_write", None)  # nothing new may be kept
    np.testing.assert_array_equal(features.image_encoder(config, run)(items).vectors, first)


def test_no_picture_at_all_is_said_plainly(resnet, make_run, small):
    config = small(image_encoder=str(resnet))
    with pytest.raises(ValueError, match="not one picture"):
        features.image_encoder(config, make_run())(Items(2, {"title": ("", "a", "b")}))


@pytest.mark.skipif(
    any(weights.parse(one).shipped.home() is None for one in features.sources(PRESETS["small"])),
    reason="the packages of mmbench[small] are not installed",
)
def test_small_reads_with_real_weights(items, train, make_run, small, queries_of):
    """The whole way with MiniLM and EfficientNet-Lite0: 384 and 1,280 columns into 48 and 16."""
    run = make_run()
    model = MMGPT2Rec(small("small", dim=64, epochs=1))
    model.fetch(cache=run.cache)
    model.fit(train=train, items=items, run=run)
    assert len(model.blocks["text"].mean) == 384
    assert len(model.blocks["image"].mean) == 1280
    widths = {name: block.width for name, block in model.blocks.items()}
    assert widths == {"text": 48, "image": 16}
    assert np.isfinite(model.score(queries=queries_of([[1, 2]])).queries).all()
    described = " ".join(path.read_text() for path in run.encodings.glob("*/encoder.json"))
    for source in model.pretrained(model.config):
        assert weights.parse(source).shipped.sha256 in described
