"""Loading, adapting, saving; what is trained and what is lacking."""

import json
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mmbench import vlm
from mmbench.vlm.adapters import language_linears, language_of, put_trained, take_trained

from .conftest import FAMILIES, SEEING, TITLES, make_run, shown


def trained_names(backbone) -> list[str]:
    return [name for name, weight in backbone.model.named_parameters() if weight.requires_grad]


@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_are_on_all_linears_of_the_language_model_and_nowhere_else(name, fresh):
    backbone = fresh(name, layers=1)
    names = trained_names(backbone)
    assert all("lora_" in trained for trained in names)
    prefix = f"model.{backbone.family.language}.".replace("..", ".")
    assert all(trained.startswith(prefix) for trained in names)
    adapted = {trained.split(".lora_")[0].split(".")[-1] for trained in names}
    projections = {f"{letter}_proj" for letter in "qkvo"}
    assert adapted == projections | {"gate_proj", "up_proj", "down_proj"}
    assert len(names) == 2 * 7


@pytest.mark.parametrize("name", SEEING)
def test_language_trains_words_and_head_but_no_eyes(name, fresh):
    backbone = fresh(name, trained="language", layers=1)
    own = {id(weight) for weight in language_of(backbone.model, backbone.family).parameters()}
    own.add(id(backbone.model.get_output_embeddings().weight))
    for weight in backbone.model.parameters():
        assert weight.requires_grad == (id(weight) in own)
    assert all(weight.requires_grad for weight in fresh(name, trained="all").model.parameters())
    assert not trained_names(fresh(name, trained="none"))


def test_what_is_not_trained_never_drops_out(fresh):
    backbone = fresh("smolvlm", lora_dropout=0.5).train()
    drops = [m for m in backbone.modules() if isinstance(m, nn.Dropout)]
    assert drops and all(module.training for module in drops)
    assert not backbone.model.model.vision_model.training
    assert not backbone.model.model.connector.training
    assert not any(module.training for module in backbone.eval().modules())


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_saved_comes_back(name, fresh, run, store, tmp_path):
    backbone = fresh(name)
    with torch.no_grad():
        for weight in backbone.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    backbone.save(tmp_path / "kept")
    config = replace(backbone.config, backbone=str(tmp_path / "kept"))
    again = vlm.load_backbone(config, make_run(tmp_path, seed=9))
    vectors = []
    for one in (backbone, again):
        pictures = vlm.Pictures(one, store)
        vectors.append(vlm.embed(one, [vlm.Prompt(shown(pictures, 1, 2))], pictures))
    assert (vectors[0] == vectors[1]).all()
    assert again.identity()["weights"] == backbone.identity()["weights"]
    again.save(tmp_path / "twice")
    assert json.loads((tmp_path / "twice" / "backbone.json").read_text())["base"] is None


def test_saved_weights_fit_only_what_was_saved(fresh, run, tmp_path):
    backbone = fresh("smollm2")
    backbone.save(tmp_path / "kept")
    config = replace(backbone.config, backbone=str(tmp_path / "kept"), lora_rank=8)
    with pytest.raises(
        ValueError, match="is trained, lora_rank, lora_layers or a size not what it was"
    ):
        vlm.load_backbone(config, run)


def test_the_seed_draws_the_tiny_model(run):
    config = vlm.BackboneConfig(backbone="tiny:smollm2")
    first, same, other = (
        vlm.load_backbone(config, replace(run, seed=seed), TITLES).identity() for seed in (1, 1, 2)
    )
    assert first == same
    assert first["weights"] != other["weights"]


def test_loading_leaves_the_global_stream_alone(fresh):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fresh("smollm2")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["qwen2.5-vl", "smolvlm", "paligemma2", "llava", "smollm2"])
def test_four_bits_hold_the_language_model_and_its_adapters_learn(name, fresh, store, tmp_path):
    bnb = pytest.importorskip("bitsandbytes")
    backbone = fresh(name, quantization="nf4")
    quantized = {
        module_name
        for module_name, module in backbone.model.named_modules()
        if isinstance(module, bnb.nn.Linear4bit)
    }
    language = language_of(backbone.model, backbone.family)
    linears = {
        module_name.removesuffix(".base_layer")
        for module_name, module in backbone.model.named_modules()
        if isinstance(module, nn.Linear) and "lora_" not in module_name
    }
    inside = {id(module) for module in language.modules()}
    for module_name, module in backbone.model.named_modules():
        if isinstance(module, nn.Linear) and "lora_" not in module_name:
            assert isinstance(module, bnb.nn.Linear4bit) == (id(module) in inside)
    assert len(quantized) == 14 and linears
    state = next(m for m in language.modules() if isinstance(m, bnb.nn.Linear4bit)).weight
    assert state.quant_state.quant_type == "nf4" and state.quant_state.nested
    losses = few_steps(backbone, vlm.Pictures(backbone, store), steps=12)
    assert losses[-1] < losses[0] - 0.1
    backbone.save(tmp_path / "kept")
    again = vlm.load_backbone(
        replace(backbone.config, backbone=str(tmp_path / "kept")), make_run(tmp_path)
    )
    one, two = (
        vlm.embed(b, [vlm.Prompt(shown(p := vlm.Pictures(b, store), 1, 2))], p)
        for b in (backbone, again)
    )
    assert np.abs(one - two).max() < 1e-5


def few_steps(backbone, pictures, steps: int) -> list[float]:
    """The losses of some steps on one batch of next-token prediction."""
    prompts = [vlm.Prompt(shown(pictures, item), [TITLES[item + 1]]) for item in (1, 2, 3)]
    batch = backbone.batch([backbone.encode(prompt) for prompt in prompts], pictures)
    weights = [weight for weight in backbone.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    backbone.train()
    losses = []
    for _ in range(steps):
        asked = batch.answer[:, 1:]
        logits = backbone.logits(backbone(batch)[:, :-1][asked])
        loss = nn.functional.cross_entropy(logits, batch.ids[:, 1:][asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    backbone.eval()
    return losses


def test_weights_in_four_bits_cannot_be_trained():
    with pytest.raises(ValueError, match="4 bits cannot be trained"):
        vlm.BackboneConfig(quantization="nf4", trained="language")


@pytest.mark.parametrize("name", ["qwen2.5-vl", "paligemma2"])
def test_checkpointing_changes_no_gradient(name, run, store):
    gradients = []
    for checkpointing in (False, True):
        config = vlm.BackboneConfig(
            backbone=f"tiny:{name}", trained="language", gradient_checkpointing=checkpointing
        )
        backbone = vlm.load_backbone(config, run, TITLES)
        pictures = vlm.Pictures(backbone, store)
        encoded = [backbone.encode(vlm.Prompt(shown(pictures, *items))) for items in [(1,), (2, 3)]]
        backbone.train()
        states = backbone(backbone.batch(encoded, pictures))
        held = states.grad_fn is not None
        vlm.last_token(states, backbone.batch(encoded, pictures).attended).square().sum().backward()
        assert held
        gradients.append({n: w.grad for n, w in backbone.named_parameters() if w.grad is not None})
        language = language_of(backbone.model, backbone.family)
        assert language.gradient_checkpointing == checkpointing
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(gradients[0][n], gradients[1][n], atol=1e-5) for n in gradients[0])


def test_bfloat16_is_used_and_is_near(run, store):
    config = vlm.BackboneConfig(backbone="tiny:smolvlm", trained="none")
    vectors = []
    for precision in ("float32", "bfloat16"):
        backbone = vlm.load_backbone(replace(config, precision=precision), run, TITLES)
        assert backbone.model.dtype == getattr(torch, precision)
        pictures = vlm.Pictures(backbone, store)
        vectors.append(vlm.embed(backbone, [vlm.Prompt(shown(pictures, 1, 2))], pictures))
    assert vectors[1].dtype == np.float32
    assert 0 < np.abs(vectors[0] - vectors[1]).max() < 0.2
    learner = vlm.load_backbone(replace(config, precision="bfloat16", trained="lora"), run, TITLES)
    assert all(w.dtype == torch.float32 for w in learner.parameters() if w.requires_grad)


def test_new_tokens_are_trained_and_saved(fresh, run, tmp_path):
    tokens = [f"<a_{number}>" for number in range(5)]
    config = vlm.BackboneConfig(backbone="tiny:smollm2", lora_rank=4)
    backbone = vlm.load_backbone(config, run, TITLES, tokens=tokens)
    ids = backbone.encode_text("".join(tokens))
    assert len(ids) == 5 and len(set(ids)) == 5
    old = backbone.model.get_input_embeddings()(torch.arange(100)).detach()
    before = backbone.model.get_input_embeddings()(torch.tensor(ids)).detach()
    assert torch.allclose(before.mean(0), old.mean(0), atol=0.05)
    encoded = backbone.encode(vlm.Prompt(["a "], answer=["b"]))
    states = backbone(backbone.batch([encoded]))
    optimizer = torch.optim.SGD([w for w in backbone.parameters() if w.requires_grad], lr=1.0)
    backbone.logits(states)[..., ids].sum().backward()  # the head's rows are the tied table's
    optimizer.step()
    after = backbone.model.get_input_embeddings()(torch.tensor(ids)).detach()
    assert (after - before).abs().max() > 1e-3
    assert torch.equal(backbone.model.get_input_embeddings()(torch.arange(100)).detach(), old)
    backbone.save(tmp_path / "kept")
    kept = replace(config, backbone=str(tmp_path / "kept"))
    again = vlm.load_backbone(kept, make_run(tmp_path, seed=8))
    assert again.encode_text("".join(tokens)) == ids
    assert torch.equal(again.model.get_input_embeddings()(torch.tensor(ids)), after)


def test_taken_weights_are_copies():
    module = nn.Linear(2, 2)
    taken = take_trained(module)
    with torch.no_grad():
        module.weight.zero_()
    assert taken["weight"].abs().sum() > 0
    put_trained(module, taken)
    assert torch.equal(module.weight, taken["weight"])
    with pytest.raises(ValueError, match="1 differ, such as bias"):
        put_trained(module, {"weight": taken["weight"]})


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_missing_weights_are_said_before_anything_is_done(run, no_network, monkeypatch, tmp_path):
    config = vlm.BackboneConfig(backbone="some/model", revision="abc123")
    (lack,) = vlm.lacking(config, "cpu", run.cache)
    assert "hf download some/model --revision abc123" in lack and str(run.cache) in lack
    with pytest.raises(RuntimeError, match="no weights of some/model"):
        vlm.load_backbone(config, run)
    with pytest.raises(RuntimeError, match="no weights of some/model"):
        vlm.fetch(config, run.cache)


def test_tiny_models_and_folders_are_not_fetched(run, fresh, tmp_path, no_network):
    vlm.fetch(vlm.BackboneConfig(), run.cache)
    fresh("smollm2").save(tmp_path / "kept")
    vlm.fetch(vlm.BackboneConfig(backbone=str(tmp_path / "kept")), run.cache)
    assert not run.cache.exists()


def test_a_checkpoint_is_found_in_the_cache(run, fresh, tmp_path, no_network):
    commit = "0" * 40
    home = run.cache / "hub" / "models--some--model"
    made = fresh("smollm2", trained="none")
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots").mkdir()
    made.source.rename(home / "snapshots" / commit)
    config = vlm.BackboneConfig(backbone="some/model", lora_rank=4)
    for revision in ("", commit):
        asked = replace(config, revision=revision)
        assert not vlm.lacking(asked, "cpu", run.cache)
        vlm.fetch(asked, run.cache)
        backbone = vlm.load_backbone(asked, run)
        assert backbone.origin == backbone.identity()["backbone"] == f"some/model@{commit}"
    backbone.save(tmp_path / "kept")  # refers to the commit, and holds the adapters alone
    assert not (tmp_path / "kept" / "base").exists()
    again = vlm.load_backbone(replace(config, backbone=str(tmp_path / "kept")), run)
    again.save(tmp_path / "twice")
    twice = vlm.load_backbone(replace(config, backbone=str(tmp_path / "twice")), run)
    prompt = [vlm.Prompt(["a"])]
    assert (vlm.embed(again, prompt) == vlm.embed(backbone, prompt)).all()
    assert (vlm.embed(twice, prompt) == vlm.embed(backbone, prompt)).all()


def test_what_a_machine_lacks_is_said(run, monkeypatch):
    tiny = vlm.BackboneConfig()
    assert vlm.lacking(tiny, "cpu", run.cache) == []
    if not torch.cuda.is_available():
        assert "no GPU" in vlm.lacking(tiny, "cuda", run.cache)[0]
    flash = vlm.lacking(replace(tiny, attention="flash_attention_2"), "cpu", run.cache)
    assert any("runs on a GPU only" in lack for lack in flash)
    monkeypatch.setattr(
        "mmbench.vlm.needs.find_spec", lambda name: None if name == "bitsandbytes" else object()
    )
    (lack,) = vlm.lacking(replace(tiny, quantization="nf4"), "cpu", run.cache)
    assert lack.startswith("bitsandbytes not installed")
    monkeypatch.setattr("mmbench.vlm.needs.find_spec", lambda name: None)
    assert "pip install 'mmbench[vlm]'" in vlm.lacking(tiny, "cpu", run.cache)[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backbone": "tiny:bert"}, "no family 'bert'"),
        ({"backbone": "tiny:smolvlm", "dim": 60}, "heads times a multiple of 8"),
    ],
)
def test_impossible_tiny_models_are_refused(settings, said, run):
    with pytest.raises(ValueError, match=said):
        vlm.load_backbone(vlm.BackboneConfig(**settings), run, TITLES)


def test_sizes_are_as_asked(fresh):
    backbone = fresh("qwen2.5-vl", dim=96, layers=3, heads=6, vocabulary=300)
    text = backbone.model.config.get_text_config()
    assert (backbone.dim, text.num_hidden_layers, text.num_attention_heads) == (96, 3, 6)
    assert len(backbone.tokenizer) <= 300


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tiny_models_weights_are_drawn_to_its_width(shared, name):
    backbone = shared(name)
    linears = dict(backbone.model.named_modules())
    names = language_linears(backbone.model, backbone.family)
    assert names
    for linear in [linears[found] for found in names]:
        assert float(linear.weight.std()) == pytest.approx(backbone.dim**-0.5, rel=0.1)
