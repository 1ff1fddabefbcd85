"""RQ-VAE's losses and gradients, against what was derived by hand, in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmbench.toolkit.semantic_ids.network import RQVAE, nearest  # noqa: E402

SIZES, DIM, WIDTH, N = (4, 3), 5, 7, 11


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    made = RQVAE(WIDTH, (6,), DIM, SIZES, generator).double()
    with torch.no_grad():
        for book in made.books:
            book.copy_(torch.randn(book.shape, generator=generator))
    return made


@pytest.fixture
def latents():
    return torch.randn(N, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(latents, books):
    """Codes, what each level stands for, and the entries that it takes, in plain numpy."""
    rest, codes, rests, entries = latents.copy(), [], [], []
    for book in books:
        code = ((rest[:, None] - book[None]) ** 2).sum(axis=2).argmin(axis=1)
        codes.append(code)
        rests.append(rest)
        entries.append(book[code])
        rest = rest - book[code]
    return np.stack(codes, axis=1), rests, entries


def plain(network, latents):
    return latents.detach().numpy(), [book.detach().numpy() for book in network.books]


def gradient(value, *of):
    found = torch.autograd.grad(value, of, allow_unused=True)
    return [
        np.zeros(tuple(x.shape)) if g is None else g.numpy() for g, x in zip(found, of, strict=True)
    ]


def test_codes_and_sums_are_those_by_hand(network, latents):
    found = network.quantise(latents)
    codes, _, entries = by_hand(*plain(network, latents))
    np.testing.assert_array_equal(found.codes.numpy(), codes)
    np.testing.assert_allclose(found.latents.detach().numpy(), sum(entries), rtol=1e-12)


def test_both_losses_are_the_mean_square_of_what_is_off(network, latents):
    found = network.quantise(latents)
    _, rests, entries = by_hand(*plain(network, latents))
    off = np.mean([np.mean((r - e) ** 2) for r, e in zip(rests, entries, strict=True)])
    assert found.codebook.item() == pytest.approx(off, rel=1e-12)
    assert found.commitment.item() == pytest.approx(off, rel=1e-12)


def test_the_gradient_goes_straight_through(network, latents):
    """As if there were no code-book; and entries get none of it."""
    latents.requires_grad_()
    weight = torch.randn(N, DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    value = (network.quantise(latents).latents * weight).sum()
    to_latents, *to_books = gradient(value, latents, *network.books)
    np.testing.assert_allclose(to_latents, weight.numpy(), rtol=1e-12)
    for found in to_books:
        assert not found.any()


def test_the_codebook_loss_moves_entries_alone(network, latents):
    """Each to the mean of what it stands for; without either stop others would move too."""
    latents.requires_grad_()
    codebook = network.quantise(latents).codebook
    to_latents, *to_books = gradient(codebook, latents, *network.books)
    assert not to_latents.any()
    codes, rests, entries = by_hand(*plain(network, latents))
    for level, (found, size) in enumerate(zip(to_books, SIZES, strict=True)):
        expected = np.zeros((size, DIM))
        off = 2 * (entries[level] - rests[level]) / (N * DIM * len(SIZES))
        np.add.at(expected, codes[:, level], off)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
        assert found.any()


def test_the_commitment_moves_the_encoder_alone_at_every_level(network, latents):
    latents.requires_grad_()
    commitment = network.quantise(latents).commitment
    to_latents, *to_books = gradient(commitment, latents, *network.books)
    for found in to_books:
        assert not found.any()
    _, rests, entries = by_hand(*plain(network, latents))
    off = sum(r - e for r, e in zip(rests, entries, strict=True))
    np.testing.assert_allclose(to_latents, 2 * off / (N * DIM * len(SIZES)), rtol=1e-10)


def test_the_encoder_learns_from_the_decoder_at_the_quantised_latents(network):
    vectors = torch.randn(N, WIDTH, generator=torch.Generator().manual_seed(3)).double()
    rebuilt, quantised = network(vectors)
    loss = (rebuilt - vectors).square().mean()
    weights = list(network.encoder.parameters())
    found = gradient(loss, *weights)
    at = quantised.latents.detach().requires_grad_()
    (signal,) = torch.autograd.grad((network.decoder(at) - vectors).square().mean(), at)
    expected = gradient((network.encoder(vectors) * signal).sum(), *weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-15)
        assert one.any()


def test_names_of_entries_do_not_matter(network, latents):
    before = network.quantise(latents)
    order = [torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])]
    with torch.no_grad():
        for book, places in zip(network.books, order, strict=True):
            book.copy_(book[places].clone())
    after = network.quantise(latents)
    for level, places in enumerate(order):
        torch.testing.assert_close(places[after.codes[:, level]], before.codes[:, level])
    torch.testing.assert_close(after.latents, before.latents)
    torch.testing.assert_close(after.codebook, before.codebook)


def test_distances_are_squared_and_never_negative():
    book = torch.tensor([[1e3, 1e3], [0.0, 1.0]])
    code, squared = nearest(torch.tensor([[1e3, 1e3], [0.0, 3.0]]), book)
    assert code.tolist() == [0, 1]
    assert squared.tolist() == [0.0, 4.0]


def test_nobodys_stream_of_chance_is_drawn_from():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (
        RQVAE(WIDTH, (6,), DIM, SIZES, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.get_rng_state())
    first, second, third = (made.encoder[0].weight for made in (one, same, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert not one.encoder[0].bias.any()
