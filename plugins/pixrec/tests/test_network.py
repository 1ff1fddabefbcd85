"""The towers: positions, pools, chunks, and switches that change the loss."""

import numpy as np
import pytest
import torch
from mmbench_pixrec.losses import IGNORED
from mmbench_pixrec.retrieval import Draft

from mmbench.vlm.adapters import language_of

WINDOWS = [(np.array([1, 2]), 3), (np.array([5]), 6), (np.array([7, 8, 9]), 12), (np.array([4]), 1)]


def loss_of(maker, **changes):
    """The parts of the loss on the windows, for one set of weights."""
    made = maker(**changes)
    with torch.no_grad():
        values = made.towers(made._batch(WINDOWS))
    return {name: float(value) for name, value in values.items()}


def gradients(made):
    made.towers.zero_grad()
    values = made.towers(made._batch(WINDOWS))
    values["loss"].backward()
    return float(values["loss"].detach()), {
        name: weight.grad.clone()
        for name, weight in made.towers.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("preset", ["tiny", "smollm2/tiny", "paligemma2/tiny"])
def test_chunks_change_neither_loss_nor_gradient(generator, preset):
    whole, ours = gradients(generator(preset))
    for chunk in (1, 3):
        parts, theirs = gradients(generator(preset, batch_chunk=chunk))
        assert parts == pytest.approx(whole, abs=1e-5)
        assert ours.keys() == theirs.keys()
        for name, gradient in ours.items():
            assert torch.allclose(gradient, theirs[name], atol=1e-5), name
    assert ours["user_proj.weight"].abs().sum() > 0
    assert ours["item_proj.weight"].abs().sum() > 0


def counted(made):
    """A step's loss and gradients, and how often the language model began."""
    passes = []
    layer = language_of(made.backbone.model, made.backbone.family).layers[0].self_attn
    handle = layer.register_forward_pre_hook(lambda *_: passes.append(1))
    torch.manual_seed(5)
    found = gradients(made)
    handle.remove()
    return *found, len(passes)


@pytest.mark.parametrize(
    ("layers_forget", "passes"),
    # told and alone of each of four chunks: all once, three twice; or each layer twice
    [(False, 2 * (4 + 3)), (True, 2 * (4 + 4))],
)
def test_no_chunk_is_computed_more_often_than_memory_wants(generator, layers_forget, passes):
    """Neither does that change the gradient, and what is computed again drops the same units."""
    options = {"trained": "lora", "lora_dropout": 0.5, "batch_chunk": 1}
    made = generator("smolvlm/tiny", gradient_checkpointing=layers_forget, **options)
    made.towers.train()
    loss, ours, found = counted(made)
    assert found == passes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "mmbench_pixrec.network.checkpoint", lambda read, *given, use_reentrant: read(*given)
        )
        if layers_forget:
            made.backbone.model.activation_checkpointing_disable()
        plain, theirs, once = counted(made)
    assert once == 2 * 4
    assert loss == pytest.approx(plain, abs=1e-6)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert torch.allclose(gradient, theirs[name], atol=1e-6), name


def test_without_contrast_no_item_is_read_alone(generator):
    made = generator("smollm2/tiny", alpha=0.0, beta=0.0)
    _, found, passes = counted(made)
    assert passes == 1
    assert "user_proj.weight" not in found and "item_proj.weight" not in found


def test_the_token_loss_is_the_librarys_own(generator):
    """Text alone, a prompt at a time: transformers' loss with labels on the answer."""
    made = generator("smollm2/tiny", alpha=0.0, beta=0.0)
    total, count = 0.0, 0
    for items, target in WINDOWS:
        encoded = made.backbone.encode(made.prompts.tell(items.tolist(), target))
        ids = torch.from_numpy(encoded.ids)[None]
        closing = len(ids[0]) - 1 - int(np.flatnonzero(encoded.spans["text"]).max())
        learned = torch.from_numpy(encoded.answer)
        learned[len(learned) - closing + 1 :] = False  # what follows the ending token
        labels = torch.where(learned, ids, IGNORED)
        with torch.no_grad():
            loss = made.backbone.model(input_ids=ids, labels=labels).loss
        total, count = total + float(loss) * int(learned.sum()), count + int(learned.sum())
    with torch.no_grad():
        found = made.towers(made._batch(WINDOWS))
    assert found.keys() == {"loss", "next_item"}
    assert float(found["loss"]) == pytest.approx(total / count, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"loss_shift": False}, "next_item"),
        ({"contrast_axis": "code"}, "target_target"),
        ({"contrast_axis": "both"}, "user_target"),
        ({"temperature": 0.1}, "user_target"),
        ({"alpha": 0.5}, "loss"),
        ({"beta": 0.025}, "loss"),
        ({"images": False}, "next_item"),
        ({"chat": True}, "next_item"),
    ],
)
def test_switches_change_the_loss(generator, change, part):
    ours, theirs = loss_of(generator), loss_of(generator, **change)
    assert abs(ours[part] - theirs[part]) > 1e-5


def test_the_mix_is_that_of_the_parts(generator):
    found = loss_of(generator)
    assert found["loss"] == pytest.approx(
        0.9 * found["next_item"] + 0.125 * found["target_target"] - 0.025 * found["user_target"]
    )


def test_the_border_is_where_the_target_begins(generator):
    made = generator()
    encoded = made.backbone.encode(made.prompts.tell([1, 2], 3))
    asked = made.backbone.encode(made.prompts.ask([1, 2]))
    assert encoded.ids[: len(asked)].tolist() == asked.ids.tolist()
    assert not encoded.answer[: len(asked)].any() and encoded.answer[len(asked) :].all()
    text = made.backbone.tokenizer.decode(encoded.ids[encoded.spans["text"]])
    assert text == made.texts[3]


def test_no_pool_holds_padding(generator):
    """Vectors of a window are the same in the company of a longer one."""
    made = generator()

    def read(windows):
        anchor = made.towers.user_proj.weight
        with torch.no_grad():
            return made.towers._read(*made._batch(windows)[0], anchor)[2:]

    for ours, theirs in zip(read(WINDOWS[1:2]), read(WINDOWS), strict=True):
        assert torch.allclose(ours[0], theirs[1], atol=1e-5)


def test_towers_read_the_history_with_the_target(generator):
    """v^{T|U} depends on the history, v^T does not; v^U is the history's alone."""
    made = generator()
    anchor = made.towers.user_proj.weight
    windows = [(np.array([1, 2]), 3), (np.array([8]), 3), (np.array([1, 2]), 4)]
    with torch.no_grad():
        (pair,) = made._batch(windows)
        _, _, user, conditioned, target = made.towers._read(*pair, anchor)
    assert torch.allclose(target[0], target[1], atol=1e-6)
    assert not torch.allclose(conditioned[0], conditioned[1], atol=1e-3)
    assert torch.allclose(user[0], user[2], atol=1e-5)
    assert not torch.allclose(user[0], user[1], atol=1e-3)


def test_drafts_are_pooled_as_targets_are(generator):
    """A draft that is the target's exact text has the vector that training contrasts."""
    made = generator("smollm2/tiny")
    anchor = made.towers.user_proj.weight
    with torch.no_grad():
        (pair,) = made._batch([(np.array([1, 2]), 3)])
        conditioned, target = made.towers._read(*pair, anchor)[3:]
    assert np.allclose(made.catalogue[3], target[0].numpy(), atol=1e-5)
    wanted = torch.nn.functional.cosine_similarity(conditioned, target)
    found = made._near([1, 2], [Draft(made.texts[3], -1.0)])
    assert found[0, 2] == pytest.approx(float(wanted), abs=1e-5)
