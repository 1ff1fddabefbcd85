"""The odds-ratio loss against plain float64, and where it would lose all digits."""

import math

import numpy as np
import pytest
import torch
from mmbench_prime.losses import log_likelihood, log_odds, odds_ratio_loss


@pytest.fixture
def drawn():
    """Log-probabilities float32[6, 40] and two sets int64[6, 5] each, some sure of their items."""
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(0, 4, (6, 40)), dtype=torch.float32)
    sets = [torch.tensor(np.array([rng.permutation(40)[:5] for _ in range(6)])) for _ in range(2)]
    return torch.log_softmax(logits, 1), *sets


def reference(log_p, sets, kind):
    """float64[n]: the likelihood itself."""
    p = np.take_along_axis(np.exp(log_p.double().numpy()), sets.numpy(), axis=1)
    return p.mean(axis=1) if kind == "mean" else p.prod(axis=1)


@pytest.mark.parametrize("kind", ["mean", "product"])
def test_likelihood_and_loss_are_those_of_the_formulas(drawn, kind):
    log_p, first, second = drawn
    won, lost = (log_likelihood(log_p, chosen, kind) for chosen in (first, second))
    for found, chosen in ((won, first), (lost, second)):
        np.testing.assert_allclose(found.double().exp(), reference(log_p, chosen, kind), rtol=2e-5)
    p, q = (reference(log_p, chosen, kind) for chosen in (first, second))
    ratio = (p / (1 - p)) / (q / (1 - q))
    wanted = np.mean(np.log1p(1 / ratio))  # minus log sigmoid of the log of it
    assert float(odds_ratio_loss(won, lost)) == pytest.approx(wanted, rel=1e-4)


def test_mean_and_product_are_two_losses(drawn):
    log_p, first, second = drawn
    mean, product = (
        odds_ratio_loss(*(log_likelihood(log_p, chosen, kind) for chosen in (first, second)))
        for kind in ("mean", "product")
    )
    assert abs(float(mean - product)) > 0.1


def test_a_product_of_25_has_no_odds_but_itself():
    """What the paper prints: 1 less it is 1 in any precision that there is."""
    log_p = torch.full((1, 1000), -math.log(1000))
    found = log_likelihood(log_p, torch.arange(25)[None], "product")
    assert float(found) == pytest.approx(-25 * math.log(1000), rel=1e-5)
    assert float(log_odds(found)) == float(found)


@pytest.mark.parametrize("log_p", [-1e-7, -1e-3, -0.5, -0.69, -0.7, -0.71, -1.5, -20.0, -200.0])
def test_log_odds_keep_their_digits_and_gradients(log_p):
    given = torch.tensor(log_p, requires_grad=True)
    exact = given.detach().double()
    wanted = float(exact - torch.log(-torch.expm1(exact)))
    odds = log_odds(given)
    odds.backward()
    assert odds.item() == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    # d/dx of x - log(1 - e^x) is 1 / (1 - e^x)
    assert float(given.grad) == pytest.approx(float(-1 / torch.expm1(exact)), rel=1e-4)
