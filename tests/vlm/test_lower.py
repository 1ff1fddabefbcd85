"""Adapters on the top layers: the states below them are computed once and change nothing."""

import numpy as np
import pytest
import torch

from mmbench import vlm
from mmbench.vlm import kept as kept_module
from mmbench.vlm.kept import Kept

from .conftest import FAMILIES, TITLES, shown

TOP = {"layers": 3, "lora_layers": 1, "lora_rank": 4}


def adapters_with_effect(backbone) -> None:
    """New adapters add nothing; these do."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in backbone.model.named_parameters():
            if weight.requires_grad and "lora_B" in name:
                weight.normal_(std=0.2)


def prompts_of(pictures, *counts: int) -> list[vlm.Prompt]:
    return [vlm.Prompt(shown(pictures, *range(1, 1 + count)), [TITLES[5]]) for count in counts]


def count_layers(backbone) -> list[int]:
    """The numbers of the layers that compute from now on."""
    found: list[int] = []
    for number, layer in enumerate(backbone._language.layers):
        layer.register_forward_hook(lambda *_, number=number: found.append(number))
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_states_and_gradients_are_as_without(name, fresh, store):
    backbone = fresh(name, **TOP)
    adapters_with_effect(backbone)
    pictures = vlm.Pictures(backbone, store)
    encoded = [backbone.encode(prompt) for prompt in prompts_of(pictures, 1, 3, 2)]
    lower = vlm.lower_states(backbone, pictures)
    answers = []
    for states in (None, lower):
        batch = backbone.batch(encoded, pictures, lower=states)
        assert (batch.lower is None) == (states is None)
        backbone.zero_grad()
        hidden = backbone(batch)
        seen = hidden[batch.attended.bool()]
        (seen * torch.arange(seen.numel()).reshape(seen.shape).cos()).sum().backward()
        gradients = [w.grad.clone() for w in backbone.parameters() if w.requires_grad]
        answers.append((seen.detach(), gradients))
    torch.testing.assert_close(answers[0][0], answers[1][0], atol=1e-5, rtol=1e-5)
    assert len(answers[0][1]) == 2 * 7
    for one, other in zip(answers[0][1], answers[1][1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_adapters_are_on_the_top_layers_alone(fresh):
    backbone = fresh("smollm2", layers=4, lora_layers=2)
    names = [name for name, weight in backbone.model.named_parameters() if weight.requires_grad]
    assert {name.split("layers.")[1].split(".")[0] for name in names} == {"2", "3"}
    assert backbone.still_layers == 2
    assert len(backbone._language.layers) == 4


def test_layers_below_compute_once_a_content(fresh, store):
    backbone = fresh("qwen2.5-vl", **TOP)
    pictures = vlm.Pictures(backbone, store)
    lower = vlm.lower_states(backbone, pictures)
    ran = count_layers(backbone)
    prompts = prompts_of(pictures, 1, 2)
    first = vlm.embed(backbone, prompts, pictures, lower=lower)
    assert ran == [0, 1, 2]
    ran.clear()
    again = vlm.embed(backbone, prompts, pictures, lower=lower)
    assert ran == [2]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, vlm.embed(backbone, prompts, pictures), atol=1e-5)


def test_other_pictures_and_other_tokens_are_other_contents(fresh, store):
    backbone = fresh("smolvlm", **TOP)
    pictures = vlm.Pictures(backbone, store)
    lower = vlm.lower_states(backbone, pictures)
    prompts = [vlm.Prompt(["A", vlm.Image(item)]) for item in (1, 2, 7)]
    one, two, same = lower.take([backbone.encode(prompt) for prompt in prompts])
    assert not torch.equal(one, two)
    assert torch.equal(one, same)


def test_training_with_kept_states_ends_with_the_weights_of_training_without(fresh, run):
    class Pull(torch.nn.Module):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def forward(self, batch):
            return (self.backbone(batch)[:, -1] - 1).pow(2).mean()

    config = vlm.TrainingConfig(epochs=2, batch_size=2, learning_rate=1e-2, validate_every=0)
    found = []
    for keeps in (False, True):
        backbone = fresh("smollm2", **TOP)
        lower = vlm.lower_states(backbone, None) if keeps else None
        examples = [backbone.encode(vlm.Prompt([title])) for title in TITLES[1:]]
        vlm.train(
            Pull(backbone),
            examples,
            lambda some, rng, backbone=backbone, lower=lower: backbone.batch(some, lower=lower),
            config,
            run,
        )
        found.append([w.detach() for w in backbone.parameters() if w.requires_grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_they_outlive_the_process_and_serve_the_next_fit(fresh, tmp_path):
    prompts = [vlm.Prompt([title]) for title in TITLES[1:]]
    vectors = []
    for ran_below in (True, False):
        backbone = fresh("smollm2", **TOP)
        lower = vlm.lower_states(backbone, None, tmp_path)
        ran = count_layers(backbone)
        vectors.append(vlm.embed(backbone, prompts, lower=lower))
        assert (0 in ran) == ran_below
    np.testing.assert_array_equal(*vectors)
    # one layer fewer stands still: the states are others
    backbone = fresh("smollm2", **{**TOP, "lora_layers": 2})
    ran = count_layers(backbone)
    vlm.embed(backbone, prompts, lower=vlm.lower_states(backbone, None, tmp_path))
    assert 0 in ran


def test_nothing_is_kept_where_everything_below_changes(fresh, run):
    assert vlm.lower_states(fresh("smollm2"), None) is None
    assert vlm.lower_states(fresh("smollm2", trained="none"), None) is None
    config = vlm.BackboneConfig(backbone="tiny:smollm2", layers=3, lora_layers=1)
    named = vlm.load_backbone(config, run, TITLES, tokens=("<item_1>",))
    assert vlm.lower_states(named, None) is None


def test_settings_that_say_nothing_are_refused(fresh):
    with pytest.raises(ValueError, match="lora_layers is 2"):
        vlm.BackboneConfig(trained="all", lora_layers=2)
    with pytest.raises(ValueError, match="has 2 layers"):
        fresh("smollm2", layers=2, lora_layers=3)
    with pytest.raises(ValueError, match="training_tokens is -1"):
        vlm.TrainingConfig(training_tokens=-1)


def test_kept_matrices_have_their_own_precision_and_survive_a_damaged_file(tmp_path, caplog):
    half = torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16)
    kept = Kept(tmp_path, {"part": "test"})
    kept.put("a", half)
    kept.put("b", torch.ones(2, 3))
    assert "a" in kept and "c" not in kept
    kept.flush()
    kept.put("c", torch.zeros(1, 1))
    kept.flush()
    again = Kept(tmp_path, {"part": "test"})
    assert torch.equal(again.take("a"), half) and again.take("a").dtype == torch.bfloat16
    assert "a" not in Kept(tmp_path, {"part": "other"})
    files = sorted(tmp_path.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    files[1].write_bytes(files[1].read_bytes()[:-4])
    with caplog.at_level("WARNING", "mmbench.vlm.kept"):
        left = Kept(tmp_path, {"part": "test"})
    assert "a" not in left and torch.equal(left.take("c"), torch.zeros(1, 1))
    assert "computed again" in caplog.text and not files[1].exists()


def test_a_full_disk_keeps_them_in_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(kept_module, "SPARE", 1 << 60)
    kept = Kept(tmp_path, {"part": "test"})
    kept.put("a", torch.ones(2, 3))
    with caplog.at_level("WARNING", "mmbench.vlm.kept"):
        kept.flush()
    assert torch.equal(kept.take("a"), torch.ones(2, 3))
    assert "no more states are kept there" in caplog.text
    assert not list(tmp_path.rglob("*.safetensors"))


def test_large_ones_are_written_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_module, "SHARD", 100)
    kept = Kept(tmp_path, {"part": "test"})
    kept.put("a", torch.ones(10, 1))
    assert not list(tmp_path.rglob("*.safetensors"))
    kept.put("b", torch.ones(20, 1))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    assert torch.equal(kept.take("a"), torch.ones(10, 1))
