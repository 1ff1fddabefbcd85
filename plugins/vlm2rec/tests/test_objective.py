"""The objective: what each setting takes in or leaves out, what is learned, what is measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_vlm2rec import losses
from mmbench_vlm2rec.configs import PRESETS, Config
from mmbench_vlm2rec.embedder import Embedder, fuse, texts_of
from mmbench_vlm2rec.examples import Example, negatives
from mmbench_vlm2rec.objective import Objective, Vectors, alignment

from mmbench import vlm

TINY = replace(PRESETS["tiny"], image_size=28, dim=32, layers=1)
BATCH = [Example((1, 6), 11), Example((2,), 7), Example((9, 14), 3), Example((5,), 10)]


@pytest.fixture
def build(items, run):
    """(objective, the batch's sides) of a config, the embedder behind it in eval mode."""

    def make(**changes):
        config = replace(TINY, **changes)
        backbone = vlm.load_backbone(config, run[0], texts=texts_of(items))
        embedder = Embedder(backbone, config, items)
        sides = {
            "users": embedder.batches([example.history for example in BATCH]),
            "items": embedder.batches([(example.target,) for example in BATCH]),
            "negative": torch.from_numpy(negatives(BATCH)),
        }
        return Objective(backbone, config), sides

    return make


def value(scalar):
    return scalar.detach().item()


def vectors(seed=0, b=4, d=6):
    draw = torch.Generator().manual_seed(seed)
    made = torch.randn(4, b, d, generator=draw)
    made[1:3] += torch.randn(2, b, 1, generator=draw)
    made.requires_grad_(True)
    return made, Vectors({"text": made[0], "image": made[1]}, {"text": made[2], "image": made[3]})


def judged(seed=0, **changes):
    """What an objective says of given vectors; no backbone is asked."""
    stand_in = torch.nn.Module()
    stand_in.device = torch.device("cpu")
    leaf, made = vectors(seed)
    objective = Objective(stand_in, replace(TINY, **changes))
    negative = ~torch.eye(4, dtype=torch.bool)
    return objective, objective.judge(made, negative), leaf, made


def test_the_loss_is_wpcl_and_weighted_crtr():
    objective, told, _, made = judged(temperature=0.2, topology_weight=0.3)
    negative = ~torch.eye(4, dtype=torch.bool)
    text, image = (losses.cosines(made.users[m], made.items[m]) for m in ("text", "image"))
    fused = losses.cosines(
        made.users["text"] + made.users["image"], made.items["text"] + made.items["image"]
    )
    gap = losses.modality_gap(losses.margins(text, negative), losses.margins(image, negative))
    one = torch.tensor(1.0)
    wanted = losses.contrastive(fused, negative, 0.2, losses.penalty(gap, one, one))
    wanted = wanted + 0.3 * losses.topology(text, image, TINY.topology_temperature)
    assert value(told["loss"]) == pytest.approx(value(wanted), rel=1e-5)
    assert value(told["penalty"]) > 1.69  # 1 + ln 2 and more, where there are gaps
    assert value(objective.penalty.alpha) == pytest.approx(1)
    assert value(objective.penalty.beta) == pytest.approx(1)


def test_each_ablation_takes_its_part_away():
    whole = judged()[1]
    assert set(whole) >= {"penalty", "contrastive", "crtr"}
    no_wpen = judged(contrast="infonce")[1]
    assert "penalty" not in no_wpen
    assert no_wpen["contrastive"] < whole["contrastive"] - 1e-2
    assert no_wpen["crtr"] == whole["crtr"]
    no_wpcl = judged(contrast="none")[1]
    assert "contrastive" not in no_wpcl
    assert value(no_wpcl["loss"]) == pytest.approx(TINY.topology_weight * value(whole["crtr"]))
    no_crtr = judged(topology_weight=0.0)[1]
    assert "crtr" not in no_crtr
    assert no_crtr["loss"] == whole["contrastive"]
    summed = judged(reduction="sum")[1]
    assert value(summed["contrastive"]) == pytest.approx(4 * value(whole["contrastive"]), rel=1e-5)


def test_the_stop_gradient_changes_gradients_alone():
    (_, held, first, _), (_, free, second, _) = judged(), judged(stop_gradient=False)
    assert held["loss"] == free["loss"]
    held["loss"].backward()
    free["loss"].backward()
    assert (first.grad - second.grad).abs().max() > 1e-3


def test_alpha_and_beta_learn():
    objective, told, _, _ = judged()
    told["loss"].backward()
    assert objective.penalty.raw_alpha.grad > 0
    assert objective.penalty.raw_beta.grad > 0
    start = judged(alpha=3.0, beta=0.25)[0].penalty
    assert value(start.alpha) == pytest.approx(3.0)
    assert value(start.beta) == pytest.approx(0.25)


def test_fusion_is_a_sum_of_raw_or_of_unit_vectors():
    first, second = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    assert fuse([first, second]).tolist() == [[3.0, 0.5]]
    assert fuse([first, second], normalised=True).tolist() == [[1.0, 1.0]]


def test_one_modality_alone_is_unweighted():
    objective, _, _, made = judged()
    negative = ~torch.eye(4, dtype=torch.bool)
    similarity = losses.cosines(made.users["image"], made.items["image"])
    wanted = torch.nn.functional.cross_entropy(similarity / TINY.temperature, torch.arange(4))
    assert value(objective.alone(made, negative, "image")) == pytest.approx(value(wanted), rel=1e-5)


def test_alignment_is_the_cosine_of_whole_gradients(build):
    """Against gradients that ``backward`` leaves, one pass for each."""
    objective, sides = build(contrast="infonce", topology_weight=0.0)
    weights = [w for w in objective.backbone.parameters() if w.requires_grad]
    state = torch.get_rng_state()
    found = alignment(objective, sides)
    assert torch.equal(state, torch.get_rng_state())
    assert all(weight.grad is None for weight in weights)

    def gradient(loss_of):
        objective.zero_grad()
        loss_of(objective.read(sides)).backward()
        flat = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        return torch.cat([part.flatten() for part in flat]).double()

    negative = sides["negative"]
    total = gradient(lambda v: objective.judge(v, negative)["loss"])
    for modality in ("text", "image"):
        own = gradient(lambda v, m=modality: objective.alone(v, negative, m))
        wanted = torch.nn.functional.cosine_similarity(total, own, dim=0)
        assert found[f"gradient {modality}"] == pytest.approx(value(wanted), abs=1e-5)
    assert abs(found["gradient text"] - found["gradient image"]) > 1e-3


def test_alignment_with_checkpointed_activations(build):
    plain, sides = build(trained="lora", lora_rank=4)
    wanted = alignment(plain, sides)
    saving, sides = build(trained="lora", lora_rank=4, gradient_checkpointing=True)
    saving.train()
    assert alignment(saving, sides) == pytest.approx(wanted, abs=1e-4)


def test_a_target_that_is_no_negative_pushes_nothing(build):
    """The mask reaches the loss: a duplicate of the positive costs nothing."""
    objective, sides = build(contrast="infonce", topology_weight=0.0)
    alike = [Example((1,), 4), Example((2,), 4)]
    assert not negatives(alike).any()
    with torch.no_grad():
        read = objective.read(sides)
        none = objective.judge(read, torch.zeros(4, 4, dtype=torch.bool))
    assert value(none["loss"]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fusion": "internal"}, "two modalities"),
        ({"fusion": "text", "contrast": "infonce"}, "topology_weight"),
        ({"contrast": "none", "topology_weight": 0.0}, "no loss"),
        ({"temperature": 0.0}, "temperature"),
        ({"few": -1}, "few"),
        ({"epochs": 0}, "epochs"),
        ({"dim": 0}, "dim"),
    ],
)
def test_bad_settings_are_told(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**changes)


def test_presets_pair_up():
    for name, preset in PRESETS.items():
        variant, _, size = name.partition("/")
        if variant not in ("paper", "small", "tiny"):
            for other in {variant, f"{variant}/tiny"} - {name}:
                assert PRESETS[other].fusion == preset.fusion
                assert PRESETS[other].few == preset.few
            assert size in ("", "small", "tiny")
        if size == "tiny" or name == "tiny":
            assert preset.all_prefixes
            assert preset.max_history == 10
    assert (PRESETS["paper"].lora_rank, PRESETS["paper"].lora_alpha) == (16, 32)
    assert PRESETS["paper"].lora_dropout == 0.2
    assert [PRESETS[f"k{k}"].few for k in (128, 256, 512, 1024)] == [128, 256, 512, 1024]
    assert not np.isnan([preset.temperature for preset in PRESETS.values()]).any()
