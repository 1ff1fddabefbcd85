import importlib
import os
import random
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from mmbench_recbole import shims
from mmbench_recbole.world import ITEM, LENGTH, SEQUENCE, USER, World, interaction

STRANGE = ["mmbench", "run", "--epochs=99", "--seed=7", "--cov=a", "--cov=b", "-n", "2"]


@pytest.mark.skipif(int(np.__version__.split(".")[0]) < 2, reason="NumPy 1 has the names")
def test_config_needs_the_numpy_aliases(monkeypatch):
    for name in ("float_", "complex_", "unicode_"):
        monkeypatch.delattr(np, name, raising=False)
    with pytest.raises(AttributeError):
        shims.QuietConfig(model="BPR", dataset="x", config_dict={"device": torch.device("cpu")})
    assert shims.make_config("BPR", {}, "cpu")["embedding_size"] == 64
    assert np.float_ is np.float64


def test_flags_of_the_running_program_do_not_reach_recbole(monkeypatch):
    monkeypatch.setattr(sys, "argv", STRANGE)
    shims.add_numpy_aliases()
    with pytest.raises(SyntaxError, match="duplicate"):  # what happens without the shim
        shims.Config(model="BPR", dataset="x")
    config = shims.make_config("BPR", {}, "cpu")
    assert (config["epochs"], config["seed"]) == (300, 2020)


def test_settings_are_not_evaluated():
    text = "__import__('os').getcwd()"
    assert shims.make_config("BPR", {"note": text}, "cpu")["note"] == text


def test_the_choice_of_gpu_is_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert shims.make_config("BPR", {}, "cpu")["device"] == torch.device("cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


def test_dok_matrix_takes_entries_in_bulk():
    shims.add_dok_update()
    matrix = sp.dok_matrix((2, 3), dtype=np.float32)
    matrix._update({(0, 1): 1.0, (1, 2): 2.0})
    assert matrix.tocsr().toarray().tolist() == [[0, 1, 0], [0, 0, 2]]


def test_import_leaves_anomaly_detection_off():
    assert not torch.is_anomaly_enabled()
    sine = sys.modules["recbole.model.sequential_recommender.sine"]
    with shims.quiet_import():
        importlib.reload(sine)
        assert torch.is_anomaly_enabled()  # what happens without the shim
    assert not torch.is_anomaly_enabled()


def test_pop_counts_every_event_of_a_batch(world):
    config = shims.make_config("Pop", {}, "cpu")
    batch = interaction({ITEM: np.array([5, 5, 5, 7])})
    for kind, counts in ((shims.Pop, [1, 1]), (shims.CountingPop, [3, 1])):
        model = kind(config, World(world.train, 1))
        model.calculate_loss(batch)
        assert model.item_cnt[[5, 7], 0].tolist() == counts


@pytest.fixture
def berts(world):
    """RecBole's BERT4Rec and ours with the same weights, in float64 and without dropout."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # RecBole's loss makes tensors of the default type
    settings = {
        "MAX_ITEM_LIST_LENGTH": 12,
        "hidden_dropout_prob": 0.0,
        "attn_dropout_prob": 0.0,
        "ft_ratio": 0.3,
    }
    config = shims.make_config("BERT4Rec", settings, "cpu")
    transform = shims.row_transform(config)
    shims.seed_everything(1)
    theirs = shims.BERT4Rec(config, World(world.train, 12)).double()
    ours = shims.MaskedBERT4Rec(config, World(world.train, 12)).double()
    torch.nn.init.normal_(theirs.output_bias)
    ours.load_state_dict(theirs.state_dict())
    yield theirs, ours, transform
    torch.set_default_dtype(default)


def rows(world, n=20):
    history = world.queries.history[:n].astype(np.int64)
    length = (history > 0).sum(1)
    right = np.array([np.roll(row, size) for row, size in zip(history, length, strict=True)])
    return {SEQUENCE: right, LENGTH: length, USER: np.arange(1, n + 1)}


def test_masked_positions_alone_give_recboles_loss_and_gradients(berts, world):
    theirs, ours, transform = berts
    random.seed(4)
    for _ in range(5):
        batch = transform(World(world.train, 12), interaction(rows(world)))
        losses = [model.calculate_loss(batch) for model in (theirs, ours)]
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-10, atol=1e-12)
        for model, loss in zip((theirs, ours), losses, strict=True):
            model.zero_grad()
            loss.backward()
        for left, right in zip(theirs.parameters(), ours.parameters(), strict=True):
            torch.testing.assert_close(right.grad, left.grad, rtol=1e-8, atol=1e-12)


def test_a_batch_without_a_mask_costs_nothing(berts, world):
    _, ours, transform = berts
    batch = transform(World(world.train, 12), interaction(rows(world, 3)))
    batch[ours.MASK_INDEX].zero_()
    loss = ours.calculate_loss(batch)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is None or not p.grad.any() for p in ours.parameters())


def test_the_mask_is_appended_as_recbole_does(berts, world):
    theirs, ours, _ = berts
    columns = rows(world)
    sequence, length = torch.tensor(columns[SEQUENCE]), torch.tensor(columns[LENGTH])
    expected = theirs.reconstruct_test_data(sequence, length)
    assert torch.equal(ours.reconstruct_test_data(sequence, length), expected)


def test_masking_ends_where_a_user_had_the_whole_catalogue(interactions_of):
    everything = interactions_of([[1, 2, 3, 4, 5]], n_items=5)
    config = shims.make_config("BERT4Rec", {"MAX_ITEM_LIST_LENGTH": 5, "mask_ratio": 0.9}, "cpu")
    transform = shims.row_transform(config)
    batch = {SEQUENCE: np.array([[1, 2, 3, 4, 5]]), LENGTH: np.array([5])}
    masked = transform(World(everything, 5), interaction(batch))  # hangs without the shim
    assert (masked["Mask_item_id_list"] == 6).any()
