"""All positions in one pass give the loss and gradients of RecBole's prefix rows."""

import numpy as np
import pytest
import torch
from mmbench_recbole.sequential import Sequential, every_position

from mmbench import Run

WIDTH = 6
SETTINGS = {
    "SASRec": {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "hidden_size": 16},
    "GRU4Rec": {"dropout_prob": 0.0, "embedding_size": 16, "hidden_size": 24},
}


@pytest.fixture
def build(interactions_of, tmp_path):
    rng = np.random.default_rng(0)
    # Users shorter than, as long as, and longer than the window, and one without a next event.
    sequences = [rng.integers(1, 21, size=n) for n in (2, 3, 7, 8, 15, 1, 5)]
    train = interactions_of(sequences, n_items=20)
    run = Run(0, "cpu", tmp_path, tmp_path, "paper", None, None, None)

    def make(name, mode, loss="CE"):
        settings = {"loss_type": loss, **SETTINGS[name]}
        made = Sequential(
            name, settings, train, run, max_history=WIDTH, batch_size=10**6, mode=mode, trim=True
        )
        made.model.double().train()
        return made

    return make


def loss_and_gradients(model, batch):
    model.zero_grad()
    loss = model.calculate_loss(batch)
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec"])
def test_loss_and_gradients_equal_the_prefix_rows(build, name):
    ours, theirs = build(name, "positions"), build(name, "prefixes")
    ours.model.load_state_dict(theirs.model.state_dict())
    assert type(theirs.model).__module__.startswith("recbole.")
    assert len(ours.rows) < len(theirs.rows) == ours.rows.positions().sum()

    loss, gradients = loss_and_gradients(ours.model, ours.batch(ours.rows))
    wanted, wanted_gradients = loss_and_gradients(theirs.model, theirs.batch(theirs.rows))

    torch.testing.assert_close(loss, wanted, rtol=1e-10, atol=1e-12)
    assert gradients.keys() == wanted_gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted_gradients[key], rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec"])
def test_pairwise_losses_train_every_position_too(build, name):
    ours = build(name, "positions", "BPR")
    batch = ours.batch(ours.rows)
    assert len(batch["neg_item_id"]) == len(batch["item_id"]) == ours.rows.positions().sum()
    loss, gradients = loss_and_gradients(ours.model, batch)
    assert torch.isfinite(loss)
    assert gradients["item_embedding.weight"].any()


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec"])
def test_a_position_does_not_see_what_comes_after_it(build, name):
    model = build(name, "positions").model.eval()
    early = torch.tensor([[3, 5, 7, 9, 11, 13]])
    late = torch.tensor([[3, 5, 7, 2, 4, 0]])
    model._trained = torch.ones(1, WIDTH, dtype=torch.bool)
    states = [model.forward(rows, torch.tensor([WIDTH])) for rows in (early, late)]
    torch.testing.assert_close(states[0][:3], states[1][:3], rtol=0, atol=1e-12)
    assert not torch.allclose(states[0][3:], states[1][3:])


def test_scoring_is_recboles_own(build):
    ours = build("SASRec", "positions").model.eval()
    assert every_position(type(ours)).full_sort_predict is type(ours).full_sort_predict
    rows, length = torch.tensor([[3, 5, 7, 0, 0, 0]]), torch.tensor([3])
    state = ours.forward(rows, length)
    assert state.shape == (1, 16)
