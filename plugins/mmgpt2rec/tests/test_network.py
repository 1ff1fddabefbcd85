"""The network: one table for reading and rating, causality, and padding that nobody sees."""

import numpy as np
import pytest
import torch
import transformers
from mmbench_mmgpt2rec.backbone import ADAPTED, load_gpt2
from mmbench_mmgpt2rec.network import padded

TEXT = 12  # columns; pictures have 4


def test_at_the_start_the_table_is_the_standardised_features(network_of, catalogue):
    """``W_f`` is the identity, ``b`` and the vector of a missing picture are 0."""
    network = network_of()
    found = network.table().detach().numpy()
    np.testing.assert_array_equal(found, np.column_stack([catalogue.text, catalogue.image]))
    assert network_of(table="free").table().detach().numpy() == pytest.approx(found)
    assert network_of(residual=True).table().detach().numpy() == pytest.approx(found)


@pytest.mark.parametrize(
    "changes", [{}, {"residual": True}, {"table": "free"}, {"fusion": "attention"}]
)
def test_what_is_read_is_what_is_rated(changes, network_of, histories, nudge):
    """Tied: looked up with a table at hand or without, an item's input is its row of the table."""
    network = network_of(**changes)
    nudge(network)
    items = torch.arange(13)
    table = network.table()
    assert torch.equal(network.look_up(items, table)[1:], table)
    torch.testing.assert_close(network.look_up(items, None)[1:], table, rtol=0, atol=1e-6)
    assert not network.look_up(items, None)[0].any()
    states = network(histories([3, 4, 5]), table), network(histories([3, 4, 5]))
    torch.testing.assert_close(*states, rtol=0, atol=1e-5)


def test_both_sides_of_the_table_learn(network_of, histories):
    """The same ``W_f`` gets a gradient from what is read and from what is rated."""
    network = network_of()
    read, rated = network(histories([3, 4, 5]))[0, -1], network.table()
    for loss in (read[0], rated[0, 0]):
        (found,) = torch.autograd.grad(loss, network.fusion.weight)
        assert found.abs().max() > 0


def test_states_depend_on_the_past_alone(network_of, histories, nudge):
    network = network_of()
    nudge(network)
    one, other = histories([8, 1, 2, 3, 4, 5]), histories([8, 1, 2, 3, 9, 10])
    before, after = network(one), network(other)
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=0, atol=0)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-4)
    early = network(histories([9, 1, 2, 3, 4, 5]))
    assert not torch.allclose(before[:, 5], early[:, 5], atol=1e-5)


def test_a_target_has_no_gradient_on_states_before_it(network_of, histories):
    """The state of an event does not change with the vectors of later ones."""
    network = network_of(table="free")
    states = network(histories([1, 2, 3, 4]), network.table())
    (found,) = torch.autograd.grad(states[0, -2].square().sum(), network.free)
    assert found.abs().sum(1).nonzero().flatten().tolist() == [0, 1, 2]


def test_padding_and_company_change_nothing(network_of, histories, nudge):
    network = network_of()
    nudge(network)
    rows = [[3], [3, 4, 5, 6], [], [1, 2, 3, 4, 5, 6]]
    together = network(histories(*rows))[:, -1]
    for row, state in zip(rows, together, strict=True):
        for width in (6, max(len(row), 1)):
            alone = network(histories(row, width=width))[0, -1]
            torch.testing.assert_close(alone, state, rtol=0, atol=1e-5)


def test_positions_count_from_the_first_event_as_in_gpt2(network_of, histories, nudge):
    """Against GPT-2 itself, given the items' vectors without any padding."""
    network = network_of()
    nudge(network)
    table = network.table()
    plain = network.gpt2(inputs_embeds=table[[4, 1, 8]][None], use_cache=False)[0][0]
    torch.testing.assert_close(network(histories([5, 2, 9]))[0, -3:], plain, rtol=0, atol=1e-5)


def test_items_of_equal_features_are_level(network_of, nudge):
    network = network_of()
    nudge(network)
    table = network.table()
    assert torch.equal(table[7], table[2])
    assert not torch.equal(table[6], table[2])
    own = network_of(residual=True)
    nudge(own)
    assert not torch.equal(own.table()[7], own.table()[2])


def test_a_missing_picture_has_a_vector_that_learns(network_of):
    network = network_of()
    with torch.no_grad():
        network.missing.fill_(0.5)
    found = network.table()[:, TEXT:]
    assert (found[3] == 0.5).all()
    assert (found[[0, 1, 2, 4]] != 0.5).all()
    (gradient,) = torch.autograd.grad(network.table()[3].sum(), network.missing)
    assert gradient.abs().min() > 0


def test_views_tell_one_modality(network_of, histories, catalogue):
    network = network_of()
    with network.seen_as("text"):
        table = network.table()
        np.testing.assert_array_equal(table[:, :TEXT].detach(), catalogue.text)
        assert not table[:, TEXT:].any()
        text_alone = network(histories([1, 2]))
    with network.seen_as("image"):
        assert not network.table()[:, :TEXT].any()
    assert not torch.allclose(text_alone[:, -1], network(histories([1, 2]))[:, -1], atol=1e-4)


def test_contrast_against_a_plain_count(network_of, histories, nudge):
    network = network_of()
    nudge(network)
    items = [0, 1, 4]  # of the batch; item 4, row 3, has no picture
    sides = []
    for view in ("text", "image"):
        with network.seen_as(view):
            rows = network.table()[items].double()
            sides.append(rows / rows.norm(dim=1, keepdim=True))
    likeness = (sides[0] @ sides[1].T / 0.5).exp()
    own = likeness.diagonal()
    expected = -((own / likeness.sum(1)).log() + (own / likeness.sum(0)).log()).mean() / 2
    found = network.contrast(histories([1, 2], [4, 5, 2]), 0.5)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    assert float(network.contrast(histories([4]), 0.5)) == 0


def test_the_words_deviation_and_size_come_from_the_weights(tmp_path, small):
    """Of pretrained weights the table is measured and dropped; its width is the item's."""
    shape = transformers.GPT2Config(
        vocab_size=50, n_positions=8, n_embd=24, n_layer=1, n_head=2, initializer_range=0.3
    )
    torch.manual_seed(0)
    model = transformers.GPT2Model(shape)
    model.save_pretrained(tmp_path / "gpt2")
    config = small(backbone=str(tmp_path / "gpt2"), dropout=0.25)
    gpt2, deviation = load_gpt2(config, tmp_path)
    assert deviation == pytest.approx(float(model.wte.weight.detach().std()))
    assert not list(gpt2.wte.parameters())
    assert gpt2.config.n_embd == 24
    assert torch.equal(gpt2.h[0].attn.c_attn.weight, model.h[0].attn.c_attn.weight)
    rates = [m.p for m in gpt2.modules() if isinstance(m, torch.nn.Dropout)]
    assert rates and set(rates) == {0.25}
    with pytest.raises(ValueError, match="has 8 positions"):
        load_gpt2(small(backbone=str(tmp_path / "gpt2"), max_history=9), tmp_path)
    assert load_gpt2(small(), tmp_path)[1] == 0.02


@pytest.mark.parametrize("alpha", [1.0, 16.0])
def test_adapters_on_all_maps_at_the_stated_scale(alpha, network_of, nudge):
    """``W x + alpha / rank B A x``, on weights that GPT-2 holds transposed; only they learn."""
    network = network_of(trained="lora", lora_alpha=alpha)
    learned = [name for name, w in network.gpt2.named_parameters() if w.requires_grad]
    assert len(learned) == 2 * 4  # c_attn, c_fc and both c_proj of one layer, A and B
    assert all("lora_" in name and any(part in name for part in ADAPTED) for name in learned)
    assert network.fusion.weight.requires_grad
    layer = network.gpt2.h[0].attn.c_attn
    nudge(network)
    x = torch.randn(3, 16)
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert down.shape == (16, 16)  # rank 16
    expected = layer.base_layer(x) + alpha / 16 * x @ down.T @ up.T
    torch.testing.assert_close(layer(x), expected)


def test_padding_is_no_row(network_of):
    network = network_of()
    assert network.table().shape == (12, 16)
    table = padded(network.table())
    assert table.shape == (13, 16)
    assert not table[0].any()
