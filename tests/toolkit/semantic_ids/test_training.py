"""RQ-VAE's training: its start, dead codes, the state that is kept, and chance."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmbench.toolkit.semantic_ids import SemanticIdConfig  # noqa: E402
from mmbench.toolkit.semantic_ids import training as module  # noqa: E402
from mmbench.toolkit.semantic_ids.kmeans import residual_kmeans  # noqa: E402
from mmbench.toolkit.semantic_ids.make import quantise  # noqa: E402
from mmbench.toolkit.semantic_ids.network import RQVAE  # noqa: E402
from mmbench.toolkit.semantic_ids.training import restart, start_books, train_rqvae  # noqa: E402

SMALL = SemanticIdConfig(sizes=(8, 8), widths=(16,), dim=4, epochs=20, validate_every=5)


def catalogue(n=120, dim=10, kinds=12, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((kinds, dim))
    noise = 0.3 * rng.standard_normal((n, dim))
    return (centres[rng.integers(kinds, size=n)] + noise).astype(np.float32)


def train(vectors, config=SMALL, seed=0, **hooks):
    told = {"log": lambda step, **values: None, "progress": lambda *place: None, **hooks}
    rng = np.random.default_rng(seed)
    return train_rqvae(vectors, config.sizes, config, rng, device="cpu", **told)


def network(width=10, config=SMALL, sizes=None):
    generator = torch.Generator().manual_seed(0)
    return RQVAE(width, config.widths, config.dim, sizes or config.sizes, generator)


def rebuilt_error(vectors, found):
    codes = quantise(found.latents, found.books)
    sums = sum(book[codes[:, level]] for level, book in enumerate(found.books))
    return np.square(found.decode(sums) - vectors).sum() / (
        vectors.var(axis=0).sum() * len(vectors)
    )


def test_code_books_start_from_the_whole_catalogues_residuals():
    made, data = network(), torch.from_numpy(catalogue())
    start_books(made, data, SMALL, np.random.default_rng(7))
    latents = made.encoder(data).detach().numpy()
    expected = residual_kmeans(latents, SMALL.sizes, np.random.default_rng(7), SMALL.kmeans_rounds)
    rest = latents
    for book, centres in zip(made.books, expected, strict=True):
        np.testing.assert_array_equal(book.detach().numpy(), centres)
        distances = ((rest[:, None] - centres[None]) ** 2).sum(axis=2)
        codes = distances.argmin(axis=1)
        assert set(codes) == set(range(8))  # none is dead at first
        for code in range(8):
            np.testing.assert_allclose(centres[code], rest[codes == code].mean(axis=0), atol=1e-5)
        rest = rest - centres[codes]


def test_a_training_starts_there(monkeypatch):
    started = []
    monkeypatch.setattr(module, "start_books", lambda *given: started.append(given))
    train(catalogue(), replace(SMALL, epochs=1))
    assert len(started[0][1]) == 120


def test_dead_codes_go_where_the_error_is_greatest():
    rest = torch.tensor([[0.0], [1.0], [5.0], [7.0], [-9.0], [0.1]])
    book = torch.nn.Parameter(torch.tensor([[0.0], [99.0], [1.0], [98.0]]))
    optimizer = torch.optim.AdamW([book])
    book.sum().backward()
    optimizer.step()
    before = book.detach().clone()
    assert restart(book, torch.tensor([1, 3]), rest, optimizer) == 2
    assert book.tolist() == [[before[0].item()], [-9.0], [before[2].item()], [7.0]]
    assert optimizer.state[book]["exp_avg"].flatten().ne(0).tolist() == [True, False, True, False]
    assert optimizer.state[book]["exp_avg_sq"].flatten().ne(0).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_what_has_no_error_takes_no_dead_code():
    rest = torch.tensor([[0.0], [1.0], [1.0], [4.0]])
    book = torch.nn.Parameter(torch.tensor([[0.0], [1.0], [9.0], [8.0], [7.0]]))
    moved = restart(book, torch.tensor([2, 3, 4]), rest, torch.optim.AdamW([book]))
    assert moved == 1
    assert book.tolist() == [[0.0], [1.0], [4.0], [8.0], [7.0]]


@pytest.mark.parametrize(("restart_after", "alive"), [(0, False), (1, True), (3, True)])
def test_a_start_that_has_collapsed_is_mended_by_restarts_alone(monkeypatch, restart_after, alive):
    def collapsed(made, data, config, rng):
        with torch.no_grad():
            for book in made.books:
                book.fill_(30.0)

    monkeypatch.setattr(module, "start_books", collapsed)
    found = train(catalogue(), replace(SMALL, restart_after=restart_after))
    codes = quantise(found.latents, found.books)
    used = [len(set(codes[:, level])) for level in range(2)]
    assert min(used) >= 6 if alive else max(used) < 4
    assert all(count > 0 for count in found.restarts) == alive


def test_codes_that_are_taken_are_left_alone(monkeypatch):
    calls = []

    def watched(book, dead, rest, optimizer):
        calls.append(len(dead))
        return 0

    monkeypatch.setattr(module, "restart", watched)
    train(catalogue(), replace(SMALL, sizes=(2, 2)))
    assert sum(calls) == 0


def test_it_learns():
    vectors = catalogue()
    losses = []
    few, many = (
        train(vectors, replace(SMALL, epochs=epochs, validate_every=100)) for epochs in (1, 300)
    )
    train(vectors, log=lambda step, **values: losses.append(values["ids loss"]))
    assert losses == sorted(losses, reverse=True)
    assert rebuilt_error(vectors, many) < 0.6 < rebuilt_error(vectors, few)


def test_the_scale_and_the_middle_of_vectors_do_not_matter():
    vectors = catalogue()
    moved = (vectors * 64 + 32).astype(np.float32)
    plain, other = (train(one, replace(SMALL, epochs=4)) for one in (vectors, moved))
    np.testing.assert_allclose(plain.latents, other.latents, atol=1e-3)
    assert rebuilt_error(vectors, plain) == pytest.approx(rebuilt_error(moved, other), rel=1e-2)


@pytest.mark.parametrize("seed", range(4))
def test_the_state_with_the_fewest_collisions_of_the_last_quarter_is_kept(seed):
    vectors, seen = catalogue(), {}
    config = replace(SMALL, epochs=22, validate_every=2)
    found = train(
        vectors, config, seed, log=lambda step, **told: seen.update({step: told["ids collisions"]})
    )
    assert sorted(seen) == list(range(2, 23, 2))
    late = {step: value for step, value in seen.items() if step >= 16.5}
    fewest = min(late.values())
    assert found.epoch == max(step for step, value in late.items() if value == fewest)
    codes = quantise(found.latents, found.books)
    assert 1 - len(np.unique(codes, axis=0)) / len(codes) == pytest.approx(fewest)


def test_a_batch_may_be_all_or_a_part():
    steps = []

    class Counting(torch.optim.AdamW):
        def step(self, *given):
            steps.append(1)
            return super().step(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Counting)
        train(catalogue(), replace(SMALL, epochs=2))
        assert len(steps) == 2
        train(catalogue(), replace(SMALL, epochs=2, batch_size=50))
    assert len(steps) == 2 + 2 * 3


def test_each_vector_is_in_a_batch_once():
    rng = np.random.default_rng(0)
    first = [rows.tolist() for rows in module._batches(10, 4, rng)]
    assert [len(rows) for rows in first] == [4, 4, 2]
    assert sorted(row for rows in first for row in rows) == list(range(10))
    assert [rows.tolist() for rows in module._batches(10, 4, rng)] != first


@pytest.mark.parametrize("batch_size", [0, 50])
def test_chance_is_the_seeds_alone(batch_size):
    vectors, config = catalogue(), replace(SMALL, batch_size=batch_size)
    before = torch.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].tolist()
    one, same, other = (train(vectors, config, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.latents, same.latents)
    assert all(map(np.array_equal, one.books, same.books))
    assert not np.array_equal(one.latents, other.latents)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), np.random.get_state()[1].tolist())


def test_the_number_of_threads_does_not_matter():
    before, found = torch.get_num_threads(), []
    vectors = catalogue(n=3000, dim=64)
    config = replace(SMALL, widths=(128,), epochs=3)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            within = []
            found.append(
                train(vectors, config, progress=lambda *_: within.append(torch.get_num_threads()))  # noqa: B023
            )
            assert set(within) == {1}
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found[0].latents, found[1].latents)


def test_a_loss_that_is_not_finite_is_said():
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train(catalogue(), replace(SMALL, learning_rate=1e30))
    before = torch.get_num_threads()
    assert before == torch.get_num_threads()


def test_progress_is_told():
    bar = []
    train(catalogue(), replace(SMALL, epochs=3), progress=lambda *place: bar.append(place))
    assert bar == [(1, 3, "epochs of ids"), (2, 3, "epochs of ids"), (3, 3, "epochs of ids")]
