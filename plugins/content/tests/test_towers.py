"""Small Hugging Face networks, loaded from a folder by the code that loads big ones."""

import logging

import numpy as np
import pytest
import torch
import transformers
from mmbench_content import encode, towers
from mmbench_content.models import ColourHistogram, ImageEncoder, TextEncoder
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mmbench import Items
from mmbench.testing import make_images

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "hat", "boot", "scarf"]
VISION = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a BERT of 10 words and random weights."""
    folder = tmp_path_factory.mktemp("bert")
    table = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(
        folder
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        initializer_range=0.5,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def vision(kind, folder):
    """Saves a network of pictures with random weights and its processor."""
    torch.manual_seed(0)
    size = {"height": 16, "width": 16}
    if kind == "clip":
        text = {
            "vocab_size": 9,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        }
        config = transformers.CLIPConfig(
            text_config=text, vision_config={**VISION, "image_size": 16}, projection_dim=12
        )
        transformers.CLIPModel(config).save_pretrained(folder)
        processor = transformers.CLIPImageProcessorPil(size=size, crop_size=size)
    elif kind == "siglip":
        text = {
            "vocab_size": 9,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        }
        config = transformers.SiglipConfig(
            text_config=text, vision_config={**VISION, "image_size": 16}
        )
        transformers.SiglipModel(config).save_pretrained(folder)
        processor = transformers.SiglipImageProcessorPil(size=size)
    else:
        config = transformers.Dinov2Config(**VISION, image_size=16)
        transformers.Dinov2Model(config).save_pretrained(folder)
        processor = transformers.BitImageProcessorPil(size=size, crop_size=size)
    processor.save_pretrained(folder)
    return folder


TEXTS = ["red hat", "blue", "green boot scarf hat red", "hat red", "boot"]


def test_texts_are_unit_means_over_attended_tokens(bert):
    found = towers.text_tower(bert, "cpu", max_length=16, batch_size=2)(TEXTS)
    model = transformers.BertModel.from_pretrained(bert).eval()
    for text, row in zip(TEXTS, found, strict=True):
        numbers = [2, *(WORDS.index(word) for word in text.split()), 3]
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([numbers])).last_hidden_state[0].double()
        mean = states.mean(dim=0)
        np.testing.assert_allclose(row, mean / mean.norm(), atol=1e-5)
    assert found.dtype == np.float32
    assert not np.allclose(found[0], found[3])


def test_long_texts_are_cut(bert):
    short = towers.text_tower(bert, "cpu", max_length=4, batch_size=8)(["red hat", "red hat boot"])
    np.testing.assert_allclose(short[0], short[1], atol=1e-6)


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2"])
def test_pictures_are_unit_features(kind, tmp_path):
    folder = vision(kind, tmp_path)
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)) for _ in range(3)
    ]
    found = towers.image_tower(folder, "cpu")(pictures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        for picture, row in zip(pictures, found, strict=True):
            pixels = torch.as_tensor(processor(images=picture, return_tensors="pt")["pixel_values"])
            if kind == "clip":
                state = model.vision_model(pixel_values=pixels).pooler_output
                feature = model.visual_projection(state)[0]
            elif kind == "siglip":
                feature = model.vision_model(pixel_values=pixels).pooler_output[0]
            else:  # the class token
                feature = model(pixel_values=pixels).last_hidden_state[0, 0]
            np.testing.assert_allclose(row, feature / feature.norm(), atol=1e-5)
    assert abs(found[0] @ found[1]) < 0.9999


def test_a_text_encoder_from_a_folder_encodes_each_text_once(bert, run_in, monkeypatch):
    loads = []
    load = towers.text_tower
    monkeypatch.setattr(towers, "text_tower", lambda *a: loads.append(a) or load(*a))
    titles = ["", "red hat", "", "blue", "red hat", "green boot"]
    items = Items(5, {"title": titles})
    config = TextEncoder.Config(encoder=str(bert), max_length=16)
    run, record = run_in()
    model = TextEncoder(config)
    model.fetch(cache=run.cache)
    model.fit(items=items, run=run)
    vectors = model.embed_items()["text"]
    assert vectors.shape == (6, 16)
    assert not vectors[[0, 2]].any()
    np.testing.assert_array_equal(vectors[1], vectors[4])
    np.testing.assert_allclose(
        vectors[[1, 3, 5]], load(bert, "cpu", 16, 8)(["red hat", "blue", "green boot"]), atol=1e-5
    )
    assert record.progress[-1] == (3, 3, "texts")
    assert len(loads) == 1

    again = TextEncoder(config)
    again.fit(items=Items(2, {"title": ["", "blue", "red hat"]}), run=run_in()[0])
    np.testing.assert_array_equal(again.embed_items()["text"], vectors[[0, 3, 1]])
    assert len(loads) == 1  # all in the cache: no network is loaded
    other = TextEncoder(TextEncoder.Config(encoder=str(bert), max_length=3))
    other.fit(items=items, run=run_in()[0])
    assert len(loads) == 2
    assert not np.allclose(other.embed_items()["text"], vectors)


def test_an_image_encoder_from_a_folder(tmp_path, shop, run_in, queries_of):
    folder = tmp_path / "clip"
    folder.mkdir()
    vision("clip", folder)
    model = ImageEncoder(ImageEncoder.Config(encoder=str(folder), batch_size=4))
    model.fit(items=shop.items, run=run_in()[0])
    vectors = model.embed_items()["image"]
    opened = [shop.items.images.open(item) for item in range(1, 12)]
    expected = towers.image_tower(folder, "cpu")(opened)
    np.testing.assert_allclose(vectors[1:12], expected, atol=1e-5)
    assert not vectors[[0, 12]].any()
    scores = model.score(queries_of([[1, 2]]))
    assert np.isneginf(scores[0, 11])
    assert np.isfinite(scores[0, :11]).all()


def damage(store, item):
    """Write over a picture in the file of pictures."""
    start, stop = store.offsets[item : item + 2].tolist()
    with store.path.open("r+b") as file:
        file.seek(start)
        file.write(b"no picture".ljust(stop - start))


def test_damaged_and_absent_pictures_count_as_missing(shop, run_in, caplog):
    damage(shop.items.images, 2)
    damage(shop.items.images, 3)
    model = ColourHistogram(ColourHistogram.presets["paper"])
    with caplog.at_level(logging.WARNING, logger="mmbench_content"):
        model.fit(items=shop.items, run=run_in()[0])
    vectors = model.embed_items()["image"]
    assert np.flatnonzero(~vectors.any(axis=1)).tolist() == [0, 2, 3, 12]
    said = "pictures that count as missing: 2, first item 2: its picture is damaged"
    assert said in caplog.text


def test_no_picture_at_all_is_said_plainly(tmp_path, run_in):
    store = make_images(tmp_path / "pictures", [Image.new("RGB", (4, 4))])
    damage(store, 1)
    items = Items(1, {}, store)
    with pytest.raises(ValueError, match="not one picture could be opened"):
        encode.encode_pictures(items, run_in()[0], encoder="colour-histogram", batch_size=4)
    with pytest.raises(ValueError, match="no pictures"):
        encode.encode_pictures(Items(1, {}), run_in()[0], encoder="colour-histogram", batch_size=4)


def test_weights_that_would_have_to_be_unpickled_are_refused(bert, tmp_path):
    for path in bert.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save(
        transformers.BertModel.from_pretrained(bert).state_dict(), tmp_path / "pytorch_model.bin"
    )
    with pytest.raises(OSError, match="safetensors"):
        towers.text_tower(tmp_path, "cpu", 16, 8)
